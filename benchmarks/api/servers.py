"""The web servers that are measured, each in a session of its own, and what CPU they and PostgreSQL took."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 10.0
TICK = 1 / os.sysconf("SC_CLK_TCK")
WORKERS = "2"
PRODUCTION = {  # as docker/.env.example asks for it; providers are never called here
    "ENVIRONMENT": "production",
    "SECRET_KEY": "benchmark-benchmark-benchmark-benchmark-benchmark",
    "VOUCHER_KEY": "benchmark",
    "PUBLIC_BASE_URL": "https://ceo.example",
    "EMAIL_URL": "smtp://127.0.0.1:1",
    "TWILIO_ACCOUNT_SID": "benchmark",
    "TWILIO_AUTH_TOKEN": "benchmark",
    "SMS_FROM": "+10000000000",
    "MAIL_DOMAIN": "ceo.example",
    "LOG_LEVEL": "INFO",
}


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    session: int

    def cpu_s(self) -> float:
        """Of all its processes since they started."""
        return sum(_cpu(pid) for pid, session, _parent in _processes() if session == self.session)


def granian(port: int, application: str, python: str = sys.executable) -> list[str]:
    """As docker/Dockerfile and backend/processes.py start the product."""
    served = ["--host", "127.0.0.1", "--port", str(port), "--workers", WORKERS, "--blocking-threads", "2", "--no-ws"]
    return [python, "-m", "granian", "--interface", "wsgi", *served, application]


def uvicorn(port: int, application: str) -> list[str]:
    served = ["--host", "127.0.0.1", "--port", str(port), "--workers", WORKERS, "--loop", "uvloop", "--http", "httptools"]
    return [sys.executable, "-m", "uvicorn", *served, "--no-access-log", "--log-level", "warning", application]


@contextmanager
def serving(name: str, command: list[str], port: int, folder: Path, **environment: str) -> Iterator[Server]:
    """It runs and answers; afterwards it is stopped with all its processes."""
    log = folder / f"{name}.log"
    with log.open("ab") as out:
        started = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        _wait_for(port, started, log)
        yield Server(name, port, started.pid)
    finally:
        started.terminate()
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, 9)
            started.wait()


def _wait_for(port: int, started: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and started.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"{started.args!r} does not answer: {log.read_text()[-2000:]}")


def postgres_cpu_s(main: int) -> float:
    """Of PostgreSQL, those connections that have ended included."""
    children = sum(_cpu(pid) for pid, _session, parent in _processes() if parent == main)
    return children + _cpu(main, ended_children=True)


def _processes() -> Iterator[tuple[int, int, int]]:
    """(process, its session, its parent)."""
    for entry in os.listdir("/proc"):
        fields = _stat(entry) if entry.isdigit() else []
        if fields:
            yield int(entry), int(fields[3]), int(fields[1])


def _cpu(pid: int, *, ended_children: bool = False) -> float:
    fields = _stat(str(pid))
    return TICK * sum(int(ticks) for ticks in fields[11 : 15 if ended_children else 13])


def _stat(pid: str) -> list[str]:
    """What follows the name in /proc/PID/stat; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
