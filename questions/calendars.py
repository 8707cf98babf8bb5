"""Working-time arithmetic: when a person works, from weekly slots in their own zone, less their absences.

Slots are minutes from the weekday's local midnight and may run past 24:00. A slot is a span of wall time: on the day
the clocks change it is an hour shorter or longer in elapsed time, as it is for the person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

HORIZON = timedelta(days=35)
OFFICE_WEEK = tuple((weekday, 9 * 60, 17 * 60 + 30) for weekday in range(5))  # for people HR gave no hours

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Week:
    """One person's working time: weekly slots `(weekday, starts_minute, ends_minute)` and absences in UTC."""

    zone: ZoneInfo
    slots: tuple[tuple[int, int, int], ...] = OFFICE_WEEK
    away: tuple[Span, ...] = ()


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(minute, 24 * 60)
    local = datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=zone) + timedelta(days=days)
    return local.astimezone(UTC)


def spans(week: Week, start: datetime, until: datetime) -> Iterator[Span]:
    """Working spans between `start` and `until`, in order, merged, absences cut out. UTC."""
    day = start.astimezone(week.zone).date() - timedelta(days=1)  # an overnight slot may have begun yesterday
    last = until.astimezone(week.zone).date()
    merged: Span | None = None
    while day <= last:
        for weekday, begins, ends in sorted(week.slots):
            if weekday != day.weekday():
                continue
            span = (_at(day, begins, week.zone), _at(day, ends, week.zone))
            if merged and span[0] <= merged[1]:
                merged = (merged[0], max(merged[1], span[1]))
                continue
            if merged:
                yield from _present(merged, week, start, until)
            merged = span
        day += timedelta(days=1)
    if merged:
        yield from _present(merged, week, start, until)


def _present(span: Span, week: Week, start: datetime, until: datetime) -> Iterator[Span]:
    """The parts of `span` within start–until that no absence covers."""
    begin, end = max(span[0], start), min(span[1], until)
    for away_from, away_until in sorted(week.away):
        if away_until <= begin or away_from >= end:
            continue
        if away_from > begin:
            yield begin, away_from
        begin = max(begin, away_until)
    if begin < end:
        yield begin, end


def next_open(week: Week, at: datetime) -> Span | None:
    """The span that is running at `at`, or the next one (its start is never before `at`); None within the horizon."""
    return next(spans(week, at, at + HORIZON), None)


def add_working_time(week: Week, start: datetime, amount: timedelta) -> datetime | None:
    """When `amount` of working time after `start` has passed; None when the horizon does not hold that much."""
    left = amount
    for begin, end in spans(week, start, start + HORIZON):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    return None
