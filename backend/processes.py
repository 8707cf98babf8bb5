"""The processes of the product on one machine: started, watched, started again when they die, stopped together."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 10.0
PAUSE_FIRST_SECONDS = 0.5
PAUSE_MAX_SECONDS = 15.0
STEADY_SECONDS = 20.0  # a process that ran this long has earned a quick restart
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """In the child: get SIGTERM when the parent dies, even by kill -9, so that no orphan keeps a port."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Process:
    """One program, its log, and how often it had to be started."""

    name: str
    arguments: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    popen: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    not_before: float = 0.0
    pause: float = PAUSE_FIRST_SECONDS

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C reaches only the parent, which stops all in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(  # noqa: S603 — our own programs
                self.arguments,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509
            )
        self.started_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def revive(self, say: Callable[[str], None]) -> None:
        """Start it again when it has died, with growing pauses."""
        now = time.monotonic()
        if self.is_alive:
            return
        if self.not_before == 0.0:
            steady = now - self.started_at > STEADY_SECONDS
            self.pause = PAUSE_FIRST_SECONDS if steady else min(self.pause * 2, PAUSE_MAX_SECONDS)
            self.not_before = now + self.pause
            code = self.popen.returncode if self.popen else None
            say(f"{self.name} ended ({code}); starting it again in {self.pause:.1f} s")
        elif now >= self.not_before:
            self.not_before = 0.0
            self.start()

    def stop(self) -> None:
        """Ask it to end; take it down with its children when it does not."""
        if self.popen is None:
            return
        if self.is_alive:
            self.popen.terminate()
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()


def product(logs: Path, *, host: str, port: int, live_port: int, sandbox: bool) -> list[Process]:
    """Web, live, worker, beat, mail in, and the sandbox's providers."""
    python, manage = sys.executable, str(Path(__file__).resolve().parent.parent / "manage.py")
    celery = [python, "-m", "celery", "-A", "backend"]
    granian = [python, "-m", "granian", "--interface"]
    # Two processes of two threads: the fastest of the servers tried on two cores.
    web = [*granian, "wsgi", "--host", host, "--port", str(port), "--workers", "2", "--blocking-threads", "2", "--no-ws"]
    web += ["backend.wsgi:application"]
    # One process holds all open streams; those that are open when it stops are cut after the time-out.
    live = [*granian, "asgi", "--host", host, "--port", str(live_port), "--workers", "1", "--no-ws"]
    live += ["--workers-kill-timeout", "3", "backend.live:application"]
    # Threads: the work is waiting for providers and the database, and the embedding model is loaded once.
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", "8", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--pidfile="]
    commands = {
        **({"sandbox": [python, manage, "sandbox"]} if sandbox else {}),
        "web": web,
        "live": live,
        "worker": worker,
        "beat": beat,
        "mail-in": [python, manage, "receive_mail"],
    }
    return [Process(name, arguments, logs / f"{name}.log") for name, arguments in commands.items()]


def watch(processes: list[Process], stopping: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Keep all of them running until `stopping()`."""
    while not stopping():
        for process in processes:
            process.revive(say)
        time.sleep(0.2)


def stop_all(processes: list[Process]) -> None:
    """Ask all at once, then wait for each."""
    for process in processes:
        if process.is_alive and process.popen is not None:
            process.popen.terminate()
    for process in reversed(processes):
        process.stop()
