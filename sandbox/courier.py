"""Carries letters: status callbacks for what the product sent, and what people typed to the product's real entrances."""

import logging
import smtplib
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate

import requests
from django.conf import settings
from django.db import transaction
from twilio.request_validator import RequestValidator

from backend import clock
from notifications import segments
from sandbox import twilio
from sandbox.models import Letter, PhoneTrouble
from sandbox.twilio import COURIER_PAUSE

log = logging.getLogger(__name__)

BATCH = 50
TRIES_MAX = 60
TIMEOUT_SECONDS = 15  # Twilio's own patience with a webhook
FOLLOWING = {"queued": "sent", "sent": "delivered"}
UNREACHABLE = 30003


def carry_due() -> int:
    """One round of the courier; returns how many letters moved or were tried."""
    at = clock.real()
    with transaction.atomic():
        rows = list(Letter.objects.select_for_update(skip_locked=True).filter(next_at__lte=at).order_by("next_at")[:BATCH])
        wait = at + timedelta(seconds=TIMEOUT_SECONDS * 2)
        Letter.objects.filter(pk__in=[row.pk for row in rows]).update(next_at=wait)
    for letter in rows:
        _carry(letter)
    return len(rows)


def _carry(letter: Letter) -> None:
    try:
        status = _step(letter)
    except (requests.RequestException, OSError, smtplib.SMTPException, ValueError) as error:
        _again(letter, str(error))
        return
    more = letter.direction == Letter.Direction.TO_PERSON and status in FOLLOWING
    Letter.objects.filter(pk=letter.pk).update(status=status, next_at=clock.real() + COURIER_PAUSE if more else None)


def _again(letter: Letter, error: str) -> None:
    log.info("courier tries again letter=%s error=%s", letter.pk, error)
    pause = timedelta(seconds=min(2**letter.tries, 30) / 2)
    next_at = clock.real() + pause if letter.tries < TRIES_MAX else None
    Letter.objects.filter(pk=letter.pk).update(tries=letter.tries + 1, next_at=next_at)


def _step(letter: Letter) -> str:
    """Do what is next for this letter; returns its new status. Raises what the wire raises."""
    if letter.direction == Letter.Direction.TO_PERSON:
        status = _next_status(letter)
        if letter.status_callback:
            _post(letter.status_callback, status_fields(letter, status))
        return status
    if letter.channel == "sms":
        _post(f"{settings.PUBLIC_BASE_URL}/webhooks/twilio/sms", inbound_fields(letter))
    else:
        _mail(letter)
    return "passed"


def _next_status(letter: Letter) -> str:
    """One further; a phone without coverage gets nothing."""
    status = FOLLOWING[letter.status]
    lost = PhoneTrouble.objects.filter(number=letter.address, kind=PhoneTrouble.Kind.NO_COVERAGE)
    if status != "delivered" or not lost.exists():
        return status
    letter.data = {"error_code": UNREACHABLE}
    Letter.objects.filter(pk=letter.pk).update(data=letter.data)
    return "undelivered"


def status_fields(letter: Letter, status: str) -> dict[str, str]:
    """What Twilio posts to the StatusCallback."""
    fields = {**_common(letter), "MessageStatus": status, "SmsStatus": status}
    return {**fields, "ErrorCode": str(letter.data["error_code"])} if status == "undelivered" else fields


def _common(letter: Letter) -> dict[str, str]:
    return {
        "MessageSid": letter.provider_id,
        "SmsSid": letter.provider_id,
        "AccountSid": settings.TWILIO_ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "From": letter.other,
        "To": letter.address,
    }


def inbound_fields(letter: Letter) -> dict[str, str]:
    """What Twilio posts for a message that somebody sent to our number."""
    fields = {**_common(letter), "From": letter.address, "To": letter.other, "Body": letter.body}
    return {
        **fields,
        "NumMedia": "0",
        "NumSegments": str(segments.count(letter.body)),
        "FromCountry": "NL",
        "ToCountry": "NL",
    }


def _post(url: str, fields: dict[str, str]) -> None:
    kind = twilio.trouble()
    if kind == "no_callbacks" and "MessageStatus" in fields:
        return
    for _time in range(2 if kind == "duplicates" else 1):
        _post_once(url, fields)


def _post_once(url: str, fields: dict[str, str]) -> None:
    signature = RequestValidator(settings.TWILIO_AUTH_TOKEN).compute_signature(url, fields)
    response = requests.post(url, data=fields, headers={"X-Twilio-Signature": signature}, timeout=TIMEOUT_SECONDS)
    if response.status_code >= 500:
        raise requests.RequestException(f"webhook answered {response.status_code}")
    if response.status_code >= 400:
        log.warning("webhook refused url=%s status=%s", url, response.status_code)


def _mail(letter: Letter) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = letter.address, letter.other, letter.subject
    mail["Message-ID"], mail["Date"] = letter.provider_id, formatdate()
    if letter.in_reply_to:
        mail["In-Reply-To"] = mail["References"] = letter.in_reply_to
    mail.set_content(letter.body)
    host, port = settings.MAIL_IN_HOST, settings.MAIL_IN_PORT
    with smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS) as server:
        server.send_message(mail, from_addr=letter.address, to_addrs=[letter.other])
