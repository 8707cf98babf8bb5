"""A Twilio look-alike: the part of its Messages API that the real twilio client uses, over real HTTP.

After https://www.twilio.com/docs/messaging/api/message-resource. Status callbacks and inbound messages, with valid
signatures, are the courier's work. What is wrong with Twilio (`Switch`) and with a phone (`PhoneTrouble`) is a visitor's or
a test's choice.
"""

import base64
import hmac
import json
import logging
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.db import close_old_connections, connection

from backend import clock
from notifications import segments
from sandbox.models import Letter, PhoneTrouble, Switch

log = logging.getLogger(__name__)

MESSAGES = re.compile(r"^/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages(?:/((?:SM)[0-9a-f]{32}))?\.json$")
NUMBER = re.compile(r"^\+[1-9]\d{7,14}$")
COURIER_PAUSE = timedelta(milliseconds=300)
HANG_SECONDS = 15.0  # longer than our client waits

# trouble → HTTP status (0: no answer), Twilio's code, whether the message is taken all the same
TROUBLES: dict[str, tuple[int, int, bool]] = {
    "timeout": (201, 0, True),
    "cut": (0, 0, True),
    "rate_limit": (429, 20429, False),
    "server_error": (500, 20500, False),
    "server_error_taken": (500, 20500, True),
    "duplicates": (201, 0, True),  # every webhook comes twice: the courier's doing
    "no_callbacks": (201, 0, True),  # none comes at all
}
REFUSED = {
    PhoneTrouble.Kind.LANDLINE: (21614, "'To' number is not a valid mobile number"),
    PhoneTrouble.Kind.STOPPED: (21610, "Attempt to send to unsubscribed recipient"),
}


class Server(ThreadingHTTPServer):
    """`answer_delay_seconds`: how long a taken message waits for its answer, to try out time-outs and killed workers."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, answer_delay_seconds: float = 0.0) -> None:
        super().__init__((host, port), Handler)
        self.answer_delay_seconds = answer_delay_seconds


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave in two writes: held back for an acknowledgement they cost 40 ms
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the standard library's name
        log.debug(format, *args)

    def do_POST(self) -> None:  # noqa: N802 — the standard library's name
        fields = self._fields(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        self._answer(lambda: _create(fields))
        close_old_connections()

    def do_GET(self) -> None:  # noqa: N802 — the standard library's name
        parts = urlsplit(self.path)
        found = MESSAGES.match(parts.path)
        sid = found.group(2) if found else None
        self._answer(lambda: _fetch(sid) if sid else _list(self._fields(parts.query)))

    def _fields(self, encoded: str) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(encoded, keep_blank_values=True).items()}

    def _answer(self, work: Any) -> None:
        if not MESSAGES.match(urlsplit(self.path).path):
            self._send(404, _error(20404, "The requested resource was not found", 404))
        elif not self._is_signed_in():
            self._send(401, _error(20003, "Authenticate", 401))
        else:
            try:
                status, body = work()
            finally:
                connection.close()  # one thread a request: nobody would use this connection again
            if self.command == "POST" and self.server.answer_delay_seconds:
                time.sleep(self.server.answer_delay_seconds)
            if status:
                self._send(status, body)
            self.close_connection = not status

    def _is_signed_in(self) -> bool:
        wanted = base64.b64encode(f"{settings.TWILIO_ACCOUNT_SID}:{settings.TWILIO_AUTH_TOKEN}".encode()).decode()
        return hmac.compare_digest(self.headers.get("Authorization", ""), f"Basic {wanted}")

    def _send(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            log.info("the caller was gone before the answer")


def _error(code: int, message: str, status: int) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }


def _create(fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    to, body = fields.get("To", ""), fields.get("Body", "")
    if not NUMBER.match(to):
        return 400, _error(21211, f"Invalid 'To' Phone Number: {to}", 400)
    if not body or len(body) > 1600:
        code = 21617 if body else 21602
        return 400, _error(code, "The message body is missing or too long", 400)
    phone = PhoneTrouble.objects.filter(number=to).values_list("kind", flat=True).first()
    if phone in REFUSED:
        return 400, _error(*REFUSED[PhoneTrouble.Kind(phone)], 400)
    kind = trouble()
    status, code, is_taken = TROUBLES.get(kind, (201, 0, True))
    body_out = _resource(_take(fields)) if is_taken else {}
    if kind == "timeout":
        connection.close()
        time.sleep(HANG_SECONDS)
    return status, body_out if status == 201 else _error(code, f"{kind}, as switched on in the sandbox", status)


def trouble() -> str:
    """What is wrong with Twilio at the moment; empty for nothing."""
    return Switch.objects.filter(provider="twilio").values_list("trouble", flat=True).first() or ""


def _take(fields: dict[str, str]) -> Letter:
    at = clock.real()
    return Letter.objects.create(
        direction=Letter.Direction.TO_PERSON,
        channel="sms",
        provider_id=new_sid(),
        address=fields["To"],
        other=fields.get("From", ""),
        body=fields["Body"],
        status_callback=fields.get("StatusCallback", ""),
        status="queued",
        created_at=at,
        next_at=at + COURIER_PAUSE,
    )


def new_sid() -> str:
    return f"SM{secrets.token_hex(16)}"


def _fetch(sid: str) -> tuple[int, dict[str, Any]]:
    letter = Letter.objects.filter(provider_id=sid).first()
    return (200, _resource(letter)) if letter else (404, _error(20404, "The message was not found", 404))


def _list(fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    rows = Letter.objects.filter(channel="sms", direction=Letter.Direction.TO_PERSON).order_by("-id")
    if fields.get("To"):
        rows = rows.filter(address=fields["To"])
    since = fields.get("DateSent>")
    if since:
        rows = rows.filter(created_at__gte=datetime.fromisoformat(since.replace("Z", "+00:00")).astimezone(UTC))
    found = [_resource(letter) for letter in rows[: int(fields.get("PageSize", "50"))]]
    return 200, {"messages": found, "page": 0, "page_size": 50, "next_page_uri": None, "uri": "", "start": 0, "end": 0}


def _resource(letter: Letter) -> dict[str, Any]:
    sent = format_datetime(letter.created_at)
    return {
        "sid": letter.provider_id,
        "account_sid": settings.TWILIO_ACCOUNT_SID,
        "to": letter.address,
        "from": letter.other,
        "body": letter.body,
        "status": letter.status,
        "direction": "outbound-api",
        "date_created": sent,
        "date_updated": sent,
        "date_sent": sent,
        "error_code": letter.data.get("error_code"),
        "error_message": None,
        "num_segments": str(segments.count(letter.body)),
        "num_media": "0",
        "price": None,
        "price_unit": "EUR",
        "api_version": "2010-04-01",
        "messaging_service_sid": None,
        "uri": f"/2010-04-01/Accounts/{settings.TWILIO_ACCOUNT_SID}/Messages/{letter.provider_id}.json",
        "subresource_uris": {},
    }
