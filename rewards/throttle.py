"""Against guessing codes at the till: only codes that nobody knows count, so an honest till is never slowed down.

An address may try so many in ten minutes with a shop's keys: other shops behind the same address are not to blame. When
wrong codes pile up at a shop (its key was stolen) or everywhere, every address is left with a handful: who guesses is
stopped wherever they turn, and a till with a clean record goes on, also in the very shop whose key they use.
"""

from datetime import timedelta
from uuid import UUID

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
