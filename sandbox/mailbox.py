"""The SMTP server that takes what the product sends and keeps it for the pretend mailboxes."""

import logging
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection
from django.db.models import F

from backend import clock
from sandbox.models import Letter

log = logging.getLogger(__name__)


class Catcher:
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            await sync_to_async(_keep_and_close)(envelope)
        except Exception:
            log.exception("mail not kept")
            return "451 4.3.0 not kept, try again"
        return "250 2.0.0 kept"


def _keep_and_close(envelope: Envelope) -> None:
    """The thread that this runs in is shared with nobody who would use its connection again."""
    close_old_connections()
    try:
        _keep(envelope)
    finally:
        connection.close()


def _keep(envelope: Envelope) -> None:
    raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
    mail: EmailMessage = message_from_bytes(raw, policy=policy.default)
    reply_to = getaddresses([str(mail.get("Reply-To") or mail.get("From") or "")])
    for to in envelope.rcpt_tos:
        provider_id = str(mail.get("Message-ID") or f"<{clock.real().timestamp()}@nowhere>").strip()
        fields = {
            "direction": Letter.Direction.TO_PERSON,
            "channel": "email",
            "address": to.lower(),
            "other": reply_to[0][1] if reply_to else "",
            "subject": str(mail.get("Subject") or ""),
            "body": _part(mail, "plain"),
            "html": _part(mail, "html"),
            "in_reply_to": str(mail.get("In-Reply-To") or ""),
            "status": "delivered",
            "created_at": clock.real(),
        }
        letter, fresh = Letter.objects.get_or_create(provider_id=provider_id, defaults=fields)
        if not fresh:
            Letter.objects.filter(pk=letter.pk).update(copies=F("copies") + 1)


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""


def controller(host: str, port: int) -> Controller:
    """The catcher, not started yet."""
    return Controller(Catcher(), hostname=host, port=port, ident="sandbox")
