"""Limits that hold under load: a counter a scope, and one guarded UPSERT that counts or refuses.

The limit is set where it belongs (offer, campaign, rule) and handed in, so that changing it takes effect at once. Those of
offers and campaigns are counted only while they are set; triggers count them anew from the gifts when they are changed.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from backend import clock, prepared
from backend.errors import Refusal
from rewards import days
from rewards.models import Counter


class LimitReached(Refusal):
    """There is no more of it, or this person, pair, recipient or department has had its share."""

    code = "limit_reached"


class LimitsChanged(Exception):  # noqa: N818 — never leaves this app
    """Somebody changed a limit meanwhile: read it again."""


NO_LIMIT = 2**62
KEPT_DAYS = {"till:": 2, "by-text:": 2, "rule:": 40, "kudos:": 40}  # longer than the time they count


def keep(campaign_id: UUID) -> None:
    """Nobody changes limits of this campaign until the transaction ends, or we wait for whoever does.

    For everybody who counts on its scopes, before lots and counters are locked: who changes a limit locks the campaign,
    counters and the budget, and would otherwise meet a counter that is new and waits for that budget.
    """
    with prepared.cursor() as cursor:
        cursor.execute("SELECT FROM rewards_campaign WHERE id = %s FOR SHARE", [campaign_id])


def taking(condition: str = "TRUE") -> str:
    """The statement that counts on every scope that has room, in alphabetical order, and returns those."""
    return f"""
    INSERT INTO rewards_counter AS counter (scope, used, last_used_on)
    SELECT scope, %(count)s, %(today)s FROM unnest(%(scopes)s::text[], %(limits)s::bigint[]) AS wanted (scope, most)
    WHERE %(count)s <= most AND {condition} ORDER BY scope
    ON CONFLICT (scope) DO UPDATE SET used = counter.used + excluded.used, last_used_on = excluded.last_used_on
    WHERE counter.used + excluded.used <= (%(limits)s::bigint[])[array_position(%(scopes)s::text[], excluded.scope::text)]
    RETURNING scope
    """  # noqa: S608 — our own words


TAKE = taking()


def parameters(limits: Mapping[str, int | None], count: int, today: date) -> dict[str, Any]:
    """What `taking` asks for. None is no limit."""
    most = [NO_LIMIT if limit is None else limit for limit in limits.values()]
    return {"scopes": list(limits), "limits": most, "count": count, "today": today}


def take(limits: Mapping[str, int | None], count: int = 1) -> None:
    """Count `count` on every scope, all or (in the caller's transaction) nothing. None is no limit, and counted too.

    Scopes are locked in alphabetical order. Raises LimitReached.
    """
    if limits and _taken(limits, count) < len(limits):
        raise reached()


def _taken(limits: Mapping[str, int | None], count: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(TAKE, parameters(limits, count, days.day_of(clock.now())))
        return int(cursor.rowcount)


def reached() -> LimitReached:
    return LimitReached(_("The limit for this has been reached."))


def give_back(scopes: list[str], count: int = 1) -> None:
    """What did not happen after all no longer counts; a scope that is not counted is left alone."""
    kept = Counter.objects.filter(scope__in=scopes).order_by("scope").select_for_update()
    Counter.objects.filter(pk__in=list(kept.values_list("pk", flat=True))).update(used=Greatest(F("used") - count, 0))


def purge() -> int:
    """Forget counters of days and months that are over; those of offers and campaigns stay. Returns how many."""
    today, gone = days.day_of(clock.now()), 0
    for prefix, kept_days in KEPT_DAYS.items():
        old = Counter.objects.filter(scope__startswith=prefix, last_used_on__lt=today - timedelta(days=kept_days))
        gone += old.delete()[0]
    return gone


def used(scope: str) -> int:
    return Counter.objects.filter(scope=scope).values_list("used", flat=True).first() or 0
