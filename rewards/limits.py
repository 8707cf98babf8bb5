"""Limits that hold under load: a counter a scope, and one guarded UPSERT that counts or refuses.

The limit is set where it belongs (offer, campaign, rule) and handed in, so that changing it takes effect at once.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from rewards import days
from rewards.models import Counter


class LimitReached(Refusal):
    """There is no more of it, or this person, pair, recipient or department has had its share."""

    code = "limit_reached"


KEPT_DAYS = {"till:": 2, "by-text:": 2, "rule:": 40, "kudos:": 40}  # longer than the time they count

TAKE = """
INSERT INTO rewards_counter (scope, used, last_used_on)
SELECT %(scope)s, %(count)s, %(today)s WHERE %(count)s <= %(limit)s
ON CONFLICT (scope) DO UPDATE SET used = rewards_counter.used + %(count)s, last_used_on = %(today)s
WHERE rewards_counter.used + %(count)s <= %(limit)s
"""


def take(limits: Mapping[str, int | None], count: int = 1) -> None:
    """Count `count` on every scope, all or (in the caller's transaction) nothing. None is no limit, and counted too.

    Scopes are locked in alphabetical order. Raises LimitReached.
    """
    for scope, limit in sorted(limits.items()):
        if not try_take(scope, limit, count):
            raise LimitReached(_("The limit for this has been reached."))


def try_take(scope: str, limit: int | None, count: int = 1) -> bool:
    most, today = 2**62 if limit is None else limit, days.day_of(clock.now())
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"scope": scope, "count": count, "limit": most, "today": today})
        return bool(cursor.rowcount)


def give_back(scopes: list[str], count: int = 1) -> None:
    """What did not happen after all no longer counts."""
    for scope in sorted(scopes):
        Counter.objects.filter(scope=scope).update(used=Greatest(F("used") - count, 0))


def purge() -> int:
    """Forget counters of days and months that are over; those of offers and campaigns stay. Returns how many."""
    today, gone = days.day_of(clock.now()), 0
    for prefix, kept_days in KEPT_DAYS.items():
        old = Counter.objects.filter(scope__startswith=prefix, last_used_on__lt=today - timedelta(days=kept_days))
        gone += old.delete()[0]
    return gone


def used(scope: str) -> int:
    return Counter.objects.filter(scope=scope).values_list("used", flat=True).first() or 0
