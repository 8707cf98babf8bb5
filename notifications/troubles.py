"""What an operator must look at in a channel: recorded once per kind, counted, logged, and shown in the back office."""

import logging
from datetime import UTC, datetime, timedelta

from django.db import connection

from backend import clock
from notifications.models import ChannelTrouble

log = logging.getLogger(__name__)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def report(channel: str, key: str, reason: str, *, blocked_for: timedelta | None = None) -> None:
    """Tell the operator; with `blocked_for` the channel is not used for so long. Real time, as for all providers."""
    at = clock.real()
    until = at + blocked_for if blocked_for else None
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_channeltrouble AS t (key, channel, reason, count, first_at, last_at, blocked_until)"
            " VALUES (%s, %s, %s, 1, %s, %s, %s) ON CONFLICT (key) DO UPDATE SET reason = excluded.reason,"
            " count = t.count + 1, last_at = excluded.last_at, blocked_until = excluded.blocked_until",
            [key, channel, reason[:300], at, at, until],
        )
    log.error("channel trouble key=%s blocked_until=%s reason=%s", key, until, reason)


def is_blocked(channel: str) -> bool:
    return ChannelTrouble.objects.filter(channel=channel, blocked_until__gt=clock.real()).exists()


def blocked_until(key: str) -> datetime:
    """When the last pause for this trouble ended, or ends; long ago when there was none."""
    found = ChannelTrouble.objects.filter(key=key).values_list("blocked_until", flat=True).first()
    return found or LONG_AGO
