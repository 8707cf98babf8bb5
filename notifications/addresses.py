"""Where people can be reached and whose address this is."""

from typing import Any

from django.db.models.functions import Lower

from backend import clock
from notifications.models import Address, Channel, Delivery

# What a carrier or a person texts to stop and to start again (Twilio's list). Matched first, exactly, never our verbs.
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})


def register(person_id: Any, *, email: str | None, sms: str | None) -> None:
    """Make `person_id`'s addresses exactly these. An address that changes loses its old STOP; one that stays keeps it.

    What waits to go out follows the person to the new address; nothing more goes to the old one.
    """
    for channel, value in ((Channel.EMAIL, email), (Channel.SMS, sms)):
        known = Address.objects.filter(person_id=person_id, channel=channel)
        if not value:
            known.delete()
            _readdress(person_id, channel, None)
        elif not known.filter(value=value).exists():
            _readdress(person_id, channel, value)
            Address.objects.update_or_create(
                person_id=person_id, channel=channel, defaults={"value": value, "stopped_at": None, "since": clock.now()}
            )


def _readdress(person_id: Any, channel: str, value: str | None) -> None:
    waiting = Delivery.objects.filter(person_id=person_id, channel=channel, state=Delivery.State.DUE)
    if value:
        waiting.exclude(is_secret=True).update(to=value)
        waiting = waiting.filter(is_secret=True)  # a code was asked for by whoever had the old address
    waiting.update(state=Delivery.State.CANCELLED, finished_at=clock.real())


def owner(channel: str, value: str) -> Address | None:
    """Whose address this is, with the person; None for a stranger."""
    return Address.objects.select_related("person").filter(channel=channel, value__iexact=value).first()


def stop(channel: str, value: str) -> bool:
    """Send nothing to this address any more; True when it was not stopped before."""
    running = Address.objects.filter(channel=channel, value__iexact=value, stopped_at__isnull=True)
    return bool(running.update(stopped_at=clock.now()))


def stopped(wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (channel, value) must not be written to, in lower case. An address that nobody owns may."""
    if not wanted:
        return set()
    rows = Address.objects.filter(stopped_at__isnull=False, channel__in={channel for channel, _value in wanted})
    values = {value.lower() for _channel, value in wanted}
    return set(rows.annotate(low=Lower("value")).filter(low__in=values).values_list("channel", "low"))


def start(channel: str, value: str) -> bool:
    """Send to this address again; True when it had been stopped."""
    stopped = Address.objects.filter(channel=channel, value__iexact=value, stopped_at__isnull=False)
    return bool(stopped.update(stopped_at=None))


def open_channels(person_id: Any) -> dict[str, str]:
    """The person's addresses that may be written to, by channel."""
    rows = Address.objects.filter(person_id=person_id, stopped_at__isnull=True)
    return dict(rows.values_list("channel", "value"))
