"""Value asked for by SMS is confirmed by four digits that go to the phone HR knows: three tries, ten minutes, once."""

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
from backend.errors import Invalid
from notifications import outbox, segments
from people.models import Person
from rewards import days, gifts, kudos, limits, sharing
from rewards.models import Offer, PendingByText

VALID_FOR = timedelta(minutes=10)
ASKED_PER_DAY_MAX = 20  # a forged sender must not run up our bill


def ask_digits(person: Person, what: str, message_key: str, **wanted: Any) -> None:
    """Keep what is wanted and send the digits; what waited before is forgotten. `what` says it in the person's language.

    Raises LimitReached, Invalid for somebody without a mobile number.
    """
    if not person.mobile:
        raise Invalid(_("HR has no mobile number of you."))
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
    _send(person, body, key=f"{message_key}:digits", lifetime=VALID_FOR)


def _digest(message_key: str, digits: str) -> bytes:
    return hmac.digest(f"by-text:{settings.VOUCHER_KEY}".encode(), f"{message_key}:{digits}".encode(), sha256)


def _send(person: Person, body: str, *, key: str, lifetime: timedelta) -> None:
    outbox.enqueue(
        key=key,
        channel="sms",
        to=str(person.mobile),
        person=person,
        language=person.language,
        body=segments.plain(body),
        is_secret=True,
        lifetime=lifetime,
    )


def confirm(person: Person, digits: str) -> str:
    """The digits came back: do it, and return the sentence for the person (empty when it went by a message of its own).

    A wrong try costs one of three, so it is answered and not refused: a refusal would undo the counting.
    """
    waiting = PendingByText.objects.filter(person=person, tries_left__gt=0, expires_at__gt=clock.now())
    if not waiting.update(tries_left=F("tries_left") - 1):
        return _("There is nothing to confirm. Ask again.")
    pending = PendingByText.objects.select_related("offer", "colleague").get(person=person)
    if not hmac.compare_digest(bytes(pending.digest), _digest(pending.request_key, digits)):
        return _("These digits are wrong. Tries left: %(left)s.") % {"left": pending.tries_left}
    with transaction.atomic():
        PendingByText.objects.filter(pk=pending.pk).delete()
        return _do(person, pending)


def _do(person: Person, pending: PendingByText) -> str:
    if pending.colleague is not None:
        kudos.thank(person, pending.colleague, pending.note, credits_=pending.credits, request_key=pending.request_key)
        return _("%(name)s has your thanks and %(credits)s credits.") % {
            "name": pending.colleague.first_name,
            "credits": pending.credits,
        }
    offer: Offer | None = pending.offer
    assert offer is not None  # noqa: S101 — a constraint says: a gift or credits
    gift = gifts.hand_out(person, offer.pk, request_key=pending.request_key, note=pending.note)
    _send(person, sharing.share_text(gift), key=f"{gift.subject}:link", lifetime=outbox.LIFETIME)
    return ""
