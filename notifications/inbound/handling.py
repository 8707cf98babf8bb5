"""One stored message, handled once: the same transaction holds its effects, its reply and its new state."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from notifications import inbound, outbox, segments
from notifications.inbound import authentication, mail, sms
from notifications.inbound.outcome import Outcome
from notifications.models import Channel, Delivery, InboundMessage

log = logging.getLogger(__name__)

State = InboundMessage.State
ANSWERED = frozenset({State.HANDLED, State.REFUSED})  # to these a mail in return can be replied
STRANGERS_HOURLY = 60
STRANGER_SILENCE = timedelta(hours=24)  # a stranger hears one sentence a day: no loops, no bill


READ: dict[str, Callable[[InboundMessage], Outcome]] = {Channel.SMS: sms.handle, Channel.EMAIL: mail.handle}


def handle(message_id: UUID) -> None:
    """Handle one message if it is due and nobody else has it. Never raises: poison is quarantined after five tries."""
    if not inbound.take(message_id):
        return
    try:
        if not authentication.judge(message_id):
            return
        with transaction.atomic():
            message = InboundMessage.objects.select_for_update().get(pk=message_id)
            if message.attempts > inbound.ATTEMPTS_MAX:  # it took its worker along each time, so nobody could say so
                raise RuntimeError("tried too often")
            if message.state == State.RECEIVED:
                _settle(message, READ[message.channel](message))
    except Exception:
        log.exception("inbound message failed id=%s", message_id)
        _give_up_on_poison(message_id)


def _give_up_on_poison(message_id: UUID) -> None:
    with transaction.atomic():
        message = InboundMessage.objects.select_for_update().get(pk=message_id)
        if message.state != State.RECEIVED or message.attempts < inbound.ATTEMPTS_MAX:
            return
        with translation.override(settings.LANGUAGE_CODE):
            sorry = _("We could not read your message. A colleague will look at it; nothing is lost.")
        _settle(message, Outcome(State.QUARANTINED, sorry, "poison"))


def _settle(message: InboundMessage, outcome: Outcome) -> None:
    message.settle(
        outcome.state,
        reason=outcome.reason,
        person_id=getattr(outcome.held_for or outcome.person, "pk", None),
        text=outcome.text,
        at=clock.now(),
    )
    if outcome.reply and not _heard_enough(message, outcome):
        _reply(message, outcome)


def _heard_enough(message: InboundMessage, outcome: Outcome) -> bool:
    """Strangers (and poison from strangers) get one sentence a day each, and few an hour all together.

    Senders can be forged: without the second limit a wave of spam would make us write to everybody it names.
    """
    if outcome.person is not None or outcome.is_counted:
        return False
    hour_ago = UUID(int=int((clock.real() - timedelta(hours=1)).timestamp() * 1000) << 80)  # ids begin with their time
    to_strangers = Delivery.objects.filter(pk__gte=hour_ago, key__startswith="inbound:", person__isnull=True)
    if to_strangers.count() >= STRANGERS_HOURLY:
        return True
    since = clock.real() - STRANGER_SILENCE
    return Delivery.objects.filter(
        channel=message.channel, to=message.sender, key__startswith="inbound:", created_at__gte=since
    ).exists()


def _reply(message: InboundMessage, outcome: Outcome) -> None:
    reply(
        message,
        outcome.reply,
        person=outcome.person,
        key=f"inbound:{message.pk}:{outcome.state}",
        reply_key=outcome.reply_key or (message.reply_key if outcome.state in ANSWERED else ""),
    )


def reply(message: InboundMessage, text: str, *, person: Any, key: str, reply_key: str = "") -> None:
    """Say something to who wrote `message`, by the way it came."""
    language = person.language if person else settings.LANGUAGE_CODE
    words: dict[str, Any] = {"body": segments.plain(text)}
    if message.channel == Channel.EMAIL:
        words = {
            "body": text,
            "subject": mail.reply_subject(message, language),
            "in_reply_to": mail.message_id(message),
            "reply_key": reply_key if person else "",
        }
    outbox.enqueue(
        key=key,
        channel=message.channel,
        to=message.sender,
        person=person,
        language=language,
        **words,
    )
