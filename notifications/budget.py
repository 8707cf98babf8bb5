"""What SMS may cost, in segments: for each person a day and a month, and for all together a month with a reserve.

Charged once for each message, at the last moment before it leaves, by guarded UPDATEs that the limit stands in: however
many workers send, none sends the one too many. Sign-in codes and answers to what somebody texted count, and may use the
reserve; a person's own limits hold only what can be switched off.
"""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction

from backend import clock
from backend.ring import ring
from notifications import events, segments, troubles
from notifications.models import Channel, Delivery, SmsSpending

KEPT = timedelta(days=400)
NO_LIMIT = 2**31 - 1
CHARGE = (
    "INSERT INTO notifications_smsspending AS s (scope, segments, ends_on)"
    " SELECT scope, size, ends_on FROM unnest(%(scopes)s::text[], %(sizes)s::int[], %(ends)s::date[], %(limits)s::int[])"
    " AS t (scope, size, ends_on, most) WHERE size <= most ORDER BY scope"
    " ON CONFLICT (scope) DO UPDATE SET segments = s.segments + excluded.segments"
    " WHERE s.segments + excluded.segments"
    " <= (%(limits)s::int[])[array_position(%(scopes)s::text[], excluded.scope::text)]"
    " RETURNING scope, segments"
)


class _OverBudget(Exception):
    pass


def charge(deliveries: list[Delivery]) -> set[UUID]:
    """Take these messages' segments from the budget, once however often they are tried. Returns what may not be sent.

    All in a few statements; one by one only when not all of them fit.
    """
    uncharged = [row for row in deliveries if row.channel == Channel.SMS and not row.segments]
    if not uncharged:
        return set()
    try:
        _charge(uncharged)
    except _OverBudget:
        return {row.pk for row in uncharged if not _fits(row)}
    return set()


def _fits(delivery: Delivery) -> bool:
    try:
        _charge([delivery])
    except _OverBudget:
        return False
    return True


def _charge(deliveries: list[Delivery]) -> None:
    """All of them or, raising _OverBudget, none."""
    total = 0
    with transaction.atomic():
        sizes = _mark(deliveries)
        fresh = [row for row in deliveries if row.pk in sizes]
        for must in (False, True):  # what may not use the reserve comes first: it has less room
            some = [(row, sizes[row.pk]) for row in fresh if is_mandatory(row) == must]
            if some:
                total = _take_all(some, must=must)
    for row in fresh:
        row.segments = sizes[row.pk]
    if total:
        _alert(total)


def _mark(deliveries: list[Delivery]) -> dict[UUID, int]:
    """Write each one's segments, guarded; those that nobody had charged."""
    sizes = {row.pk: segments.count(row.body) for row in deliveries}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_delivery d SET segments = t.size FROM unnest(%s::uuid[], %s::int[]) AS t (id, size)"
            " WHERE d.id = t.id AND d.segments = 0 RETURNING d.id",
            [list(sizes), list(sizes.values())],
        )
        return {row[0]: sizes[row[0]] for row in cursor.fetchall()}


def is_mandatory(delivery: Delivery) -> bool:
    """What nobody can switch off, and whatever a person asked for a moment ago: a reply, a code."""
    if delivery.is_bundle:
        return False
    told = delivery.notification
    return told is None or told.is_urgent or events.of(told.event).mandatory


def _take_all(some: list[tuple[Delivery, int]], *, must: bool) -> int:
    """Raises _OverBudget. Returns what the month has cost in all. The total comes last: everybody waits for it."""
    today = today_here()
    own_day, own_month = settings.SMS_SEGMENTS_PERSON_DAY, settings.SMS_SEGMENTS_PERSON_MONTH
    each: Counter[str] = Counter()
    for row, size in some:
        if row.person_id:
            each[str(row.person_id)] += size
    _take(
        [(f"person:{who}:{today}", size, today, 0 if must else own_day) for who, size in each.items()]
        + [
            (f"person:{who}:{today:%Y-%m}", size, _month_ends(today), 0 if must else own_month)
            for who, size in each.items()
        ]
    )
    limit = settings.SMS_SEGMENTS_MONTH if must else _free_of_reserve()
    total = _total(today)
    return _take([(total, sum(size for _row, size in some), _month_ends(today), limit)])[total]


def _take(wanted: list[tuple[str, int, date, int]]) -> dict[str, int]:
    """(scope, segments, its last day, limit or 0) → what each scope has spent now."""
    scopes, sizes, ends, limits = zip(*wanted, strict=True) if wanted else ((), (), (), ())
    most = [limit or NO_LIMIT for limit in limits]
    with connection.cursor() as cursor:
        cursor.execute(CHARGE, {"scopes": list(scopes), "sizes": list(sizes), "ends": list(ends), "limits": most})
        spent = dict(cursor.fetchall())
    if len(spent) < len(wanted):
        raise _OverBudget
    return spent


def _free_of_reserve() -> int:
    return settings.SMS_SEGMENTS_MONTH * (100 - settings.SMS_RESERVE_PERCENT) // 100


def today_here() -> date:
    """The company's day: budgets follow its calendar."""
    return clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def _total(today: date) -> str:
    return f"total:{today:%Y-%m}"


def _month_ends(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _alert(spent: int) -> None:
    """Once a month, when the threshold is reached: shown in the back office, logged, and mailed to the operator."""
    limit = settings.SMS_SEGMENTS_MONTH
    if not limit or spent * 100 < limit * settings.SMS_ALERT_PERCENT:
        return
    scope, at = _total(today_here()), clock.real()
    if SmsSpending.objects.filter(pk=scope, alerted_at__isnull=True).update(alerted_at=at):
        reason = f"{spent} of {limit} SMS segments of this month are spent"
        troubles.report(Channel.SMS, f"sms:budget:{scope.removeprefix('total:')}", reason)
        ring("notifications.tasks.tell_operator", reason)


def tell_operator(reason: str) -> None:
    if settings.OPERATOR_EMAIL:
        headers = {"Auto-Submitted": "auto-generated"}
        EmailMessage("CEO-app: SMS", reason, to=[settings.OPERATOR_EMAIL], headers=headers).send()


def purge() -> None:
    SmsSpending.objects.filter(ends_on__lt=today_here() - KEPT).delete()
