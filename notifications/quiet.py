"""Quiet hours: pure arithmetic on the wall clock of a person's zone. What is quiet when, and until when."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


def ends_at(starts: time, ends: time, zone: ZoneInfo, at: datetime) -> datetime | None:
    """When the quiet time in which `at` falls is over; None when `at` is outside.

    Both ends are wall-clock times: the night in which the clock is moved is an hour longer or shorter. A time that does
    not exist that night (02:30 in spring) is an hour later; one that comes twice (02:30 in autumn) is the first.
    """
    today = at.astimezone(zone).date()
    for day in (today - DAY, today):
        begin = datetime.combine(day, starts, zone)
        end = datetime.combine(day if starts < ends else day + DAY, ends, zone)
        if begin.timestamp() <= at.timestamp() < end.timestamp():
            return datetime.fromtimestamp(end.timestamp(), at.tzinfo)
    return None


def next_morning(ends: time, zone: ZoneInfo, at: datetime) -> datetime:
    """The next time that a wall clock in `zone` shows `ends`, at least four hours from now."""
    local = at.astimezone(zone)
    for days in (0, 1, 2):
        end = datetime.combine(local.date() + days * DAY, ends, zone)
        if end.timestamp() - at.timestamp() >= 4 * 3600:
            break
    return datetime.fromtimestamp(end.timestamp(), at.tzinfo)
