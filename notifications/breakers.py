"""A circuit breaker for each provider of SMS and mail: who does not answer is left alone for a while.

Counted in each process (consecutive failures), shared by the database (until when): the row in `ChannelTrouble` is what
an operator sees too. After the pause the next message is the probe: when it fails the breaker opens again at once.
"""

import time
from datetime import datetime, timedelta

from backend import clock
from notifications import troubles

FAILURES = 5  # one after the other
PAUSE = timedelta(seconds=60)
SEEN_SECONDS = 1.0  # how old a process's picture of the breakers may be: one query a second, not one a message

_failures: dict[str, int] = {}
_seen: dict[str, tuple[float, datetime]] = {}


def key(channel: str, provider: str) -> str:
    return f"{channel}:down:{provider}"


def opens_at(channel: str, provider: str) -> datetime | None:
    """When this provider may be tried again; None when it may be now. Real time."""
    name = key(channel, provider)
    looked_at, until = _seen.get(name, (0.0, troubles.LONG_AGO))
    if time.monotonic() - looked_at > SEEN_SECONDS:
        until = troubles.blocked_until(name)
        _seen[name] = (time.monotonic(), until)
    return until if until > clock.real() else None


def is_shut(channel: str, provider: str) -> bool:
    """What this process knows without asking anybody; for the threads that only talk to providers."""
    _looked_at, until = _seen.get(key(channel, provider), (0.0, troubles.LONG_AGO))
    return until > clock.real()


def worked(channel: str, provider: str) -> None:
    _failures[key(channel, provider)] = 0


def failed(channel: str, provider: str, reason: str) -> None:
    """The provider did not take a message, or did not say whether it did."""
    name = key(channel, provider)
    _failures[name] = _failures.get(name, 0) + 1
    if _failures[name] < FAILURES:
        return
    troubles.report(channel, name, f"{provider} does not answer: {reason}", blocked_for=PAUSE)
    _failures[name] = FAILURES - 1
    _seen[name] = (time.monotonic(), clock.real() + PAUSE)


def forget() -> None:
    """For tests: as a process that has just started."""
    _failures.clear()
    _seen.clear()
