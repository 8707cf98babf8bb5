"""A Firebase look-alike: the part of FCM's v1 API that the real firebase-admin client uses, over real HTTP.

After https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send and its error codes. An address lives
while the app is on a pretend phone. What comes again with the same collapse key takes the older one's place, as on a phone.
"""

import json
import logging
import re
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.db import close_old_connections, connection

from backend import clock
from sandbox.models import App, Letter, Switch

log = logging.getLogger(__name__)

SEND = re.compile(r"^/v1/projects/([\w-]+)/messages:send$")
PAYLOAD_BYTES = 4096
HANG_SECONDS = 15.0
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
Answer = tuple[int, dict[str, Any], dict[str, str]]

# trouble → HTTP status, Google's status, FCM's error code, whether the phone got it all the same
TROUBLES: dict[str, tuple[int, str, str, bool]] = {
    "unregistered": (404, "NOT_FOUND", "UNREGISTERED", False),
    "sender_mismatch": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", False),
    "invalid_token": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", False),
    "third_party_auth": (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", False),
    "quota": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", False),
    "internal": (500, "INTERNAL", "INTERNAL", False),
    "unavailable": (503, "UNAVAILABLE", "UNAVAILABLE", False),
    "wrong_project": (404, "NOT_FOUND", "", False),
    "forbidden": (403, "PERMISSION_DENIED", "", False),
    "timeout": (200, "", "", True),
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), Handler)
        self.requests = 0  # every POST that came in, answered or not


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the standard library's name
        log.debug(format, *args)

    def do_POST(self) -> None:  # noqa: N802 — the standard library's name
        self.server.requests += 1
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        close_old_connections()
        try:
            status, body, headers = self._answer(raw)
        finally:
            connection.close()  # one thread a request: nobody would use this connection again
        self._send(status, body, headers)

    def _answer(self, raw: bytes) -> Answer:
        if self.path == "/token":
            return token(raw)
        if not SEND.match(self.path):
            return error(404, "NOT_FOUND", "The requested URL was not found on this server.")
        try:
            message = json.loads(raw)["message"]
            return accept(message)
        except (ValueError, KeyError, TypeError):
            return error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", violation="message")

    def _send(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            log.info("the caller was gone before the answer")


def token(raw: bytes) -> Answer:
    """Google's OAuth endpoint: an access token for what a service account has signed."""
    if b"assertion=" not in raw:
        return 400, {"error": "invalid_grant", "error_description": "Bad Request"}, {}
    return 200, {"access_token": "ya29.sandbox", "expires_in": 3599, "token_type": "Bearer"}, {}


def accept(message: dict[str, Any]) -> Answer:
    """Judge a message as Firebase does, and put it on the phone."""
    if any(not isinstance(value, str) for value in message.get("data", {}).values()):
        return error(400, "INVALID_ARGUMENT", "Invalid value (TYPE_STRING)", violation="message.data")
    if len(json.dumps(message, ensure_ascii=False).encode()) > PAYLOAD_BYTES:
        return error(400, "INVALID_ARGUMENT", "Message is too big", "INVALID_ARGUMENT", violation="message")
    trouble = Switch.objects.filter(provider="fcm").values_list("trouble", flat=True).first() or ""
    status, name, code, arrives = TROUBLES.get(trouble, (200, "", "", True))
    if status != 200:
        return error(status, name, f"{trouble}, as switched on in the sandbox", code)
    app = App.objects.filter(token=message.get("token") or message.get("fid"), removed_at__isnull=True).first()
    if app is None:
        return error(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED")
    letter = show(app, message) if arrives else None
    if trouble == "timeout":
        connection.close()
        time.sleep(HANG_SECONDS)
    return 200, {"name": letter.provider_id if letter else ""}, {}


def show(app: App, message: dict[str, Any]) -> Letter:
    """On the phone's lock screen; an older push with the same collapse key is gone from there."""
    key = str(message.get("android", {}).get("collapse_key", ""))
    shown = Letter.objects.filter(channel="push", other=app.token, data__android__collapse_key=key)
    if key:
        shown.exclude(status="replaced").update(status="replaced")
    return Letter.objects.create(
        direction=Letter.Direction.TO_PERSON,
        channel="push",
        provider_id=f"projects/sandbox/messages/{secrets.token_hex(12)}",
        address=app.number,
        other=app.token,
        subject=str(message.get("notification", {}).get("title", ""))[:300],
        body=str(message.get("notification", {}).get("body", "")),
        data=message,
        status="delivered",
        created_at=clock.real(),
    )


def error(status: int, name: str, text: str, code: str = "", *, violation: str = "") -> Answer:
    details: list[dict[str, Any]] = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    if violation:
        details.append({"@type": BAD_REQUEST, "fieldViolations": [{"field": violation, "description": text}]})
    headers = {"Retry-After": "60"} if status == 429 else {}
    return status, {"error": {"code": status, "message": text, "status": name, "details": details}}, headers


# --- the app on a pretend phone ----------------------------------------------------------------------------------------


def install(number: str) -> str:
    """Put the app on the phone; returns the token that Firebase gives it."""
    uninstall(number)
    token = f"{secrets.token_urlsafe(16)}:APA91b{secrets.token_urlsafe(96)}"
    App.objects.create(token=token, number=number, installed_at=clock.real())
    return token


def uninstall(number: str) -> bool:
    """Take the app off the phone: its token is dead from now on. False when it was not there."""
    there = App.objects.filter(number=number, removed_at__isnull=True)
    return bool(there.update(removed_at=clock.real()))
