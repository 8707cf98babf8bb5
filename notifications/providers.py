"""Who carries a message: for each channel the providers in order. The second SMS provider steps in for the first.

Only what was certainly not taken goes on to the next provider: after an unknown outcome both might send it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from backend import clock
from notifications import breakers, troubles
from notifications.channels import TryLater, Undeliverable, Unknown, email, push, sms
from notifications.models import Channel, Delivery


@dataclass(frozen=True)
class Provider:
    """`send` returns the provider's id; `look_up` the id under which it has a message, or None. Both raise TryLater."""

    name: str
    send: Callable[[Delivery], str]
    look_up: Callable[[Delivery], str | None] | None = None


class Down(TryLater):
    """Every provider of the channel is left alone for now: not tried at all."""


@cache
def _second_sms(path: str) -> Provider:
    """A class with `name`, `send(delivery)` and `look_up(delivery)`, named by the environment."""
    made = import_string(path)()
    return Provider(made.name, made.send, made.look_up)


def of(channel: str) -> list[Provider]:
    if channel == Channel.EMAIL:
        return [Provider("mail", email.send)]
    if channel == Channel.PUSH:
        return [Provider("fcm", push.send)]
    first = Provider("twilio", sms.send, sms.look_up)
    return [first, _second_sms(settings.SMS_SECOND)] if settings.SMS_SECOND else [first]


def send(delivery: Delivery) -> str:
    """Hand the message to the first provider that takes it; returns its id. Raises TryLater, Undeliverable or Unknown."""
    channel, waits = delivery.channel, []
    trouble: TryLater | Undeliverable | None = None
    for provider in of(channel):
        until = breakers.opens_at(channel, provider.name) if channel != Channel.PUSH else None
        if until:
            waits.append(until)
            continue
        try:
            return _by(provider, delivery)
        except TryLater as error:
            trouble = trouble or error
        except Undeliverable as error:
            if not error.is_ours:
                raise
            troubles.report(channel, f"{channel}:account:{provider.name}", str(error))
            trouble = trouble or error
    if trouble:
        raise trouble
    raise Down("provider down", wait_seconds=(min(waits) - clock.real()).total_seconds())


def _by(provider: Provider, delivery: Delivery) -> str:
    channel = delivery.channel
    try:
        provider_id = provider.send(delivery)
    except Undeliverable:
        breakers.worked(channel, provider.name)  # it answered: the message is the trouble, or the address
        raise
    except (TryLater, Unknown) as error:
        if channel != Channel.PUSH:  # Firebase has a breaker of its own
            breakers.failed(channel, provider.name, str(error))
        raise
    breakers.worked(channel, provider.name)
    return provider_id


def look_up(delivery: Delivery) -> str | None:
    """The id under which any provider has this message; None when none knows it. Raises TryLater when one cannot say."""
    for provider in of(delivery.channel):
        found = provider.look_up(delivery) if provider.look_up else None
        if found:
            return found
    return None
