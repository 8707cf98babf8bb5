"""Where mail providers call: mail that came in, and what became of mail that left.

Open are the providers that the settings name, each with our secret; everything else does not exist. Anymail reads them.
What it leaves open is closed here: how large a call may be, and that a recorded call cannot be played again.
"""

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from anymail.signals import EventType, RejectReason
from anymail.signals import inbound as anymail_inbound
from anymail.signals import tracking as anymail_tracking
from django.conf import settings
from django.db import connection, transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

from backend import clock
from backend.manners import problem
from notifications import inbound, outcomes, sns, stops
from notifications.channels.email import address_is_dead
from notifications.inbound import mail
from notifications.models import Channel, Delivery, StopRecord

log = logging.getLogger(__name__)

# How old a signed call may be. Mailgun tries for eight hours and Amazon for one; for as long each is remembered.
FRESH = timedelta(hours=24)
AHEAD = timedelta(minutes=5)  # clocks differ
LATE_MAX = timedelta(days=7)  # longer no provider keeps a mail for us
SENDGRID_SIGNED = re.compile(r"@([\w.-]+) ?: ?pass\b")  # "{@example.com : pass}"
OURS = {"amazon_ses/inbound/": sns.Inbound.as_view(), "amazon_ses/tracking/": sns.Tracking.as_view()}


@csrf_exempt
def entrance(request: HttpRequest, path: str) -> HttpResponse:
    """A provider's call. 404 for a provider that is not ours, 413 for more than a mail may have."""
    provider = path.split("/")[0]
    if provider not in settings.MAIL_WEBHOOKS:
        return problem(404, "not_found", "There is nothing here.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return problem(413, "too_large", "A mail may have 25 MB.")
    try:
        found = resolve(f"/{path}", urlconf="notifications.anymail_urls")
    except Resolver404:
        return problem(404, "not_found", "There is nothing here.")
    view = OURS.get(path, found.func)
    with transaction.atomic():  # what fails frees the call's token, so that the provider may try again
        if request.method == "POST" and provider in STAMPS:
            stamp = STAMPS[provider](request)
            if stamp is None or not -AHEAD <= clock.real() - stamp[1] <= FRESH:
                return problem(403, "not_fresh", "This call is too old, or has no time.")
            if not _first_time(f"{provider}:{stamp[0]}"):
                return HttpResponse()  # it was done already, so the provider need not try again
        response: HttpResponse = view(request, *found.args, **found.kwargs)
        if response.status_code >= 400:  # noqa: PLR2004
            transaction.set_rollback(True)
        return response


def _first_time(key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_webhookcall (key, seen_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [key[:200], clock.real()],
        )
        return int(cursor.rowcount) == 1


def _mailgun_stamp(request: HttpRequest) -> tuple[str, datetime] | None:
    """(token, time) that Mailgun's signature covers."""
    try:
        is_json = request.content_type == "application/json"
        fields = json.loads(request.body)["signature"] if is_json else request.POST
        return str(fields["token"]), datetime.fromtimestamp(int(fields["timestamp"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _sns_stamp(request: HttpRequest) -> tuple[str, datetime] | None:
    try:
        fields = json.loads(request.body)
        at = datetime.fromisoformat(fields["Timestamp"].replace("Z", "+00:00"))
        return str(fields["MessageId"]), at if at.tzinfo else at.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


STAMPS = {"mailgun": _mailgun_stamp, "amazon_ses": _sns_stamp}


@receiver(anymail_inbound)
def mail_in(sender: Any, event: Any, esp_name: str, **_: Any) -> None:
    """A mail by a provider's webhook (its secret is checked). An exception here makes the provider try again."""
    message = event.message
    to = [message.envelope_recipient] if message.envelope_recipient else [a.addr_spec for a in message.to]
    raw = _raw(message)
    if message.envelope_sender == "":
        raw = b"Return-Path: <>\r\n" + raw
    at, known = _received_at(event.timestamp), mail.identify(raw, to)
    vouched = _vouched(esp_name, event, known["sender"].rpartition("@")[2])
    inbound.store(Channel.EMAIL, raw=raw, received_at=at, envelope={"provider": esp_name, "vouched": vouched}, **known)


def _vouched(provider: str, event: Any, writer: str) -> list[tuple[str, str]]:
    """(check that passed, domain), where a provider says it outside of the mail, in which its writer may say anything."""
    envelope_from = str(event.message.envelope_sender or "").rpartition("@")[2]
    if provider == "Amazon SES":
        receipt = event.esp_event.get("receipt", {})
        checked = {"dmarc": writer, "spf": envelope_from}
        return [(check, domain) for check, domain in checked.items() if _passed(receipt.get(f"{check}Verdict"))]
    if provider == "SendGrid":
        fields = event.esp_event.POST
        by_server = [("spf", envelope_from)] if fields.get("SPF", "").lower() == "pass" else []
        return by_server + [("dkim", domain) for domain in SENDGRID_SIGNED.findall(fields.get("dkim", ""))]
    return []


def _passed(verdict: Any) -> bool:
    return isinstance(verdict, dict) and verdict.get("status") == "PASS"


def _raw(message: Any) -> bytes:
    """The mail's bytes; of one that Python cannot write down again, what people see."""
    try:
        return bytes(message.as_bytes())
    except Exception:  # noqa: BLE001 — headers and charsets that the standard library read but cannot write
        log.warning("mail by webhook cannot be written as it came")
        plain = EmailMessage(policy=policy.SMTP)
        for name in ("From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "Return-Path"):
            plain[name] = " ".join(str(message.get(name, "")).encode("ascii", "ignore").decode().split())
        plain.set_content((message.text or message.html or "").encode("utf-8", "replace").decode())
        return plain.as_bytes()


def _received_at(at: datetime | None) -> datetime | None:
    """When the provider took the mail, if its call says so: our outage shall not cost the writer their time."""
    if at is None or at.tzinfo is None:
        return None
    late = clock.real() - at
    return clock.now() - late if timedelta() < late <= LATE_MAX else None


@receiver(anymail_tracking)
def mail_out(sender: Any, event: Any, **_: Any) -> None:
    """What became of a mail of ours: forward only, in whatever order calls arrive."""
    row = _delivery_of(event)
    if row is None:
        return
    provider_id = row.provider_id or f"<{row.pk}@{settings.MAIL_DOMAIN}>"
    reason = f"{event.event_type} {event.reject_reason or ''} {event.description or ''}".strip()[:200]
    if event.event_type in {EventType.QUEUED, EventType.SENT}:
        outcomes.note_status(row.pk, provider_id, "sent")
    elif event.event_type == EventType.DELIVERED:
        outcomes.note_status(row.pk, provider_id, "delivered")
    elif event.event_type == EventType.BOUNCED:
        outcomes.note_bounce(row.pk, reason, address_is_dead=_is_dead(event))
    elif event.event_type in {EventType.REJECTED, EventType.FAILED}:
        outcomes.note_status(row.pk, provider_id, "failed", reason)
    elif event.event_type == EventType.COMPLAINED:
        # It was called spam: write by other channels only.
        stops.stop(Channel.EMAIL, row.to, word="complained", source=StopRecord.Source.PROVIDER)
        outcomes.note_status(row.pk, provider_id, "delivered")


def _delivery_of(event: Any) -> Delivery | None:
    rows = Delivery.objects.filter(channel=Channel.EMAIL)
    try:
        return rows.filter(pk=UUID(str((event.metadata or {}).get("delivery", "")))).first()
    except ValueError:
        return rows.filter(provider_id=event.message_id).first() if event.message_id else None


def _is_dead(event: Any) -> bool:
    """A hard bounce. The mailbox's own server knows best; without its words the provider's count."""
    said = f"{event.mta_response or ''} {event.description or ''}"
    verdict = address_is_dead(said)
    if verdict is not None:
        return verdict
    soft = any(word in said.lower() for word in ("soft", "transient", "temporar", "mailbox full", "mailboxfull"))
    return event.reject_reason in {RejectReason.BOUNCED, RejectReason.INVALID} and not soft
