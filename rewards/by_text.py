"""Value asked for by SMS or mail is confirmed by four digits that go where we know the person: three tries, ten minutes,
once. A sender can be forged, the phone or mailbox that gets the digits cannot."""

import hmac
import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from backend import clock
from notifications import outbox, segments
from notifications.models import Channel
from notifications.verbs import Command
from people.models import Person
from rewards import days, gifts, kudos, limits, sharing
from rewards.models import Offer, PendingByText

VALID_FOR = timedelta(minutes=10)
ASKED_PER_DAY_MAX = 20  # a forged sender must not run up our bill


def ask_digits(command: Command, what: str, **wanted: Any) -> None:
    """Keep what is wanted and send the digits; what waited before is forgotten. `what` says it in the person's language.

    Raises LimitReached.
    """
    person, message_key = command.person, command.message_key
    at = clock.now()
    limits.take({f"by-text:{person.pk}:{days.day_of(at)}": ASKED_PER_DAY_MAX})
    digits = f"{secrets.randbelow(10_000):04}"
    PendingByText.objects.update_or_create(
        person=person,
        defaults={
            "offer": None,
            "colleague": None,
            "credits": 0,
            "note": "",
            **wanted,
            "digest": _digest(message_key, digits),
            "tries_left": PendingByText.TRIES,
            "request_key": message_key,
            "expires_at": at + VALID_FOR,
        },
    )
    body = _("%(what)s? Reply GIVE %(digits)s within 10 minutes.") % {"what": what, "digits": digits}
    _send(command, body, _("Your digits"), key=f"{message_key}:digits", lifetime=VALID_FOR)


def _digest(message_key: str, digits: str) -> bytes:
    return hmac.digest(f"by-text:{settings.VOUCHER_KEY}".encode(), f"{message_key}:{digits}".encode(), sha256)


def _send(command: Command, body: str, subject: str, *, key: str, lifetime: timedelta) -> None:
    """By the way the command came, to where we know the person: that is their own address, whoever wrote."""
    person: Person = command.person
    is_mail = command.channel == Channel.EMAIL
    mail: dict[str, Any] = {"subject": subject, "reply_key": "doe"} if is_mail else {}
    outbox.enqueue(
        key=key,
        channel=command.channel,
        to=str(person.email if is_mail else person.mobile),
        person=person,
        language=person.language,
        body=body if is_mail else segments.plain(body),
        is_secret=True,
        lifetime=lifetime,
        **mail,
    )


def confirm(command: Command, digits: str) -> str:
    """The digits came back: do it, and return the sentence for the person (empty when it went by a message of its own).

    A wrong try costs one of three, so it is answered and not refused: a refusal would undo the counting.
    """
    person: Person = command.person
    waiting = PendingByText.objects.filter(person=person, tries_left__gt=0, expires_at__gt=clock.now())
    if not waiting.update(tries_left=F("tries_left") - 1):
        return _("There is nothing to confirm. Ask again.")
    pending = PendingByText.objects.select_related("offer", "colleague").get(person=person)
    if not hmac.compare_digest(bytes(pending.digest), _digest(pending.request_key, digits)):
        return _("These digits are wrong. Tries left: %(left)s.") % {"left": pending.tries_left}
    with transaction.atomic():
        PendingByText.objects.filter(pk=pending.pk).delete()
        return _do(command, pending)


def _do(command: Command, pending: PendingByText) -> str:
    person: Person = command.person
    if pending.colleague is not None:
        kudos.thank(person, pending.colleague, pending.note, credits_=pending.credits, request_key=pending.request_key)
        return _("%(name)s has your thanks and %(credits)s credits.") % {
            "name": pending.colleague.first_name,
            "credits": pending.credits,
        }
    offer: Offer | None = pending.offer
    assert offer is not None  # noqa: S101 — a constraint says: a gift or credits
    gift = gifts.hand_out(person, offer.pk, request_key=pending.request_key, note=pending.note)
    _send(
        command,
        sharing.share_text(gift),
        gift.offer.title(person.language),
        key=f"{gift.subject}:link",
        lifetime=outbox.LIFETIME,
    )
    return ""
