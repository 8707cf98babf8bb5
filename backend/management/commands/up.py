"""`manage.py up`: everything in one command; one Ctrl-C stops all of it.

Services, migrations, web, live, worker, beat, mail in and, without providers, the sandbox. `--demo` loads the demo company
and plays one question's journey; `--throwaway` does that in a temporary folder on free ports and exits with its verdict.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend import embedded, processes
from backend.stopping import Stop

READY_SECONDS = 60.0
PORTS = ("WEB_PORT", "LIVE_PORT", "SANDBOX_TWILIO_PORT", "SANDBOX_FCM_PORT", "SANDBOX_SMTP_PORT", "MAIL_IN_PORT")


class Command(BaseCommand):
    help = "Run the whole product on this machine until Ctrl-C."
    requires_system_checks = ()  # they want the database, which starts here

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="load the demo company and play a question's journey")
        parser.add_argument("--no-journey", action="store_true", help="with --demo: load it, but play nothing")
        parser.add_argument("--throwaway", action="store_true", help="in a temporary folder; exit after the journey")

    def handle(
        self, *args: Any, demo: bool = False, no_journey: bool = False, throwaway: bool = False, **options: Any
    ) -> None:
        if throwaway and "CEO_THROWAWAY" not in os.environ:
            raise SystemExit(_in_throwaway_folder())
        self.began = time.monotonic()
        with only_one(settings.VAR_DIR):
            _free_ports()
            self._services()
            try:
                self._run(demo=demo, play=demo and not no_journey, throwaway=throwaway)
            finally:
                if settings.EMBEDDED:
                    embedded.stop(settings.VAR_DIR)

    def _say(self, text: str) -> None:
        self.stdout.write(f"{time.monotonic() - self.began:6.1f} s  {text}")
        self.stdout.flush()

    def _services(self) -> None:
        """Our own PostgreSQL and Valkey. When one had to move to another port, start over with the new address."""
        if not settings.EMBEDDED:
            return
        self._say("starting PostgreSQL and Valkey")
        running = embedded.start(settings.VAR_DIR)
        moved_database = settings.EMBEDDED_POSTGRES and running.database_url != settings.DATABASE_URL
        moved_redis = settings.EMBEDDED_VALKEY and running.redis_url != settings.REDIS_URL
        if moved_database or moved_redis:
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 — this very command

    def _run(self, *, demo: bool, play: bool, throwaway: bool) -> None:
        self._say("bringing the database up to date")
        call_command("migrate", verbosity=0, interactive=False)
        if demo:
            self._say("loading the demo company")
            call_command("demo", verbosity=0)
        self._say("starting web, live, worker, beat and mail")
        host, port = settings.WEB_HOST, settings.WEB_PORT
        children = processes.product(
            settings.VAR_DIR / "log", host=host, port=port, live_port=settings.LIVE_PORT, sandbox=settings.SANDBOX
        )
        for child in children:
            child.start()
        stop = Stop()
        watcher = threading.Thread(target=self._watch, args=(children, stop), daemon=True)
        watcher.start()
        try:
            self._until_ready(stop)
            verdict = self._journey() if play and not stop.is_set() else None
            if throwaway:
                raise SystemExit(verdict or 0)
            self._greet(verdict)
            while not stop.wait(0.5):
                pass
        finally:
            stop.set()
            watcher.join()
            self._say("stopping")
            processes.stop_all(children)

    def _watch(self, children: list[processes.Process], stop: Stop) -> None:
        guards = threading.Thread(target=self._watch_services, args=(stop,), daemon=True)
        guards.start()
        processes.watch(children, stop.is_set, self._say)
        guards.join()

    def _watch_services(self, stop: Stop) -> None:
        """A database or Valkey that was killed comes back by itself."""
        while settings.EMBEDDED and not stop.wait(1.0):
            try:
                if settings.EMBEDDED_VALKEY and not embedded.valkey_alive(settings.VAR_DIR):
                    self._say("Valkey is gone; starting it again")
                    embedded.start_valkey(settings.VAR_DIR)
                if settings.EMBEDDED_POSTGRES and not embedded.postgres_alive(settings.VAR_DIR):
                    self._say("PostgreSQL is gone; starting it again")
                    embedded.start_postgres(settings.VAR_DIR)
            except embedded.ServiceFailed as error:
                self._say(str(error))

    def _until_ready(self, stop: Stop) -> None:
        url = f"http://127.0.0.1:{settings.WEB_PORT}/api/v1/health"
        deadline = time.monotonic() + READY_SECONDS
        while not stop.is_set():
            try:
                if requests.get(url, timeout=2).ok:
                    self._say("ready")
                    return
            except requests.RequestException:
                pass
            if time.monotonic() > deadline:
                raise CommandError(f"the web server did not answer; see {settings.VAR_DIR / 'log' / 'web.log'}")
            time.sleep(0.1)

    def _journey(self) -> int:
        manage = str(settings.BASE_DIR / "manage.py")
        return subprocess.run([sys.executable, manage, "journey"], check=False).returncode  # noqa: S603

    def _greet(self, verdict: int | None) -> None:
        base = settings.PUBLIC_BASE_URL
        told = {None: "", 0: "The journey went well."}.get(verdict, "The journey FAILED.")
        lines = ["", told]
        if settings.SANDBOX:
            lines += [f"  {base}/sandbox/       phones and mailboxes: start here"]
        lines += [f"  {base}/api/v1/docs    the API, to try out", f"  {base}/admin/         the back office"]
        if settings.SANDBOX:
            lines += ["", *_sign_ins()]
        lines += ["", f"Logs: {settings.VAR_DIR / 'log'}. Ctrl-C stops everything."]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _sign_ins() -> list[str]:
    from people.models import Person

    wanted = {"administrator": "back office, all of it", "duty_desk": "back office, duty desk", "expert": "app"}
    lines = ["Sign in with a one-time code, which arrives in the sandbox:"]
    for role, where in wanted.items():
        person = Person.objects.present().filter(roles__contains=[role], email__isnull=False).first()
        if person:
            lines.append(f"  {person.email:<40} {where}")
    return lines


@contextmanager
def only_one(var: Path) -> Iterator[None]:
    """A lock that the kernel releases when the process dies, however it dies."""
    var.mkdir(parents=True, exist_ok=True)
    lock: TextIO = (var / "up.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommandError(f"it is running already in {var}; stop that one first") from error
    os.set_inheritable(lock.fileno(), False)
    try:
        yield
    finally:
        lock.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_ports() -> None:
    """A usual port that something else holds is replaced by a free one; a port that was asked for is insisted on."""
    taken = [name for name in PORTS if not _is_free(getattr(settings, name))]
    asked = [name for name in taken if name in os.environ]
    if asked:
        raise CommandError(f"the port of {asked[0]} ({getattr(settings, asked[0])}) is taken by something else")
    if taken:
        os.environ.update({name: str(embedded.free_port()) for name in taken})
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 — this very command, with other ports


def _in_throwaway_folder() -> int:
    """Run this command in a fresh folder on free ports, and remove the folder."""
    folder = tempfile.mkdtemp(prefix="ceo-journey-")
    ports = {name: str(embedded.free_port()) for name in PORTS}
    environment = {**os.environ, **ports, "VAR_DIR": folder, "CEO_THROWAWAY": "1"}
    for name in ("DATABASE_URL", "REDIS_URL"):  # never in somebody's real database
        environment.pop(name, None)
    try:
        child = subprocess.Popen([sys.executable, *sys.argv], env=environment)  # noqa: S603 — this very command
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: child.send_signal(signal.SIGINT))
        return child.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
