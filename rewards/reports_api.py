"""Reports over HTTP, as files. For the programme's managers; everybody else is told that they may not."""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from ninja import Path, Query, Router

from backend.errors import NotAllowed
from backend.manners import problems
from people.bearer import caller
from people.models import Role
from rewards import reports
from rewards.spreadsheet import Format, download

router = Router(tags=["reports"])
Year = Annotated[int, Path(..., ge=reports.YEARS.start, lt=reports.YEARS.stop)]
FileFormat = Annotated[Format, Query("csv", alias="format", description="`csv` (semicolons, UTF-8) or `xlsx`.")]


def may_read(person: Any) -> bool:
    return bool(person.is_staff and person.has_role(Role.PROGRAMME_MANAGER, Role.ADMINISTRATOR))


def _check(request: HttpRequest) -> None:
    """Raises NotAllowed."""
    if not may_read(caller(request)):
        raise NotAllowed(_("Only managers of the programme can do this."))


@router.get(
    "/reports/campaigns/{campaign_id}",
    response={200: str, **problems(403, 404)},
    operation_id="get_campaign_report",
    summary="What a campaign cost",
)
def get_campaign_report(request: HttpRequest, campaign_id: UUID, form: FileFormat) -> Any:
    """A file. Issued, held, redeemed, refunded, lapsed, returned and cost, by department and ISO week, as booked."""
    _check(request)
    return download(reports.campaign(campaign_id), form)


@router.get(
    "/reports/employee-discounts/{year}",
    response={200: str, **problems(403)},
    operation_id="get_employee_discounts",
    summary="Employees' discounts of a year",
)
def get_employee_discounts(request: HttpRequest, year: Year, form: FileFormat) -> Any:
    """A file. Each employee's redeemed discounts against the Dutch rule of that year; a tax adviser must confirm it."""
    _check(request)
    return download(reports.employee_discounts(year, (get_language() or "nl")[:2]), form)


@router.get(
    "/reports/lapsed/{year}",
    response={200: str, **problems(403)},
    operation_id="get_lapsed_report",
    summary="What lapsed in a year",
)
def get_lapsed_report(request: HttpRequest, year: Year, form: FileFormat) -> Any:
    """A file. Credits and gifts that nobody used in time, by month and department."""
    _check(request)
    return download(reports.lapsed(year), form)
