"""How much one caller may ask: so many requests a minute, told in every answer (`RateLimit`, `RateLimit-Policy`).

A protection of everybody against an app that runs wild, not a quota to be sold: each process of the web server counts for
itself and in memory, so that it costs the hot path nothing and needs no Valkey. With n processes up to n times as much
passes. What must hold exactly (codes at a till, sign-in, limits of credits) is counted in the database where it belongs.
"""

import ipaddress
import threading
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

WINDOW_SECONDS = 60
IPV6_HOME = 64  # bits that one household or shop gets; within them addresses are free


@dataclass(frozen=True)
class Left:
    """What this caller may still ask in this window; below zero: too much."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"requests";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={max(self.remaining, 0)};t={self.reset_seconds}',
        }


class Windows:
    """Counts by caller within fixed windows; forgets everything when one ends, so it never holds more than a minute's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._counts: dict[str, int] = {}

    def take(self, caller: str, limit: int, at: float) -> Left:
        """One request more, at the Unix time `at`."""
        number, into = divmod(at, WINDOW_SECONDS)
        with self._lock:
            if number != self._number:
                self._number, self._counts = int(number), {}
            count = self._counts.get(caller, 0) + 1
            self._counts[caller] = count
        return Left(limit, limit - count, WINDOW_SECONDS - int(into))


def address_of(request: HttpRequest) -> str:
    """The caller's address: the last one that our own proxy noted, when there is one. Of IPv6 the network."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    text = (forwarded.rsplit(",", 1)[-1].strip() or request.META.get("REMOTE_ADDR", ""))[:45]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), IPV6_HOME), strict=False).network_address)
