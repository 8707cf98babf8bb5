"""The in-app inbox."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import Field

from backend import clock
from backend.errors import NotFound
from backend.manners import Cursor, Limit, Page, Schema, page, problems
from notifications.models import Notification

router = Router(tags=["inbox"])


class InboxItem(Schema):
    """Something that was told to me, by whatever channels."""

    id: UUID
    event: str = Field(description="What happened, e.g. `question_answered`. More may be added.", max_length=60)
    subject: str = Field(description="What it is about: `question:<id>`, or empty.", max_length=80)
    title: str = Field(max_length=200)
    body: str
    is_urgent: bool
    created_at: datetime = Field(description="UTC.")
    read_at: datetime | None = Field(description="UTC; null while unread.")


def _show(row: Notification) -> InboxItem:
    fields: dict[str, Any] = {name: getattr(row, name) for name in ("id", "event", "title", "body", "is_urgent")}
    return InboxItem(**fields, subject=row.subject_key, created_at=row.created_at, read_at=row.read_at)


@router.get(
    "/inbox", response={200: Page[InboxItem], **problems()}, operation_id="list_inbox", summary="What was told to me"
)
def list_inbox(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first."""
    rows = Notification.objects.filter(person=request.auth)  # type: ignore[attr-defined]
    return page(rows, cursor=cursor, limit=limit, time_field="created_at", show=_show)


@router.post(
    "/inbox/{notification_id}/read",
    response={204: None, **problems(404)},
    operation_id="mark_inbox_item_read",
    summary="I have read this",
)
def mark_read(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Saying it twice is fine: the first time counts."""
    mine = Notification.objects.filter(person=request.auth, pk=notification_id)  # type: ignore[attr-defined]
    if not mine.filter(read_at__isnull=True).update(read_at=clock.now()) and not mine.exists():
        raise NotFound(_("This message does not exist."))
    return HttpResponse(status=204)
