"""Against guessing codes at the till: only codes that nobody knows count, so an honest till is never slowed down.

An address may try so many in ten minutes with a shop's keys: other shops behind the same address are not to blame. When
wrong codes pile up at a shop (its key was stolen) or everywhere, every address is left with a handful: who guesses is
stopped wherever they turn, and a till with a clean record goes on, also in the very shop whose key they use.
"""

import ipaddress
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from rewards import limits
from rewards.models import Counter

WINDOW = timedelta(minutes=10)
PER_ADDRESS_MAX = 15
PER_SHOP_MAX = 40
EVERYWHERE_MAX = 400
HANDFUL = 5
IPV6_HOME = 64  # bits that one household or shop gets; within them addresses are free


class TooManyTries(Refusal):
    code = "too_many_tries"
    status = 429


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


def _scopes(shop_id: UUID, address: str) -> tuple[str, str, str]:
    window = int(clock.real().timestamp() // WINDOW.total_seconds())
    return f"till:{window}:{shop_id}:{address}", f"till:{window}:{shop_id}", f"till:{window}"


def check(shop_id: UUID, address: str) -> None:
    """Raises TooManyTries. One query."""
    scopes = _scopes(shop_id, address)
    used = dict(Counter.objects.filter(scope__in=scopes).values_list("scope", "used"))
    here, shop, everywhere = (used.get(scope, 0) for scope in scopes)
    is_attack = shop >= PER_SHOP_MAX or everywhere >= EVERYWHERE_MAX
    if here >= (HANDFUL if is_attack else PER_ADDRESS_MAX):
        into = clock.real().timestamp() % WINDOW.total_seconds()
        raise TooManyTries(
            _("Too many unknown codes. Try again in ten minutes."), retry_after=int(WINDOW.total_seconds() - into) + 1
        )


def count(shop_id: UUID, address: str) -> None:
    """One more code that nobody knows. In a transaction of its own, because the refusal undoes the caller's."""
    limits.take(dict.fromkeys(_scopes(shop_id, address)))
