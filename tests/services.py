"""Before anything is imported: PostgreSQL and Valkey for the tests, and an environment of their own for each worker.

Loaded by pytest as a plugin (`-p tests.services`), because Django's settings are read right after.
"""

import os
import zlib
from pathlib import Path

import pytest

from backend import embedded

CHECKOUT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 — a folder of its own in it, which servers guard as they do on disk
MEMORY_NEEDED = 2**30  # bytes
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


def _has_room(memory: Path) -> bool:
    try:
        about = os.statvfs(memory)
    except OSError:
        return False
    return about.f_bavail * about.f_frsize >= MEMORY_NEEDED and not about.f_flag & os.ST_NOEXEC


def _var() -> Path:
    """In memory where there is room: a copy of the database, which most tests make, takes a tenth of its time there."""
    if _has_room(MEMORY):
        return MEMORY / f"ceo-tests-{zlib.crc32(str(CHECKOUT).encode()):08x}-{os.geteuid()}"
    return CHECKOUT / "var" / "test"


VAR = _var()


def _prepare() -> None:
    os.environ["ENVIRONMENT"] = "test"
    os.environ["LOG_LEVEL"] = os.environ.get("LOG_LEVEL", "WARNING")
    if "CEO_TEST_DATABASE_URL" not in os.environ:
        services = embedded.start(VAR, fsync=False)
        os.environ["CEO_TEST_DATABASE_URL"], os.environ["CEO_TEST_REDIS_URL"] = (
            services.database_url,
            services.redis_url,
        )
    number = int(WORKER.removeprefix("gw")) + 1 if WORKER.startswith("gw") else 0
    os.environ["DATABASE_URL"] = os.environ["CEO_TEST_DATABASE_URL"]
    os.environ["REDIS_URL"] = os.environ["CEO_TEST_REDIS_URL"].rsplit("/", 1)[0] + f"/{number}"
    os.environ["VAR_DIR"] = str(VAR / WORKER)
    for name in ("WEB_PORT", "LIVE_PORT", "SANDBOX_TWILIO_PORT", "SANDBOX_FCM_PORT", "SANDBOX_SMTP_PORT", "MAIL_IN_PORT"):
        os.environ[name] = str(embedded.free_port())
    os.environ["API_REQUESTS_PER_MINUTE"] = os.environ["TILL_REQUESTS_PER_MINUTE"] = "0"  # some tests ask a lot
    os.environ["DELIVERY_LEASE_SECONDS"] = "20"


_prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The servers end with the run that started them."""
    if not IS_WORKER:
        embedded.stop(VAR)
