"""What people do on the sandbox page: all of it goes through the product's real entrances."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from backend.manners import BadRequest
from people.models import Person
from sandbox import acting, fcm, twilio
from sandbox.models import Letter, PhoneTrouble, Switch

TEXT_CHARACTERS = 1600  # what Twilio takes
MAIL_CHARACTERS = 20_000
SUBJECT_CHARACTERS = 200
ID_MAX = 2**53  # what JavaScript can count to
CLOCK_HOURS_MAX = 24 * 60
Body = dict[str, Any]


def _acting(act: Callable[[Body], Body]) -> Callable[[HttpRequest], HttpResponse]:
    """A POST endpoint: the JSON body in, `act`'s result out with 201, a Refusal as `{"error": …}`."""

    @require_POST
    @functools.wraps(act)
    def view(request: HttpRequest) -> HttpResponse:
        try:
            return JsonResponse(act(_body(request)), status=201)
        except Refusal as refusal:
            return JsonResponse({"error": refusal.message, "code": refusal.code}, status=refusal.status)

    return view


def _body(request: HttpRequest) -> Body:
    """orjson and not json: it refuses lone surrogates, which PostgreSQL could not store."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _string(body: Body, name: str, limit: int, *, needed: bool = True) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > limit:
        raise Invalid(f"{name} must be a text of at most {limit} characters")
    if any(char < " " and char not in "\n\r\t" for char in value):
        raise Invalid(f"{name} must not hold control characters")
    if needed and not value.strip():
        raise Invalid(f"{name} must not be empty")
    return value.strip()


def _check_known(channel: str, address: str) -> None:
    """Only people of the demo, and friends whom the product wrote to, can be acted for."""
    person = {"mobile": address} if channel == "sms" else {"email": address}
    written_to = Letter.objects.filter(address=address, channel=channel, direction=Letter.Direction.TO_PERSON)
    if not Person.objects.filter(**person).exists() and not written_to.exists():
        raise NotFound("nobody here has this number" if channel == "sms" else "nobody here has this address")


@_acting
def text(body: Body) -> Body:
    """Somebody texts from their pretend phone."""
    number, words_sent = _string(body, "number", 16), _string(body, "text", TEXT_CHARACTERS)
    _check_known("sms", number)
    return {"letter": acting.text(number, words_sent).pk}


@_acting
def mail(body: Body) -> Body:
    """Somebody writes a new mail from their pretend mailbox."""
    sender, to = _string(body, "sender", 254).lower(), _string(body, "to", 254).lower()
    subject = " ".join(_string(body, "subject", SUBJECT_CHARACTERS, needed=False).split())
    words_sent = _string(body, "text", MAIL_CHARACTERS)
    _check_known("email", sender)
    try:
        validate_email(to)
    except ValidationError as error:
        raise Invalid("to is not a mail address") from error
    if not to.endswith(f"@{settings.MAIL_DOMAIN}"):
        raise Invalid(f"mail from here goes to addresses at {settings.MAIL_DOMAIN} only")
    return {"letter": acting.mail(sender, to, subject, words_sent).pk}


@_acting
def reply(body: Body) -> Body:
    """Somebody answers a mail in their pretend mailbox."""
    pk, words_sent = body.get("letter"), _string(body, "text", MAIL_CHARACTERS)
    if not isinstance(pk, int) or isinstance(pk, bool) or not 0 < pk < ID_MAX:
        raise Invalid("letter must be the number of a letter")
    letter = Letter.objects.filter(pk=pk, channel="email", direction=Letter.Direction.TO_PERSON).first()
    if letter is None:
        raise NotFound("there is no such mail")
    return {"letter": acting.reply(letter, words_sent).pk}


@_acting
def app(body: Body) -> Body:
    """The app is put on somebody's pretend phone (`on`), or removed. What it gets is the address that Firebase gives it.

    Signing in and registering is the app's own work, through the product's API.
    """
    number, is_on = _string(body, "number", 16), body.get("on")
    if not isinstance(is_on, bool):
        raise Invalid("on must be true or false")
    if not Person.objects.filter(mobile=number).exists():
        raise NotFound("nobody here has this number")
    if is_on:
        return {"token": fcm.install(number)}
    fcm.uninstall(number)
    return {}


@_acting
def trouble(body: Body) -> Body:
    """A provider answers as if something were wrong; empty for nothing."""
    known = {"fcm": list(fcm.TROUBLES), "twilio": list(twilio.TROUBLES)}
    provider, kind = _string(body, "provider", 8), _string(body, "kind", 20, needed=False)
    if provider not in known:
        raise Invalid(f"provider must be one of {', '.join(known)}")
    if kind and kind not in known[provider]:
        raise Invalid(f"kind must be one of {', '.join(known[provider])}")
    Switch.objects.update_or_create(provider=provider, defaults={"trouble": kind})
    return {"kind": kind}


@_acting
def phone(body: Body) -> Body:
    """Something is wrong with somebody's phone; empty for nothing. `app_removed` takes the app off it."""
    number, kind = _string(body, "number", 16), _string(body, "kind", 20, needed=False)
    _check_known("sms", number)
    if kind and kind not in {*PhoneTrouble.Kind.values, "app_removed"}:
        raise Invalid(f"kind must be one of {', '.join(PhoneTrouble.Kind.values)}, app_removed")
    if kind == "app_removed":
        fcm.uninstall(number)
    elif kind:
        PhoneTrouble.objects.update_or_create(number=number, defaults={"kind": kind})
    else:
        PhoneTrouble.objects.filter(number=number).delete()
    return {"kind": kind}


@_acting
def move_clock(body: Body) -> Body:
    """Let hours go by, or go back to real time (`hours` 0)."""
    hours = body.get("hours")
    if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 <= hours <= CLOCK_HOURS_MAX:
        raise Invalid(f"hours must be a number from 0 to {CLOCK_HOURS_MAX}")
    if hours and clock.offset() + timedelta(hours=hours) > timedelta(hours=CLOCK_HOURS_MAX):
        raise Invalid("the clock is far enough ahead; go back to real time first")
    if hours:
        clock.move(timedelta(hours=hours))
    else:
        clock.reset()
    return {"now": clock.now().isoformat(), "ahead_seconds": round(clock.offset().total_seconds())}
