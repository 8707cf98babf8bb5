"""Me: profile, absences, sign-out."""

from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Path, Router

from backend import clock, idempotency
from backend.errors import Invalid
from backend.manners import IdempotencyKey, Schema, problems
from people import absences, sessions
from people.bearer import caller, session
from people.models import check_time_zone
from people.schemas import OPT_INS, AbsenceEndIn, AbsenceIn, AbsenceOut, Me, MeIn

router = Router(tags=["me"])
AbsenceId = Annotated[int, Path(..., ge=1, le=2**53)]


@router.get("/me", response={200: Me, **problems()}, operation_id="get_me", summary="Who I am")
def get_me(request: HttpRequest) -> Any:
    """As HR has me, and what I chose myself."""
    return Me.of(caller(request))


@router.patch("/me", response={200: Me, **problems()}, operation_id="update_me", summary="Change what is mine to choose")
def update_me(request: HttpRequest, body: MeIn) -> Any:
    """Everything else comes from HR."""
    person = caller(request)
    if body.time_zone:
        try:
            check_time_zone(body.time_zone)
        except ValidationError as error:
            raise Invalid(_("%(zone)s is not an IANA time zone.") % {"zone": body.time_zone}) from error
    person.language = body.language or person.language
    person.time_zone = body.time_zone or person.time_zone
    for name in OPT_INS:
        chosen = getattr(body, name)
        setattr(person, name, getattr(person, name) if chosen is None else chosen)
    person.save(update_fields=["language", "time_zone", *OPT_INS])
    return Me.of(person)


@router.delete("/me/session", response={204: None, **problems()}, operation_id="sign_out", summary="Sign out")
def sign_out(request: HttpRequest) -> HttpResponse:
    """This token never works again, and the phone that registered with it gets no more pushes."""
    sessions.sign_out(str(session(request).pk))
    return HttpResponse(status=204)


@router.get(
    "/me/absences",
    response={200: list[AbsenceOut], **problems()},
    operation_id="list_absences",
    summary="When I am away, from now on",
)
def list_absences(request: HttpRequest) -> Any:
    """Running and coming ones, the next first; 100 at most."""
    rows = caller(request).absences.filter(ends_at__gt=clock.now()).order_by("starts_at")[:100]
    return [AbsenceOut.of(row) for row in rows]


@router.post(
    "/me/absences",
    response={201: AbsenceOut, **problems(409)},
    operation_id="add_absence",
    summary="I will be away",
)
def add_absence(
    request: HttpRequest,
    body: AbsenceIn,
    idempotency_key: IdempotencyKey,
) -> HttpResponse:
    """No reason is asked or stored. `absence_overlaps` when I am away then already."""

    def work() -> tuple[int, Schema]:
        made = absences.add(caller(request), starts_at=body.starts_at, ends_at=body.ends_at, stand_in_id=body.stand_in)
        return 201, AbsenceOut.of(made)

    return idempotency.once(request, idempotency_key, work)


@router.patch(
    "/me/absences/{absence_id}",
    response={200: AbsenceOut, **problems(404, 409)},
    operation_id="move_absence_end",
    summary="I am back earlier, or later",
)
def move_absence_end(request: HttpRequest, absence_id: AbsenceId, body: AbsenceEndIn) -> Any:
    """Back already: what waits for me is offered at once. `absence_overlaps` when I am away then already."""
    return AbsenceOut.of(absences.move_end(caller(request), absence_id, body.ends_at))


@router.delete(
    "/me/absences/{absence_id}",
    response={204: None, **problems(404)},
    operation_id="remove_absence",
    summary="I will not be away after all",
)
def remove_absence(request: HttpRequest, absence_id: AbsenceId) -> HttpResponse:
    """Also one that has begun: what waits for me is offered at once."""
    absences.remove(caller(request), absence_id)
    return HttpResponse(status=204)
