"""The whole product as real processes, to be killed. Looked at only from outside: HTTP, the pretend phones, SQL."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import requests

from backend import embedded

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 90.0
PORTS = ("WEB_PORT", "LIVE_PORT", "SANDBOX_TWILIO_PORT", "SANDBOX_FCM_PORT", "SANDBOX_SMTP_PORT", "MAIL_IN_PORT")
WHO = {  # how each program can be told from its command line
    "worker": b"celery\0-A\0backend\0worker",
    "beat": b"celery\0-A\0backend\0beat",
    "web": b"backend.wsgi",
    "mail-in": b"receive_mail",
    "sandbox": b"manage.py\0sandbox",
}


class Stack:
    """`manage.py up --demo --no-journey` in a folder of its own, with short leases."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        ports = {name: str(embedded.free_port()) for name in PORTS}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}},
            **ports,
            "VAR_DIR": str(var),
            "ENVIRONMENT": "development",
            "DELIVERY_LEASE_SECONDS": "6",
            "DELIVERY_UNKNOWN_SECONDS": "2",
            "SWEEP_SECONDS": "1",
            **environment,
        }
        self.base = f"http://127.0.0.1:{ports['WEB_PORT']}"
        self.up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "up.log").open("ab") as log:
            self.up = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--demo", "--no-journey"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, "the stack to be ready", READY_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base}/api/v1/health", timeout=2).ok
        except requests.RequestException:
            return False

    def stop(self) -> None:
        if self.up is not None:
            self.up.send_signal(signal.SIGINT)
            assert self.up.wait(60) == 0
            self.up = None

    def kill(self, who: str) -> None:
        """kill -9 every process of this program that belongs to this stack, as soon as it runs."""
        for pid in self.until(lambda: self.pids(who), f"{who} to run"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pids(self, who: str) -> list[int]:
        if who == "valkey":  # it writes its title over its environment, so that it cannot be told by that
            pid = embedded._valkey_pid(self.var)
            return [pid] if pid else []
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if WHO[who] not in (entry / "cmdline").read_bytes():
                    continue
                ours = f"VAR_DIR={self.var}".encode() in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if ours:
                found.append(int(entry.name))
        return found

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(embedded.locate(self.var).database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def text(self, number: str, body: str, sid: str) -> None:
        """Type an SMS on a pretend phone: the courier hands it in, again and again until it is taken."""
        self.sql(
            "INSERT INTO sandbox_letter (direction, channel, provider_id, address, other, subject, body, html, in_reply_to,"
            " status_callback, status, copies, created_at, next_at, tries, data) VALUES ('from_person', 'sms', %s, %s,"
            " '+3197005555555', '', %s, '', '', '', 'waiting', 1, now(), now(), 0, '{}')",
            *(sid, number, body),
        )

    def until(self, look: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"waited in vain for {what}; see {self.var}")
