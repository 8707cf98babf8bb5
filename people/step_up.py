"""Value leaves the app only when who holds it has proved lately to be the person: step-up, as RFC 9470 calls it.

Signing in is a proof; so is a fresh code, or signing in anew at the company's provider. What an unproved session may still
give away is known from its token's row, which every request reads anyway.
"""

import hmac
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, Refusal
from notifications.models import Channel
from people import codes
from people.models import AccessToken, StepUpCode

FRESH = timedelta(minutes=settings.STEP_UP_MINUTES)


class StepUpRequired(Refusal):
    """Prove first that it is you: `request_step_up_code` and `step_up`. Then again, with the same key."""

    code = "step_up_required"
    status = 403
    is_final = False


class WrongCode(Refusal):
    """Not this code, or not any more."""

    code = "wrong_code"
    status = 422
    is_final = False


class TooManyCodes(Refusal):
    """So many codes went to this person already."""

    code = "too_many_codes"
    status = 429
    is_final = False


def proved_at(token: AccessToken) -> datetime:
    return token.proved_at or token.created_at


def fresh_until(token: AccessToken) -> datetime:
    return proved_at(token) + FRESH


def credits_max(token: AccessToken) -> int | None:
    """The most credits that this session may give away now without a new proof; None: as many as there are."""
    age = clock.real() - proved_at(token)
    if age <= FRESH:
        return None
    if settings.STEP_UP_DAYS and age > timedelta(days=settings.STEP_UP_DAYS):
        return 0
    return settings.STEP_UP_CREDITS or None


def refusal(credits_: int, allowed: int | None) -> StepUpRequired | None:
    """Why so many credits do not leave a session that may give away `allowed` (of `credits_max`)."""
    if allowed is None or credits_ <= allowed:
        return None
    challenge = f'Bearer error="insufficient_user_authentication", max_age={int(FRESH.total_seconds())}'
    return StepUpRequired(_("Confirm first that it is you."), challenge=challenge)


def send_code(request: HttpRequest, token: AccessToken, channel: str | None) -> str:
    """A code to HR's number or address of who is signed in; the one before works no more. Returns the channel.

    Raises Invalid when there is no such number or address, TooManyCodes.
    """
    person = token.person
    reachable = {Channel.SMS: codes.by_sms_to(person.mobile), Channel.EMAIL: bool(person.email)}
    ways = [str(way) for way, is_open in reachable.items() if is_open and channel in {None, way}]
    if not ways:
        raise Invalid(_("There is no number or address for a code."))
    code = codes.fresh()
    with transaction.atomic():
        fresh = {"digest": _digest(token, code), "expires_at": clock.real() + codes.LIFETIME, "tries": 0, "used_at": None}
        StepUpCode.objects.update_or_create(token=token, defaults=fresh)
        if not codes.send(request, person, ways[0], code):
            raise TooManyCodes(_("Too many codes. Try again later."), retry_after=3600)
    return ways[0]


def _digest(token: AccessToken, code: str) -> bytes:
    return salted_hmac("people.step_up", f"{token.pk}:{code}", algorithm="sha256").digest()


def confirm_code(token: AccessToken, code: str) -> AccessToken:
    """The session is fresh from now on; the same code again changes nothing. Raises WrongCode: another, too old, or the
    fourth try. Not to be called in a transaction that a refusal undoes, because that would forget the try."""
    at = clock.real()
    rows = StepUpCode.objects.filter(token=token, expires_at__gt=at)
    # Counted before it is compared: tries at the same time cannot share one.
    tried = rows.filter(tries__lt=StepUpCode.TRIES_MAX).update(tries=F("tries") + 1)
    kept = rows.first()
    if not tried or kept is None or not hmac.compare_digest(bytes(kept.digest), _digest(token, code)):
        raise WrongCode(_("This code is not right (any more)."))
    first = StepUpCode.objects.filter(pk=kept.pk, used_at__isnull=True).update(used_at=at)
    return confirm(token) if first else AccessToken.objects.get(pk=token.pk)


def confirm(token: AccessToken) -> AccessToken:
    """It was proved just now, by whatever way."""
    token.proved_at = clock.real()
    AccessToken.objects.filter(pk=token.pk).update(proved_at=token.proved_at)
    return token
