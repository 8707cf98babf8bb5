"""The SMTP server that takes mail for our domain and for no other.

It says 250 only after the mail is committed. Whatever may work next time is answered 4xx, so that the sender keeps the mail
and tries again, for days: an outage of ours loses nothing.
"""

import logging
import ssl
import time
from collections import Counter, deque
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections

from notifications import inbound
from notifications.inbound import mail
from notifications.models import Channel

log = logging.getLogger(__name__)

SIZE_BYTES = 26_214_400
LINE_BYTES = 1_048_576  # far beyond the standard's 998: programs that break it are answered 500 elsewhere, for ever
RECIPIENTS_MAX = 50
CONNECTIONS_MAX = 50  # each may hold a mail in memory
MINUTE_SECONDS = 60.0
PEERS_KNOWN_MAX = 10_000
NOBODY = frozenset({None, "", "<>"})  # aiosmtpd says <> where the standard means nothing
COMMANDS_MAX = {"*": 200, "MAIL": 1000, "RCPT": 20_000, "DATA": 1000, "RSET": 1000}  # in one connection


class Limits:
    """How many connections and how many mails a minute each peer has. Of this process alone."""

    def __init__(self, *, per_minute: int, connections: int) -> None:
        self.per_minute, self.connections = per_minute, connections
        self.open: Counter[str] = Counter()
        self.mails: dict[str, deque[float]] = {}

    def connect(self, peer: str) -> bool:
        if self.open.total() >= CONNECTIONS_MAX or self.open[peer] >= self.connections:
            return False
        self.open[peer] += 1
        return True

    def disconnect(self, peer: str) -> None:
        self.open[peer] -= 1
        if self.open[peer] <= 0:
            del self.open[peer]

    def may_send(self, peer: str) -> bool:
        now = time.monotonic()
        if len(self.mails) > PEERS_KNOWN_MAX:
            self.mails = {who: times for who, times in self.mails.items() if times[-1] > now - MINUTE_SECONDS}
        times = self.mails.setdefault(peer, deque())
        while times and times[0] <= now - MINUTE_SECONDS:
            times.popleft()
        if len(times) >= self.per_minute:
            return False
        times.append(now)
        return True


class Receiver:
    """What the server asks us: may this peer send, is this recipient ours, and here is a mail."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    async def handle_MAIL(  # noqa: N802 — aiosmtpd's name, as below
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.limits.may_send(peer_of(session)):
            return "450 4.7.1 too many mails from your address, try again in a minute"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.lower().endswith("@" + settings.MAIL_DOMAIN):
            return "550 5.7.1 we take mail for our own domain only"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            await sync_to_async(self._store)(envelope, peer_of(session), str(session.host_name or ""))
        except Exception:
            log.exception("mail not stored")
            return "451 4.3.0 not stored, try again"
        return "250 2.0.0 stored"

    async def handle_exception(self, error: Exception) -> str:
        log.error("smtp session broke", exc_info=error)
        return "451 4.3.0 something broke, try again"

    @staticmethod
    def _store(envelope: Envelope, peer: str, helo: str) -> None:
        close_old_connections()  # a connection that broke since the last mail is replaced
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        if envelope.mail_from in NOBODY:  # a bounce: say so in a header that the reader of the mail looks at
            raw = b"Return-Path: <>\r\n" + raw
        brought_by = {"peer": peer, "helo": helo[:255], "mail_from": (envelope.mail_from or "").strip("<>")[:320]}
        inbound.store(Channel.EMAIL, raw=raw, envelope=brought_by, **mail.identify(raw, list(envelope.rcpt_tos)))


class Server(SMTP):
    """aiosmtpd's server, with a limit on connections and without its limit on long lines."""

    line_length_limit = LINE_BYTES
    counted_as: str | None = None

    def connection_made(self, transport: Any) -> None:
        if self.counted_as is None:  # it comes a second time after STARTTLS
            peer = str((transport.get_extra_info("peername") or ("?",))[0])
            if not self.event_handler.limits.connect(peer):
                transport.write(b"421 4.7.0 too many connections, try again later\r\n")
                transport.close()
                return
            self.counted_as = peer
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.counted_as is None:
            return  # it was refused
        self.event_handler.limits.disconnect(self.counted_as)
        self.counted_as = None
        super().connection_lost(error)


class Listener(Controller):
    """Opens the port; each connection gets a server of its own."""

    def factory(self) -> Server:
        return Server(self.handler, **self.SMTP_kwargs)


def peer_of(session: Session) -> str:
    return str((session.peer or ("?",))[0])


def tls() -> ssl.SSLContext | None:
    """STARTTLS with the certificate of the environment; None without one."""
    if not settings.MAIL_IN_TLS_CERT:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.MAIL_IN_TLS_CERT, settings.MAIL_IN_TLS_KEY or None)
    return context


def controller(host: str, port: int) -> Controller:
    """The listener, not started yet."""
    limits = Limits(per_minute=settings.MAIL_IN_PER_MINUTE, connections=settings.MAIL_IN_CONNECTIONS)
    return Listener(
        Receiver(limits),
        hostname=host,
        port=port,
        server_hostname=settings.MAIL_DOMAIN,
        data_size_limit=SIZE_BYTES,
        enable_SMTPUTF8=True,
        command_call_limit=COMMANDS_MAX,
        tls_context=tls(),
        require_starttls=settings.MAIL_IN_TLS_REQUIRED,
        ident="mail",
    )
