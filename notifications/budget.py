"""What SMS may cost, in segments: for each person a day and a month, and for all together a month with a reserve.

Charged once for each message, at the last moment before it leaves, by guarded UPDATEs that the limit stands in: however
many workers send, none sends the one too many. Sign-in codes and answers to what somebody texted count, and may use the
reserve; a person's own limits hold only what can be switched off.
"""

from datetime import date, timedelta
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
    "INSERT INTO notifications_smsspending AS s (scope, segments, ends_on) SELECT %s, %s, %s WHERE %s <= %s"
    " ON CONFLICT (scope) DO UPDATE SET segments = s.segments + excluded.segments"
    " WHERE s.segments + excluded.segments <= %s RETURNING segments"
)


class _OverBudget(Exception):
    pass


def charge(delivery: Delivery) -> bool:
    """Take this message's segments from the budget, once however often it is tried. False: it may not be sent."""
    if delivery.channel != Channel.SMS or delivery.segments:
        return True
    size = segments.count(delivery.body)
    try:
        with transaction.atomic():
            if not Delivery.objects.filter(pk=delivery.pk, segments=0).update(segments=size):
                return True
            total = _take_all(delivery, size)
    except _OverBudget:
        return False
    delivery.segments = size
    _alert(total)
    return True


def is_mandatory(delivery: Delivery) -> bool:
    """What nobody can switch off, and whatever a person asked for a moment ago: a reply, a code."""
    if delivery.is_bundle:
        return False
    told = delivery.notification
    return told is None or told.is_urgent or events.of(told.event).mandatory


def _take_all(delivery: Delivery, size: int) -> int:
    """Raises _OverBudget. Returns what the month has cost in all. The total comes last: everybody waits for it."""
    today, must = today_here(), is_mandatory(delivery)
    if delivery.person_id:
        own_day, own_month = settings.SMS_SEGMENTS_PERSON_DAY, settings.SMS_SEGMENTS_PERSON_MONTH
        who = f"person:{delivery.person_id}"
        _take(f"{who}:{today}", size, today, 0 if must else own_day)
        _take(f"{who}:{today:%Y-%m}", size, _month_ends(today), 0 if must else own_month)
    return _take(_total(today), size, _month_ends(today), settings.SMS_SEGMENTS_MONTH if must else _free_of_reserve())


def _take(scope: str, size: int, ends_on: date, limit: int) -> int:
    limit = limit or NO_LIMIT
    with connection.cursor() as cursor:
        cursor.execute(CHARGE, [scope, size, ends_on, size, limit, limit])
        row = cursor.fetchone()
    if row is None:
        raise _OverBudget(scope)
    return int(row[0])


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
