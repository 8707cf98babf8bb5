"""`manage.py receive_mail`: the SMTP server that takes mail for our domain."""

import logging
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from backend import pulse
from backend.stopping import Stop
from notifications import inbound
from notifications.inbound import mail
from notifications.models import Channel

log = logging.getLogger(__name__)

SIZE_BYTES = 26_214_400
RECIPIENTS_MAX = 50


class Receiver:
    """Says 250 only after the mail is committed; anything that goes wrong before is 451, and the sender tries again."""

    async def handle_RCPT(  # noqa: N802 — aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.lower().endswith("@" + settings.MAIL_DOMAIN):
            return "550 5.7.1 we take mail for our own domain only"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            await sync_to_async(self._store)(envelope)
        except Exception:
            log.exception("mail not stored")
            return "451 4.3.0 not stored, try again"
        return "250 2.0.0 stored"

    @staticmethod
    def _store(envelope: Envelope) -> None:
        close_old_connections()  # a connection that broke since the last mail is replaced
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        if not envelope.mail_from:  # a bounce: say so in a header that the reader of the mail looks at
            raw = b"Return-Path: <>\r\n" + raw
        inbound.store(Channel.EMAIL, raw=raw, **mail.identify(raw, list(envelope.rcpt_tos)))


def controller(host: str, port: int) -> Controller:
    """The listener, not started yet."""
    return Controller(Receiver(), hostname=host, port=port, data_size_limit=SIZE_BYTES, ident="mail")


class Command(BaseCommand):
    help = "Take mail for our domain by SMTP, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        server = controller(settings.MAIL_IN_HOST, settings.MAIL_IN_PORT)
        server.start()
        pulse.start("mail-in")
        self.stdout.write(f"mail in on {settings.MAIL_IN_HOST}:{settings.MAIL_IN_PORT}")
        stop.wait()
        server.stop()
