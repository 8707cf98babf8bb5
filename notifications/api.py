"""The in-app inbox, and the phones that get pushes."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import Field, StringConstraints, model_validator

from backend import clock
from backend.errors import NotFound
from backend.manners import Cursor, Limit, Page, Schema, page, problems
from notifications import devices, outcomes, planning
from notifications.models import Device, Notification

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


def show(row: Notification) -> InboxItem:
    fields: dict[str, Any] = {name: getattr(row, name) for name in ("id", "event", "title", "body", "is_urgent")}
    return InboxItem(**fields, subject=row.subject_key, created_at=row.created_at, read_at=row.read_at)


@router.get(
    "/inbox", response={200: Page[InboxItem], **problems()}, operation_id="list_inbox", summary="What was told to me"
)
def list_inbox(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first."""
    rows = Notification.objects.filter(person=request.auth)  # type: ignore[attr-defined]
    return page(rows, cursor=cursor, limit=limit, time_field="created_at", show=show)


@router.post(
    "/inbox/{notification_id}/read",
    response={204: None, **problems(404)},
    operation_id="mark_inbox_item_read",
    summary="I have read this",
)
def mark_read(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Saying it twice is fine: the first time counts."""
    mine = Notification.objects.filter(person=request.auth, pk=notification_id)  # type: ignore[attr-defined]
    if mine.filter(read_at__isnull=True).update(read_at=clock.now()):
        planning.arrived(notification_id)
    elif not mine.exists():
        raise NotFound(_("This message does not exist."))
    return HttpResponse(status=204)


class ReceivedIn(Schema):
    device: UUID = Field(description="The phone's own id, as in `PUT /devices/{device_id}`.")


@router.post(
    "/inbox/{notification_id}/received",
    response={204: None, **problems(404)},
    operation_id="mark_push_received",
    summary="The push for this came in on my phone",
)
def mark_received(request: HttpRequest, notification_id: UUID, body: ReceivedIn) -> HttpResponse:
    """Firebase gives no receipts: without this one, SMS or mail follows after some minutes. Saying it twice is fine."""
    person: Any = request.auth  # type: ignore[attr-defined]
    if not Notification.objects.filter(person=person, pk=notification_id).exists():
        raise NotFound(_("This message does not exist."))
    outcomes.note_received(person, notification_id, body.device)
    return HttpResponse(status=204)


# --- phones ----------------------------------------------------------------------------------------------------------

devices_router = Router(tags=["devices"])
Printable = r"^[!-~]+$"


class DeviceIn(Schema):
    """The phone as the app knows it. Exactly one of `token` and `fid`."""

    token: Annotated[str, StringConstraints(min_length=20, max_length=1024, pattern=Printable)] | None = Field(
        None, description="Firebase's registration token (`Messaging.token`)."
    )
    fid: Annotated[str, StringConstraints(min_length=10, max_length=200, pattern=Printable)] | None = Field(
        None, description="The Firebase installation id, where the app's SDK registers by it."
    )
    platform: Literal["ios", "android"]
    app_version: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\w.+() -]+$")] = Field(
        description="`1.4.2 (310)`"
    )
    locale: Annotated[str, StringConstraints(min_length=2, max_length=35, pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        description="The phone's language: `nl-NL`. What we write follows the person's own setting."
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.token is None) == (self.fid is None):
            raise ValueError("exactly one of token and fid is needed")
        return self


class DeviceOut(Schema):
    """A phone of mine. Firebase's address is not shown again."""

    id: UUID
    platform: str = Field(description="ios or android.", max_length=7)
    app_version: str = Field(max_length=40)
    locale: str = Field(max_length=35)
    last_seen_at: datetime = Field(description="UTC: when the app last registered itself.")
    is_reachable: bool = Field(description="False when Firebase says that nothing arrives there any more: register anew.")

    @classmethod
    def of(cls, row: Device) -> "DeviceOut":
        names = ("id", "platform", "app_version", "locale", "last_seen_at")
        return cls(**{name: getattr(row, name) for name in names}, is_reachable=row.dead_at is None)


@devices_router.put(
    "/devices/{device_id}",
    response={200: DeviceOut, **problems(404)},
    operation_id="register_device",
    summary="Push to this phone from now on",
)
def register_device(request: HttpRequest, device_id: UUID, body: DeviceIn) -> Any:
    """At every start, after every sign-in, and when Firebase gives another token. `device_id` is made by the app once.

    A token or fid belongs to whoever registered it last. Signing out takes the phone along. At most ten phones: the one
    unseen for longest makes room.
    """
    made = devices.register(
        request.auth,  # type: ignore[attr-defined]
        device_id,
        kind=Device.Kind.TOKEN if body.token else Device.Kind.FID,
        address=body.token or body.fid or "",
        session_key=str(request.access_token.pk),  # type: ignore[attr-defined]
        platform=body.platform,
        app_version=body.app_version,
        locale=body.locale,
    )
    return DeviceOut.of(made)


@devices_router.get(
    "/devices", response={200: list[DeviceOut], **problems()}, operation_id="list_devices", summary="My phones"
)
def list_devices(request: HttpRequest) -> Any:
    """At most ten, the one seen last first."""
    rows = Device.objects.filter(person=request.auth).order_by("-last_seen_at", "-pk")  # type: ignore[attr-defined]
    return [DeviceOut.of(row) for row in rows[: devices.PER_PERSON]]


@devices_router.delete(
    "/devices/{device_id}",
    response={204: None, **problems(404)},
    operation_id="remove_device",
    summary="Push to this phone no more",
)
def remove_device(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """From now on the other phones, SMS or mail. Twice is fine."""
    devices.unregister(request.auth, device_id)  # type: ignore[attr-defined]
    return HttpResponse(status=204)
