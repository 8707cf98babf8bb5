"""One-time codes on their way to a person: who gets one, how many, and that nobody can tell who works here."""

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from allauth.core import ratelimit
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _

from backend.ids import uuid7
from notifications import outbox
from notifications.models import Channel
from people.models import Person

LIFETIME = timedelta(seconds=settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT)
TO_PERSON = "code_to_person"  # among ACCOUNT_RATE_LIMITS: all codes to one person, whichever way


def fresh() -> str:
    return f"{secrets.randbelow(1_000_000):06}"


def by_sms_to(number: str | None) -> bool:
    """Whether codes go to this number: only to countries where our people live, because fraudsters earn on the others."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number or ""))
    except phonenumbers.NumberParseException:
        return False
    return not settings.SMS_CODE_COUNTRIES or region in settings.SMS_CODE_COUNTRIES


def send(request: HttpRequest, person: Person, channel: str, code: str) -> bool:
    """To HR's number or address, once the transaction commits; False when nothing goes out, which took as long."""
    to = person.mobile if channel == Channel.SMS else person.email
    is_reachable = by_sms_to(to) if channel == Channel.SMS else bool(to)
    if not is_reachable or not ratelimit.consume(request, action=TO_PERSON, key=str(person.pk)):
        send_to_nobody(channel)
        return False
    with translation.override(person.language), transaction.atomic():
        outbox.enqueue(**_message(channel, str(to), code), person=person, language=person.language)
    return True


def send_to_nobody(channel: str) -> None:
    """As much work as a code that goes out, so that the time an answer takes does not tell who works here."""
    outbox.pretend(**_message(channel, "-", fresh()), language="nl")


def _words(channel: str, code: str) -> dict[str, str]:
    """The last line of an SMS lets iOS fill the code in for this host (https://developer.apple.com/documentation/security)."""
    values = {"code": code, "app": settings.MAIL_FROM_NAME}
    if channel == Channel.SMS:
        text = _("%(code)s is your code for %(app)s.") % values
        return {"body": f"{text}\n\n@{urlsplit(settings.PUBLIC_BASE_URL).hostname} #{code}"}
    body = _("%(code)s is your code for %(app)s. It works for five minutes. Not asked for it? Ignore it.") % values
    return {"subject": _("Your code: %(code)s") % values, "body": body}


def _message(channel: str, to: str, code: str) -> dict[str, Any]:
    words = _words(channel, code)
    return {"key": f"sign-in:{uuid7()}", "channel": channel, "to": to, "is_secret": True, "lifetime": LIFETIME, **words}
