"""What I am told, by which channels and when not."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, StringConstraints

from backend.manners import ClockTime, Schema, YesNo, problems
from notifications import events, preferences
from notifications.models import Preference

router = Router(tags=["me"])
ChannelName = Literal["push", "sms", "email"]
EventName = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z_]*$")]


class QuietHours(Schema):
    """Wall-clock times in my own time zone; over midnight when `starts` is the later one."""

    starts: ClockTime = Field(description="`22:00`")
    ends: ClockTime = Field(description="`07:30`")


class EventOut(Schema):
    """One kind of message."""

    event: str = Field(description="As in the inbox, e.g. `kudos_received`.", max_length=60)
    label: str = Field(description="For people, in my language.", max_length=120)
    is_urgent: bool = Field(description="Comes in quiet hours too.")
    is_mandatory: bool = Field(description="Cannot be switched off.")
    is_off: bool = Field(description="Only the inbox keeps it.")
    mail_is_off: bool = Field(description="Comes by other channels only.")
    channels: list[str] = Field(description="My own order for it; empty: as for all.")


class PreferencesOut(Schema):
    channels: list[str] = Field(description="My own order for all: push, sms, email. Empty: as the company has it.")
    has_own_quiet_hours: bool = Field(description="False: the company's.")
    quiet_hours: QuietHours | None = Field(description="What counts now; null: none.")
    silent_until: datetime | None = Field(description="UTC: left in peace until then, for once.")
    events: list[EventOut] = Field(description="All there are, in the order of a day.")

    @classmethod
    def of(cls, chosen: Preference | None) -> "PreferencesOut":
        hours = preferences.hours_of(chosen)
        return cls(
            channels=preferences.wished(chosen, ""),
            has_own_quiet_hours=bool(chosen and chosen.has_own_quiet),
            quiet_hours=QuietHours(starts=hours.starts, ends=hours.ends) if hours else None,
            silent_until=chosen.silent_until if chosen else None,
            events=[_event(name, row, chosen) for name, row in events.EVENTS.items()],
        )


def _event(name: str, row: events.Event, chosen: Preference | None) -> EventOut:
    return EventOut(
        event=name,
        label=str(row.label),
        is_urgent=row.urgent,
        is_mandatory=row.mandatory,
        is_off=preferences.is_off(chosen, name),
        mail_is_off=preferences.mail_is_off(chosen, name),
        channels=(chosen.chains if chosen else {}).get(name, []),
    )


class PreferencesIn(Schema):
    """What is missing stays."""

    quiet: Literal["company", "own", "none"] | None = Field(None, description="`own` needs `quiet_hours`.")
    quiet_hours: QuietHours | None = Field(None, description="My own; they may go over midnight.")
    silent: YesNo | None = Field(None, description="True: quiet until the next morning, for once. False: not any more.")
    channels: Annotated[list[ChannelName], Field(max_length=3)] | None = Field(
        None, description="My order for all messages; a channel that is left out is only used when the others fail."
    )
    event_channels: Annotated[dict[EventName, list[ChannelName]], Field(max_length=40)] | None = Field(
        None, description="My order for some; an empty list: as for all."
    )
    events_off: Annotated[list[EventName], Field(max_length=40)] | None = Field(None, description="The whole list.")
    mails_off: Annotated[list[EventName], Field(max_length=40)] | None = Field(None, description="The whole list.")


@router.get(
    "/me/preferences",
    response={200: PreferencesOut, **problems()},
    operation_id="get_preferences",
    summary="What I am told, how and when",
)
def get_preferences(request: HttpRequest) -> Any:
    """Everything that I may be told, with what I chose about it."""
    return PreferencesOut.of(preferences.of(request.auth.pk))  # type: ignore[attr-defined]


@router.patch(
    "/me/preferences",
    response={200: PreferencesOut, **problems(409)},
    operation_id="update_preferences",
    summary="Choose what I am told, how and when",
)
def update_preferences(request: HttpRequest, body: PreferencesIn) -> Any:
    """`event_is_mandatory` for what cannot be switched off; then nothing has changed."""
    person: Any = request.auth  # type: ignore[attr-defined]
    preferences.update(
        person,
        quiet=body.quiet or "",
        hours=preferences.Hours(body.quiet_hours.starts, body.quiet_hours.ends) if body.quiet_hours else None,
        silent=body.silent,
        channels=body.channels,
        event_channels=body.event_channels,
        events_off=body.events_off,
        mails_off=body.mails_off,
    )
    return PreferencesOut.of(preferences.of(person.pk))
