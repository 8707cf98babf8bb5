"""What holds for every calendar, start and pause."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from questions import calendars
from questions.calendars import Policy, Span, Week

settings.register_profile("steady", deadline=None, max_examples=150, derandomize=True)
settings.load_profile("steady")

NAMES = (
    *("Europe/Amsterdam", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo"),
    *("Africa/Casablanca", "Pacific/Apia", "Asia/Gaza", "America/Nuuk", "Pacific/Chatham", "UTC"),
)
ZONES = [ZoneInfo(name) for name in NAMES]
ALWAYS = tuple((weekday, 0, 1440) for weekday in range(7))

zones = st.sampled_from(ZONES)
starts = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 — hypothesis adds it
amounts = st.timedeltas(timedelta(minutes=1), timedelta(hours=40))


@st.composite
def slots(draw: st.DrawFn) -> tuple[calendars.Slot, ...]:
    found = []
    for _number in range(draw(st.integers(1, 8))):
        begin = draw(st.integers(0, 1439))
        found.append((draw(st.integers(0, 6)), begin, begin + draw(st.integers(60, 900))))
    return tuple(found)


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    return Week(draw(zones), draw(slots()), country=draw(st.sampled_from(["", "NL"])))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    begin = draw(starts)
    return begin, begin + draw(st.timedeltas(timedelta(minutes=1), timedelta(days=6)))


def due(amount: timedelta, week: Week, start: datetime) -> datetime:
    """When it is due; at the end of time for a week that does not hold as much within the horizon."""
    try:
        return calendars.due_at(Policy(amount, week), start)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def wall_says_open(week: Week, at: datetime) -> bool:
    """The definition, by looking at the clock on the wall and the calendar beside it."""
    wall = at.astimezone(week.zone)
    minute = wall.hour * 60 + wall.minute
    if any(first <= wall.date() <= last for first, last in week.closed):
        return False
    if week.country and wall.date() in holidays.country_holidays(week.country, years=wall.year):
        return False
    today, yesterday = wall.weekday(), (wall.weekday() - 1) % 7
    return any(
        (day == today and begin <= minute < end) or (day == yesterday and begin <= minute + 1440 < end)
        for day, begin, end in week.slots
    )


@given(weeks(), starts, st.integers(0, 2**32))
@settings(max_examples=60)
def test_open_is_what_the_clock_on_the_wall_says(week: Week, start: datetime, seed: int) -> None:
    rng = Random(seed)
    for begin in (start, *CHANGES[week.zone]):
        found = list(calendars.spans(week, begin, begin + timedelta(days=1)))
        for _moment in range(60):
            at = begin + timedelta(days=rng.random())
            assert any(opens <= at < closes for opens, closes in found) == wall_says_open(week, at), at


def _changes(zone: ZoneInfo) -> list[datetime]:
    """Half a day before the clocks change, in 2026 and 2027."""
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(730)]
    ahead = [day.astimezone(zone).utcoffset() for day in days]
    return [days[number] - timedelta(hours=12) for number in range(729) if ahead[number] != ahead[number + 1]]


CHANGES = {zone: _changes(zone) for zone in ZONES}


@given(zones, starts, amounts)
def test_round_the_clock_equals_elapsed_time(zone: ZoneInfo, start: datetime, amount: timedelta) -> None:
    assert calendars.due_at(Policy(amount, Week(zone, ALWAYS)), start) == start + amount


@given(weeks(), starts, amounts, st.lists(spans(), max_size=3), spans(), st.booleans())
def test_more_closed_time_never_brings_a_due_time_forward(
    week: Week, start: datetime, amount: timedelta, pauses: list[Span], more: Span, elapsed: bool
) -> None:
    policy = Policy(amount, None if elapsed else week)
    assert calendars.due_at(policy, start, [*pauses, more]) >= calendars.due_at(policy, start, pauses)


@given(weeks(), starts, amounts, st.dates(date(2026, 1, 1), date(2027, 12, 1)), st.integers(0, 9))
def test_a_closure_never_brings_a_due_time_forward(
    week: Week, start: datetime, amount: timedelta, first: date, days: int
) -> None:
    shut = Week(week.zone, week.slots, closed=((first, first + timedelta(days=days)),), country=week.country)
    assert due(amount, shut, start) >= due(amount, week, start)


@given(weeks(), st.integers(0, 7), starts, amounts)
def test_a_slot_removed_never_brings_a_due_time_forward(week: Week, which: int, start: datetime, amount: timedelta) -> None:
    gone = which % len(week.slots)
    fewer = replace(week, slots=week.slots[:gone] + week.slots[gone + 1 :])
    if fewer.slots:
        assert due(amount, fewer, start) >= due(amount, week, start)


@given(weeks(), st.integers(0, 7), st.integers(1, 899), st.integers(1, 899), starts, amounts)
def test_a_break_in_a_slot_never_brings_a_due_time_forward(
    week: Week, which: int, one: int, other: int, start: datetime, amount: timedelta
) -> None:
    weekday, begin, end = week.slots[which % len(week.slots)]
    leaves, returns = sorted((begin + one % (end - begin), begin + other % (end - begin)))
    if begin < leaves < returns < min(end, 1440):
        rest = tuple(slot for slot in week.slots if slot != (weekday, begin, end))
        broken = replace(week, slots=(*rest, (weekday, begin, leaves), (weekday, returns, end)))
        assert due(amount, broken, start) >= due(amount, week, start)


@given(weeks(), starts, amounts)
def test_holidays_never_bring_a_due_time_forward(week: Week, start: datetime, amount: timedelta) -> None:
    free = due(amount, replace(week, country="NL"), start)
    assert free >= due(amount, replace(week, country=""), start)


@given(weeks(), st.integers(0, 7), st.integers(1, 899), starts, amounts)
def test_splitting_a_slot_changes_nothing(week: Week, which: int, where: int, start: datetime, amount: timedelta) -> None:
    weekday, begin, end = week.slots[which % len(week.slots)]
    cut = begin + where % (end - begin)
    if cut in {begin, 1440} or cut > 1440:
        return
    rest = tuple(slot for slot in week.slots if slot != (weekday, begin, end))
    split = Week(week.zone, (*rest, (weekday, begin, cut), (weekday, cut, end)), country=week.country)
    assert due(amount, split, start) == due(amount, week, start)


@given(weeks(), starts, amounts, st.lists(spans(), max_size=2))
def test_a_due_time_never_lies_in_closed_time(week: Week, start: datetime, amount: timedelta, pauses: list[Span]) -> None:
    due = calendars.due_at(Policy(amount, week), start, pauses)
    away = Week(week.zone, week.slots, away=tuple(pauses), country=week.country)
    moment = timedelta(microseconds=1)  # an opening time's last moment is its end
    assert calendars.working_time_between(away, due - moment, due) == moment


@given(weeks(), starts, amounts, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_who_asks_later_is_never_due_earlier(week: Week, start: datetime, amount: timedelta, wait: timedelta) -> None:
    policy = Policy(amount, week)
    assert calendars.due_at(policy, start + wait) >= calendars.due_at(policy, start)


@given(weeks(), starts, amounts)
def test_adding_and_measuring_are_each_others_reverse(week: Week, start: datetime, amount: timedelta) -> None:
    end = calendars.due_at(Policy(amount, week), start)
    assert calendars.working_time_between(week, start, end) == amount
