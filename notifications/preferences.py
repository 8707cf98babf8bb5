"""What a person chose: quiet hours, silence for once, the order of channels, and what need not be told at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, Refusal
from notifications import events, quiet
from notifications.models import Channel, Delivery, Notification, Preference

MORNING = time(7, 30)  # until when STIL lasts for somebody without quiet hours


class EventIsMandatory(Refusal):
    """Work, a promise, money: this is told whether one likes it or not."""

    code = "event_is_mandatory"


@dataclass(frozen=True)
class Hours:
    """Wall-clock times in the person's zone."""

    starts: time
    ends: time

    def __str__(self) -> str:
        return f"{self.starts:%H:%M}-{self.ends:%H:%M}"


def company_hours() -> Hours | None:
    if not settings.QUIET_HOURS:
        return None
    starts, ends = settings.QUIET_HOURS.split("-")
    return Hours(time.fromisoformat(starts), time.fromisoformat(ends))


def of(person_id: Any) -> Preference | None:
    return Preference.objects.filter(person_id=person_id).first()


def hours_of(preference: Preference | None) -> Hours | None:
    """The quiet hours that count for this person; None for none."""
    if preference is None or not preference.has_own_quiet:
        return company_hours()
    starts, ends = preference.quiet_starts, preference.quiet_ends
    return Hours(starts, ends) if starts is not None and ends is not None else None


def quiet_until(person: Any, preference: Preference | None, at: datetime) -> datetime | None:
    """Until when the person is left in peace, counted from `at`; None when they are not."""
    until = at
    if preference and preference.silent_until:
        until = max(until, preference.silent_until)
    hours = hours_of(preference)
    if hours:  # a silence may end in the middle of the night
        until = quiet.ends_at(hours.starts, hours.ends, person.zone, until) or until
    return until if until > at else None


def wished(preference: Preference | None, event: str) -> list[str]:
    """The channels in the order wished for this event, or for all; empty: as the company has it."""
    chains = preference.chains if preference else {}
    return list(chains.get(event) or chains.get("") or [])


def is_off(preference: Preference | None, event: str) -> bool:
    return preference is not None and event in preference.events_off and not events.of(event).mandatory


def mail_is_off(preference: Preference | None, event: str) -> bool:
    return preference is not None and event in preference.mails_off and not events.of(event).mandatory


# --- choosing ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def choose(person: Any, **fields: Any) -> Preference:
    """Keep these fields of Preference; what waited for the end of a silence is looked at again at once.

    Raises EventIsMandatory for an event that cannot be switched off, Invalid for one that does not exist.
    """
    for name in ("events_off", "mails_off"):
        if name in fields:
            fields[name] = _optional(fields[name])
    if "chains" in fields:
        fields["chains"] = _chains(fields["chains"])
    values = {**fields, "changed_at": clock.now()}
    chosen, _made = Preference.objects.update_or_create(person=person, defaults=values)
    if not {"has_own_quiet", "silent_until"}.isdisjoint(fields):
        look_again(person.pk)
    return chosen


def look_again(person_id: Any) -> None:
    """What is held is due for a look: it goes if it may go now, and otherwise it is held once more."""
    held = Delivery.objects.filter(person=person_id, state=Delivery.State.DUE, held_until__gt=clock.now())
    held.update(held_until=clock.now())


def _optional(names: Iterable[str]) -> list[str]:
    for name in names:
        event = events.EVENTS.get(name)
        if event is None:
            raise Invalid(_("There are no messages called %(event)s.") % {"event": name})
        if event.mandatory:
            raise EventIsMandatory(_("%(event)s: this cannot be switched off.") % {"event": event.label})
    return sorted(set(names))


def _chains(chains: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    for name, channels in chains.items():
        if name and name not in events.EVENTS:
            raise Invalid(_("There are no messages called %(event)s.") % {"event": name})
        if len(set(channels)) != len(channels) or not set(channels) <= set(Channel.values):
            raise Invalid(_("Name each channel once: push, sms, email."))
    return {name: list(channels) for name, channels in chains.items() if channels}


def set_quiet(person: Any, hours: Hours | None) -> Preference:
    """Own quiet hours, or none at all."""
    if hours and (hours.starts == hours.ends or hours.starts.tzinfo or hours.ends.tzinfo):
        raise Invalid(_("Quiet hours need two different times, without a zone."))
    starts, ends = (hours.starts, hours.ends) if hours else (None, None)
    return choose(person, has_own_quiet=True, quiet_starts=starts, quiet_ends=ends, silent_until=None)


def be_silent(person: Any) -> datetime:
    """Left in peace until the next morning, for once; returns that moment."""
    hours = hours_of(of(person.pk))
    until = quiet.next_morning(hours.ends if hours else MORNING, person.zone, clock.now())
    choose(person, silent_until=until)
    return until


@transaction.atomic
def update(
    person: Any,
    *,
    quiet: str,
    hours: Hours | None,
    silent: bool | None,
    channels: Sequence[str] | None,
    event_channels: Mapping[str, Sequence[str]] | None,
    events_off: list[str] | None,
    mails_off: list[str] | None,
) -> None:
    """Several choices at once, all or none; None leaves one as it is. Raises as `choose` does."""
    fields: dict[str, Any] = {}
    if events_off is not None:
        fields["events_off"] = events_off
    if mails_off is not None:
        fields["mails_off"] = mails_off
    if channels is not None or event_channels is not None:
        known = of(person.pk)
        chains = {**(known.chains if known else {}), **(event_channels or {})}
        fields["chains"] = chains if channels is None else {**chains, "": channels}
    if fields:
        choose(person, **fields)
    if quiet == "own" and hours is None:
        raise Invalid(_("Say which quiet hours."))
    if quiet == "company":
        choose(person, has_own_quiet=False, quiet_starts=None, quiet_ends=None)
    elif quiet:
        set_quiet(person, hours if quiet == "own" else None)
    if silent is not None:
        be_silent(person) if silent else choose(person, silent_until=None)


def switch_mail(person: Any, event: str, *, off: bool) -> None:
    """The one-click page: no more mail about this event, or mail again. Twice is fine.

    The row is locked, so that two clicks on two mails both count.
    """
    with transaction.atomic():
        Preference.objects.get_or_create(person=person, defaults={"changed_at": clock.now()})
        chosen = Preference.objects.select_for_update().get(person=person)
        names = {*chosen.mails_off, event} if off else {*chosen.mails_off} - {event}
        choose(person, mails_off=sorted(names))
        if off:
            _take_back_mails(person, event)


def _take_back_mails(person: Any, event: str) -> None:
    """What has not left yet stays here as well."""
    told = Notification.objects.filter(person=person, event=event, state=Notification.State.WAITING)
    rows = Delivery.objects.filter(notification__in=told, channel=Channel.EMAIL, state=Delivery.State.DUE)
    rows.update(state=Delivery.State.SUPPRESSED, error="switched off", finished_at=clock.real())
