"""Who carries a message: for each channel the providers in order. The second SMS provider steps in for the first.

Only what was certainly not taken goes on to the next provider: after an unknown outcome both might send it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from django.conf import settings
from django.utils.module_loading import import_string

from backend import clock
from notifications import breakers, troubles
from notifications.channels import TryLater, Undeliverable, Unknown, email, push, sms, sms_http
from notifications.models import Channel, Delivery


@dataclass(frozen=True)
class Provider:
    """`prepare` reads what must be read first and returns what sends, in a thread that only talks to the provider; that
    returns the provider's id. `look_up` gives the id under which it has a message, or None; `fetch` what became of one
    (status, error), both empty when it does not know it. These two raise TryLater.
    """

    name: str
    prepare: Callable[[Delivery], Callable[[], str]]
    look_up: Callable[[Delivery], str | None] | None = None
    fetch: Callable[[str], tuple[str, str]] | None = None


SEND: dict[str, Callable[[Delivery], str]] = {Channel.SMS: sms.send}  # what a test puts its own in place of


def _by_itself(send: Callable[[Delivery], str]) -> Callable[[Delivery], Callable[[], str]]:
    """Of a channel that has nothing to read first."""
    return lambda delivery: partial(send, delivery)


class Down(TryLater):
    """Every provider of the channel is left alone for now: not tried at all."""


@cache
def _second_sms(path: str) -> Provider:
    """A class with `name`, `send(delivery)` and `look_up(delivery)`, named by the environment."""
    made = import_string(path)()
    return Provider(made.name, _by_itself(made.send), made.look_up)


def of(channel: str) -> list[Provider]:
    if channel == Channel.EMAIL:
        return [Provider("mail", email.prepare)]
    if channel == Channel.PUSH:
        return [Provider("fcm", push.prepare)]
    first = Provider("twilio", _by_itself(SEND[channel]), sms.look_up, sms.fetch)
    return [first, _second_sms(settings.SMS_SECOND)] if settings.SMS_SECOND else [first]


def prepare(delivery: Delivery) -> Callable[[], str]:
    """What hands the message to the first provider that takes it, and returns its id; to be run in a thread.

    Raises Down or Undeliverable; what it returns raises TryLater, Undeliverable or Unknown.
    """
    ways, waits = [], []
    for provider in of(delivery.channel):
        until = breakers.opens_at(delivery.channel, provider.name) if delivery.channel != Channel.PUSH else None
        if until:
            waits.append(until)
        else:
            ways.append((provider.name, provider.prepare(delivery)))
    if not ways:
        raise Down("provider down", wait_seconds=(min(waits) - clock.real()).total_seconds())
    return partial(_send, delivery.channel, ways)


def _send(channel: str, ways: list[tuple[str, Callable[[], str]]]) -> str:
    trouble: TryLater | Undeliverable | None = None
    for name, send in ways:
        if breakers.is_shut(channel, name):  # since this one got in line
            continue
        try:
            return _watched(channel, name, send)
        except TryLater as error:
            trouble = trouble or error
        except Undeliverable as error:
            if not error.is_ours:
                raise
            # Seldom enough to be said from here: the pool gives back what this thread opens.
            troubles.report(channel, f"{channel}:account:{name}", str(error))
            trouble = trouble or error
    raise trouble or Down("provider down", wait_seconds=breakers.PAUSE.total_seconds())


def _watched(channel: str, name: str, send: Callable[[], str]) -> str:
    """With the breaker told how it went; Firebase has one of its own."""
    try:
        provider_id = send()
    except Undeliverable:
        breakers.worked(channel, name)  # it answered: the message is the trouble, or the address
        raise
    except (TryLater, Unknown) as error:
        if channel != Channel.PUSH:
            breakers.failed(channel, name, str(error))
        raise
    breakers.worked(channel, name)
    return provider_id


def look_up(delivery: Delivery) -> str | None:
    """The id under which any provider has this message; None when none knows it. Raises TryLater when one cannot say."""
    for provider in of(delivery.channel):
        found = provider.look_up(delivery) if provider.look_up else None
        if found:
            return found
    return None


def fetch(delivery: Delivery) -> tuple[str, str]:
    """What became of a message: Twilio's status and an error; both empty when nobody can tell. Raises TryLater."""
    first = of(delivery.channel)[0]
    if first.fetch is None or delivery.provider_id.startswith(sms_http.NAME + ":"):
        return "", ""
    return first.fetch(delivery.provider_id)
