"""The only source of now for everything a person can see: promises, offers, due times.

Outside production a file under `var/` holds an offset in seconds that every process on the machine adds, so that a test
or a visitor of the sandbox can let a day go by. A file and not a row: reading it is one `stat`, costs no query on the hot
path and works inside a broken transaction. Sessions, signatures, leases and provider look-ups use real time (`real()`).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

_seen: tuple[float, timedelta] = (0.0, timedelta(0))


def _file() -> Path:
    return Path(settings.VAR_DIR) / "clock-offset"


def offset() -> timedelta:
    """How far the clock has been moved; always zero in production."""
    global _seen
    if settings.PRODUCTION:
        return timedelta(0)
    try:
        changed = _file().stat().st_mtime_ns
    except FileNotFoundError:
        return timedelta(0)
    if changed != _seen[0]:
        _seen = (changed, timedelta(seconds=float(_file().read_text() or 0)))
    return _seen[1]


def real() -> datetime:
    """The wall clock, UTC. For leases, signatures and sessions."""
    return datetime.now(UTC)


def now() -> datetime:
    """The product's now, UTC."""
    return real() + offset()


def move(by: timedelta) -> None:
    """Move the clock of every process of this `var/`. Refused in production."""
    if settings.PRODUCTION:
        raise RuntimeError("the clock is not moved in production")
    fresh = _file().with_suffix(".new")
    fresh.write_text(str((offset() + by).total_seconds()))
    fresh.replace(_file())


def reset() -> None:
    """Back to the wall clock."""
    _file().unlink(missing_ok=True)
