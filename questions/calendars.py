"""Working-time arithmetic: people's weeks, the company's calendars, and when a promise is due.

A slot is wall time on a weekday, in minutes from its local midnight; it may run past 24:00 into the next day. It is open
exactly while the clock on the wall shows a time within a slot: on the days the clocks change a slot is shorter or longer,
as it is for who works it; an hour that is skipped is no time, and one that happens twice is open twice. A closed day
(holiday, closure) is closed from local midnight to local midnight, also for a slot that began the evening before.
All results are UTC and exact to the microsecond; nothing here reads a clock or a database.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

HORIZON = timedelta(days=35)  # how far ahead people's weeks are looked through
FAR_HORIZON = timedelta(days=400)  # and the company's: a promise of working hours may cross a long closure
DAY_MINUTES = 24 * 60
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
OFFICE_WEEK = tuple((weekday, 9 * 60, 17 * 60 + 30) for weekday in range(5))  # for people HR gave no hours
NEVER_OPEN = "the calendar has no opening time"

Slot = tuple[int, int, int]  # weekday (0 is Monday), starts_minute, ends_minute
Span = tuple[datetime, datetime]  # begin included, end not; UTC


@dataclass(frozen=True)
class Week:
    """Weekly opening time in a zone, less absences (UTC), closures (first and last local day) and national holidays."""

    zone: ZoneInfo
    slots: tuple[Slot, ...] = OFFICE_WEEK
    away: tuple[Span, ...] = ()
    closed: tuple[tuple[date, date], ...] = ()
    country: str = ""
    subdivision: str = ""


@dataclass(frozen=True)
class Policy:
    """What a promise counts: `amount` of elapsed time, or of `week`'s working time."""

    amount: timedelta
    week: Week | None = None


# --- one local day ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _national_holidays(country: str, subdivision: str, year: int) -> frozenset[int]:
    """The public holidays of a year as day ordinals."""
    days = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    return frozenset(day.toordinal() for day in days)


class _Hours:
    """The opening time of one pattern of week; a local day is worked out once and kept."""

    def __init__(self, week: Week) -> None:
        self.week = week
        self.pieces = [_pieces(week.slots, weekday) for weekday in range(7)]
        self.days: dict[int, tuple[Span, ...]] = {}

    def day(self, ordinal: int) -> tuple[Span, ...]:
        """Opening spans within this local day, in order and apart."""
        known = self.days.get(ordinal)
        if known is None:
            known = self.days[ordinal] = self._work_out(ordinal)
        return known

    def _work_out(self, ordinal: int) -> tuple[Span, ...]:
        zone = self.week.zone
        begin, end = _midnight(ordinal, zone), _midnight(ordinal + 1, zone)
        spans: list[Span] = []
        for part_begin, part_end, ahead in _parts(begin, end, zone):
            for opens, closes in self._on_the_wall(part_begin + ahead, part_end + ahead):
                if spans and spans[-1][1] == opens - ahead:
                    spans[-1] = (spans[-1][0], closes - ahead)
                else:
                    spans.append((opens - ahead, closes - ahead))
        return tuple(spans)

    def _on_the_wall(self, begin: datetime, end: datetime) -> Iterator[Span]:
        """Opening spans between two wall times. They are written as UTC, so that they can be counted with."""
        ordinal = begin.toordinal()
        while begin < end:
            midnight = datetime.fromordinal(ordinal).replace(tzinfo=UTC)
            if not self._is_closed(ordinal):
                for opens, closes in self.pieces[(ordinal - 1) % 7]:  # ordinal 1 was a Monday
                    first, last = max(midnight + opens, begin), min(midnight + closes, end)
                    if first < last:
                        yield first, last
            begin, ordinal = midnight + DAY, ordinal + 1

    def _is_closed(self, ordinal: int) -> bool:
        if not self.week.closed and not self.week.country:
            return False
        day = date.fromordinal(ordinal)
        if any(first <= day <= last for first, last in self.week.closed):
            return True
        country = self.week.country
        return bool(country) and ordinal in _national_holidays(country, self.week.subdivision, day.year)


def _pieces(slots: tuple[Slot, ...], weekday: int) -> list[tuple[timedelta, timedelta]]:
    """What is open on this weekday, from its midnight: its own slots and the evening before's overhang, merged."""
    own = [(begin, min(end, DAY_MINUTES)) for day, begin, end in slots if day == weekday]
    over = [(0, end - DAY_MINUTES) for day, _begin, end in slots if day == (weekday - 1) % 7 and end > DAY_MINUTES]
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(own + over):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return [(timedelta(minutes=begin), timedelta(minutes=end)) for begin, end in merged]


def _midnight(ordinal: int, zone: ZoneInfo) -> datetime:
    """When this local day begins, UTC. A day that the zone skipped begins and ends at once."""
    return datetime.fromordinal(ordinal).replace(tzinfo=zone).astimezone(UTC)


def _parts(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The stretch cut where the clocks change (at most once a day): (from, until, how far the wall is ahead of UTC)."""
    if begin >= end:
        return
    before, after = _ahead(begin, zone), _ahead(end - MOMENT, zone)
    if before == after:
        yield begin, end, before
        return
    early, late = begin, end - MOMENT  # the change lies after the one and not after the other
    while late - early > MOMENT:
        middle = early + (late - early) // 2
        early, late = (middle, late) if _ahead(middle, zone) == before else (early, middle)
    yield begin, late, before
    yield late, end, after


def _ahead(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


@lru_cache(maxsize=2048)
def _hours_of(pattern: Week) -> _Hours:
    return _Hours(pattern)


def forget() -> None:
    """Work every day out anew."""
    _hours_of.cache_clear()
    _national_holidays.cache_clear()


# --- spans of a week -------------------------------------------------------------------------------------------------


def _open(week: Week, start: datetime, until: datetime) -> Iterator[Span]:
    """Opening spans between the two, in order; a span ends at local midnight though the next one may follow at once."""
    hours = _hours_of(replace(week, away=()) if week.away else week)
    away = sorted(week.away)
    ordinal = start.astimezone(week.zone).toordinal()
    last = until.astimezone(week.zone).toordinal()
    while ordinal <= last:
        for begin, end in hours.day(ordinal):
            if end <= start:
                continue
            begin = max(begin, start)
            end = min(end, until)
            if begin >= end:
                return
            if away:
                yield from _present(begin, end, away)
            else:
                yield begin, end
        ordinal += 1


def _present(begin: datetime, end: datetime, away: Sequence[Span]) -> Iterator[Span]:
    """The parts of a span that no absence covers."""
    for away_from, away_until in away:
        if away_until <= begin or away_from >= end:
            continue
        if away_from > begin:
            yield begin, away_from
        begin = max(begin, away_until)
    if begin < end:
        yield begin, end


def spans(week: Week, start: datetime, until: datetime) -> Iterator[Span]:
    """Opening spans between `start` and `until`, in order, merged over midnight."""
    merged: Span | None = None
    for begin, end in _open(week, start, until):
        if merged and begin == merged[1]:
            merged = (merged[0], end)
            continue
        if merged:
            yield merged
        merged = (begin, end)
    if merged:
        yield merged


def next_open(week: Week, at: datetime) -> Span | None:
    """The span that is running at `at`, or the next one (its start is never before `at`); None within the horizon."""
    return next(spans(week, at, at + HORIZON), None)


def is_open(week: Week, at: datetime) -> bool:
    """Whether this moment is working time."""
    return next(spans(week, at, at + timedelta(minutes=1)), None) is not None


def add_working_time(week: Week, start: datetime, amount: timedelta, horizon: timedelta = HORIZON) -> datetime | None:
    """The first moment by which `amount` of working time has passed; None when the horizon does not hold that much."""
    left = amount
    for begin, end in _open(week, start, start + horizon):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    return None


def working_time_between(week: Week, start: datetime, until: datetime) -> timedelta:
    """How much working time lies between the two; nothing when `until` comes first."""
    return sum((end - begin for begin, end in _open(week, start, until)), timedelta(0))


# --- promises --------------------------------------------------------------------------------------------------------


def due_at(policy: Policy, started_at: datetime, pauses: Sequence[Span] = ()) -> datetime:
    """The first moment by which the promised time has passed, pauses not counted.

    Closed time and pauses only ever move it back, and it never lies within them. Raises ValueError for a calendar that is
    never open.
    """
    return moment_at_share(policy, started_at, Fraction(1), pauses)


def counted_between(policy: Policy, start: datetime, until: datetime) -> timedelta:
    """How much promised time lies between the two; nothing when `until` comes first."""
    if policy.week is None:
        return max(until - start, timedelta(0))
    return working_time_between(policy.week, start, until)


def key_of(policy: Policy, at: datetime) -> str:
    """What tells two policies apart: "24h", or the hours with a digest of the calendar, holidays of this year and the next
    included. It changes when due times may, also by a new edition of the holidays."""
    hours = f"{policy.amount / timedelta(hours=1):g}h"
    week = policy.week
    if week is None:
        return hours
    years = (at.year, at.year + 1) if week.country else ()
    free = [sorted(_national_holidays(week.country, week.subdivision, year)) for year in years]
    facts = repr((week.zone.key, sorted(week.slots), sorted(week.closed), free))
    return f"{hours}:{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def moment_at_share(policy: Policy, started_at: datetime, share: Fraction, pauses: Sequence[Span] = ()) -> datetime:
    """When this share of the promised time has passed."""
    amount = policy.amount * share.numerator / share.denominator
    if policy.week is None:
        return _elapsed(started_at, amount, pauses)
    week = replace(policy.week, away=(*policy.week.away, *pauses)) if pauses else policy.week
    found = add_working_time(week, started_at, amount, FAR_HORIZON)
    if found is None:
        raise ValueError(NEVER_OPEN)
    return found


def _elapsed(started_at: datetime, amount: timedelta, pauses: Sequence[Span]) -> datetime:
    at, left = started_at, amount
    for begin, end in sorted(pauses):
        if end <= at:
            continue
        if begin - at >= left:
            break
        left -= max(begin - at, timedelta(0))
        at = end
    return at + left
