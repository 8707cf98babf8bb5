"""Against guessing codes at the till: only codes that nobody knows count, so an honest till is never slowed down.

A shop whose wrong codes pile up is stopped for the rest of the window, first from the address they come from. When they
pile up everywhere at once, every shop with more than a handful of them is stopped too; one with a clean record goes on.
"""

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


class TooManyTries(Refusal):
    code = "too_many_tries"
    status = 429


def address_of(request: HttpRequest) -> str:
    """The caller's address: the last one that our own proxy noted, when there is one."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    return (forwarded.rsplit(",", 1)[-1].strip() or request.META.get("REMOTE_ADDR", ""))[:45]


def _scopes(shop_id: UUID, address: str) -> tuple[str, str, str]:
    window = int(clock.real().timestamp() // WINDOW.total_seconds())
    return f"till:{window}:{shop_id}:{address}", f"till:{window}:{shop_id}", f"till:{window}"


def check(shop_id: UUID, address: str) -> None:
    """Raises TooManyTries. One query."""
    scopes = _scopes(shop_id, address)
    used = dict(Counter.objects.filter(scope__in=scopes).values_list("scope", "used"))
    here, shop, everywhere = (used.get(scope, 0) for scope in scopes)
    if here >= PER_ADDRESS_MAX or shop >= PER_SHOP_MAX or (everywhere >= EVERYWHERE_MAX and shop > HANDFUL):
        into = clock.real().timestamp() % WINDOW.total_seconds()
        raise TooManyTries(
            _("Too many unknown codes. Try again in ten minutes."), retry_after=int(WINDOW.total_seconds() - into) + 1
        )


def count(shop_id: UUID, address: str) -> None:
    """One more code that nobody knows. In a transaction of its own, because the refusal undoes the caller's."""
    limits.take(dict.fromkeys(_scopes(shop_id, address)))
