"""The friend's own address, for answers that go straight to them: entering it and confirming a code is the consent."""

import hashlib
import hmac
import secrets
from datetime import timedelta

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, Refusal
from notifications import outbox
from notifications.models import Delivery
from questions import after, words
from questions.models import FriendAddress, Question, record

CODES_MAX = 3  # a question: nobody can be pestered with codes through this page
KEPT_AFTER_CLOSE = timedelta(days=30)


class TooManyCodes(Refusal):
    code = "too_many_codes"
    status = 429


class WrongCode(Refusal):
    code = "wrong_code"
    status = 422


def read_address(text: str) -> tuple[str, str]:
    """(`email` or `sms`, the address in normal form). Raises Invalid."""
    text = text.strip()
    if "@" in text:
        try:
            validate_email(text)
        except ValidationError as error:
            raise Invalid(_("This is not a mail address.")) from error
        return "email", text.lower()
    try:
        number = phonenumbers.parse(text, "NL")
    except phonenumbers.NumberParseException as error:
        raise Invalid(_("Enter a mail address or a mobile number.")) from error
    if not phonenumbers.is_valid_number(number):
        raise Invalid(_("This is not a phone number."))
    return "sms", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@transaction.atomic
def ask_code(question: Question, address: str) -> FriendAddress:
    """Send a code to the address that the friend entered. Raises Invalid, TooManyCodes."""
    channel, value = read_address(address)
    question = Question.objects.select_for_update().get(pk=question.pk)
    if question.answer_mode != "direct":
        raise Invalid(_("The answer comes through the colleague you asked."))
    known = FriendAddress.objects.filter(question=question).first()
    if known and (known.confirmed_at or known.codes_sent >= CODES_MAX):
        raise TooManyCodes(_("No more codes can be sent for this question."))
    code = f"{secrets.randbelow(1_000_000):06}"
    friend, _fresh = FriendAddress.objects.update_or_create(
        question=question,
        defaults={
            "channel": channel,
            "value": value,
            "code_digest": _digest(question, code),
            "codes_sent": (known.codes_sent if known else 0) + 1,
            "tries_left": FriendAddress.TRIES,
            "asked_at": clock.now(),
        },
    )
    outbox.enqueue(
        key=f"question:{question.pk}:friend-code:{friend.codes_sent}",
        channel=channel,
        to=value,
        is_secret=True,
        language=question.language,
        lifetime=timedelta(minutes=FriendAddress.CODE_MINUTES),
        **words.friend_code(question, code),
    )
    return friend


def _digest(question: Question, code: str) -> bytes:
    """Keyed: six digits alone could be tried out by a reader of the table."""
    key = f"friend-code:{settings.SECRET_KEY}".encode()
    return hmac.digest(key, f"{question.pk}:{code}".encode(), hashlib.sha256)


def confirm(question: Question, code: str) -> FriendAddress:
    """The friend's consent. Three tries a code, fifteen minutes. An answer that exists already leaves at once."""
    at = clock.now()
    spent = FriendAddress.objects.filter(question=question, confirmed_at__isnull=True, tries_left__gt=0).update(
        tries_left=F("tries_left") - 1  # counted and committed before looking: parallel guesses cost a try each
    )
    friend = FriendAddress.objects.filter(question=question).first()
    right = friend and hmac.compare_digest(bytes(friend.code_digest), _digest(question, code.strip()))
    if not (spent and friend and right and friend.is_fresh(at)):
        raise WrongCode(_("This code is wrong or too old."))
    with transaction.atomic():
        locked = Question.objects.select_for_update().get(pk=question.pk)
        FriendAddress.objects.filter(pk=friend.pk, confirmed_at__isnull=True).update(confirmed_at=at)
        record(locked, "friend_confirmed", channel=friend.channel)
        after.send_to_friend(locked)
    friend.refresh_from_db()
    return friend


def purge() -> int:
    """Friends' addresses go 30 days after their question closed. Returns how many."""
    before = clock.now() - KEPT_AFTER_CLOSE
    closed = Question.objects.filter(state__in=["closed", "withdrawn"]).filter(
        events__kind__in=["closed", "withdrawn"], events__at__lt=before
    )
    going = list(FriendAddress.objects.filter(question__in=closed))
    for friend in going:  # where it was sent to is the address too
        sent = Delivery.objects.filter(channel=friend.channel, to=friend.value, person__isnull=True)
        sent.update(to="", body="", subject="")
        friend.delete()
    return len(going)
