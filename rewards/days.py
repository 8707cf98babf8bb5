"""Local days and months as instants. Nothing here depends on the server's own time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

COMPANY = ZoneInfo(settings.TIME_ZONE)  # offers and gifts live in the company's days, wallets in their owner's


def start_of(day: date, zone: ZoneInfo = COMPANY) -> datetime:
    """The first instant of the local day, UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def end_of(day: date, zone: ZoneInfo = COMPANY) -> datetime:
    """The first instant after the local day, UTC: what is valid on `day` is valid before this."""
    return start_of(day + timedelta(days=1), zone)


def end_after(at: datetime, count: int, zone: ZoneInfo = COMPANY) -> datetime:
    """The first instant after the local day that is `count` days on. In days: hours slip when the clock changes."""
    return end_of(day_of(at, zone) + timedelta(days=count), zone)


def day_of(at: datetime, zone: ZoneInfo = COMPANY) -> date:
    return at.astimezone(zone).date()


def first_of_month(day: date, *, months_on: int = 0) -> date:
    """The first day of the month that lies `months_on` months after the month of `day`."""
    months = day.year * 12 + day.month - 1 + months_on
    return date(months // 12, months % 12 + 1, 1)


def month_end(at: datetime, zone: ZoneInfo, *, months_on: int = 0) -> datetime:
    """The first instant after the local month of `at` (or of a later one), UTC."""
    return start_of(first_of_month(day_of(at, zone), months_on=months_on + 1), zone)
