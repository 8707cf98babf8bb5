"""When people work and when a promise is due. Expected values are worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from questions import calendars
from questions.calendars import Policy, Week

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
H = timedelta(hours=1)
OFFICE = Week(AMSTERDAM)


def local(text: str, zone: ZoneInfo = AMSTERDAM) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def working(week: Week, start: str, hours: float) -> datetime:
    found = calendars.add_working_time(week, local(start, week.zone), timedelta(hours=hours))
    assert found is not None
    return found


def test_a_lunch_break_does_not_count() -> None:
    week = Week(AMSTERDAM, ((0, 540, 750), (0, 780, 1050)))  # Monday 9:00-12:30 and 13:00-17:30
    assert working(week, "2026-11-23T12:00", 1) == local("2026-11-23T13:30")


def test_a_slot_may_last_to_midnight_and_the_next_day_go_on() -> None:
    week = Week(AMSTERDAM, ((0, 1200, 1440), (1, 0, 120)))
    assert working(week, "2026-11-23T23:00", 2) == local("2026-11-24T01:00")
    assert calendars.next_open(week, local("2026-11-23T12:00")) == (local("2026-11-23T20:00"), local("2026-11-24T02:00"))


def test_an_overnight_slot_runs_into_the_next_day() -> None:
    week = Week(AMSTERDAM, ((6, 1320, 1800),))  # Sunday 22:00 to Monday 6:00: from the week's last day to its first
    assert working(week, "2026-11-23T01:00", 2) == local("2026-11-23T03:00")
    assert working(week, "2026-11-23T07:00", 1) == local("2026-11-29T23:00")


def test_the_night_the_clocks_go_forward_is_an_hour_shorter() -> None:
    week = Week(AMSTERDAM, ((5, 1320, 1800),))  # Saturday 22:00 to Sunday 6:00
    start, end = local("2026-03-28T22:00"), local("2026-03-29T06:00")
    assert calendars.working_time_between(week, start, end) == 7 * H


def test_the_night_the_clocks_go_back_is_an_hour_longer() -> None:
    week = Week(AMSTERDAM, ((5, 1320, 1800),))
    start, end = local("2026-10-24T22:00"), local("2026-10-25T06:00")
    assert calendars.working_time_between(week, start, end) == 9 * H


def test_a_wall_time_that_the_clocks_skip_is_the_moment_they_jump() -> None:
    week = Week(AMSTERDAM, ((6, 150, 190),))  # Sunday 2:30 to 3:10; on 29 March there is no 2:30
    assert calendars.next_open(week, local("2026-03-29T00:00")) == (local("2026-03-29T03:00"), local("2026-03-29T03:10"))


def test_a_wall_time_that_happens_twice_is_open_both_times_and_closed_between() -> None:
    week = Week(AMSTERDAM, ((6, 120, 150),))  # Sunday 2:00 to 2:30, on 25 October twice
    night = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    found = list(calendars.spans(week, night - H, night + 5 * H))
    assert found == [(night, night + H / 2), (night + H, night + 1.5 * H)]


@pytest.mark.parametrize("zone", ["America/Havana", "Atlantic/Azores", "Africa/Cairo", "Asia/Beirut", "America/Nuuk"])
def test_round_the_clock_counts_no_hour_twice_where_the_clocks_change_at_midnight(zone: str) -> None:
    week = Week(ZoneInfo(zone), tuple((day, 0, 1440) for day in range(7)))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(0, 730, 3):
        begins = start + timedelta(days=day)
        assert calendars.add_working_time(week, begins, 96 * H) == begins + 96 * H


def test_the_first_hour_of_a_day_that_happens_twice_is_worked_twice() -> None:
    havana = ZoneInfo("America/Havana")
    week = Week(havana, ((6, 0, 60),))  # Sunday 0:00 to 1:00; on 1 November the clocks go back from 1:00 to 0:00
    begin = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
    assert calendars.next_open(week, begin - H) == (begin, begin + 2 * H)


def test_a_midnight_that_the_clocks_skip_begins_the_day_when_they_jump() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    week = Week(cairo, ((4, 0, 120),))  # Friday 0:00 to 2:00; on 24 April 2026 the clocks jump from 0:00 to 1:00
    begin = datetime(2026, 4, 23, 22, 0, tzinfo=UTC)
    assert calendars.next_open(week, begin - 12 * H) == (begin, begin + H)


def test_half_an_hour_of_daylight_saving_is_half_an_hour() -> None:
    week = Week(ZoneInfo("Australia/Lord_Howe"), ((5, 1320, 1800),))  # Saturday 22:00 to Sunday 6:00
    back, forward = local("2026-04-04T22:00", week.zone), local("2026-10-03T22:00", week.zone)
    assert calendars.working_time_between(week, back, back + 24 * H) == 8.5 * H
    assert calendars.working_time_between(week, forward, forward + 24 * H) == 7.5 * H


def test_a_day_that_the_zone_skipped_is_no_working_day() -> None:
    apia = ZoneInfo("Pacific/Apia")
    week = Week(apia)  # Friday 30 December 2011 did not happen there
    assert working(week, "2011-12-29T16:30", 2) == local("2012-01-02T10:00", apia)
    always = Week(apia, tuple((day, 0, 1440) for day in range(7)))
    assert working(always, "2011-12-29T12:00", 24) == local("2011-12-31T12:00", apia)


def test_the_clocks_of_ramadan_count_both_ways() -> None:
    """Casablanca goes back an hour for Ramadan (15 February 2026, 3:00 to 2:00) and on again after it (22 March)."""
    week = Week(ZoneInfo("Africa/Casablanca"), ((5, 1320, 1800),))
    before, after = local("2026-02-14T22:00", week.zone), local("2026-03-21T22:00", week.zone)
    assert calendars.working_time_between(week, before, before + 24 * H) == 9 * H
    assert calendars.working_time_between(week, after, after + 24 * H) == 7 * H


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"])
def test_any_zone_counts_its_own_wall_time(zone: str) -> None:
    week = Week(ZoneInfo(zone))
    assert working(week, "2026-11-24T16:30", 2) == local("2026-11-25T10:00", week.zone)


def test_a_national_holiday_is_closed_and_shortens_no_wait() -> None:
    week = Week(AMSTERDAM, country="NL")
    assert working(week, "2026-04-24T16:30", 2) == local("2026-04-28T10:00")  # Monday 27 April is King's Day
    assert working(OFFICE, "2026-04-24T16:30", 2) == local("2026-04-27T10:00")


def test_an_overnight_slot_ends_at_the_midnight_a_holiday_begins_and_the_holidays_own_runs_on_after_it() -> None:
    nights = tuple((day, 1320, 1800) for day in range(7))
    week = Week(AMSTERDAM, nights, country="NL")
    around = list(calendars.spans(week, local("2026-04-26T12:00"), local("2026-04-28T12:00")))
    assert around == [
        (local("2026-04-26T22:00"), local("2026-04-27T00:00")),
        (local("2026-04-28T00:00"), local("2026-04-28T06:00")),
    ]


def test_a_closure_covers_its_last_day_too() -> None:
    week = Week(AMSTERDAM, closed=((date(2026, 12, 28), date(2026, 12, 31)),))
    assert working(week, "2026-12-24T17:30", 9.5) == local("2027-01-01T10:00")


def test_an_absence_is_cut_out_of_the_day() -> None:
    week = Week(AMSTERDAM, away=((local("2026-11-24T10:00"), local("2026-11-24T12:00")),))
    assert working(week, "2026-11-24T09:00", 2) == local("2026-11-24T13:00")


def test_shop_shifts_hold_on_saturday_and_sunday() -> None:
    week = Week(AMSTERDAM, ((5, 600, 1080), (6, 720, 1020)))
    assert working(week, "2026-11-28T17:00", 3) == local("2026-11-29T14:00")


def test_nobody_works_in_an_empty_week() -> None:
    assert calendars.next_open(Week(AMSTERDAM, ()), local("2026-11-24T10:00")) is None
    assert calendars.add_working_time(Week(AMSTERDAM, ()), local("2026-11-24T10:00"), H) is None
    with pytest.raises(ValueError, match="no opening time"):
        calendars.due_at(Policy(H, Week(AMSTERDAM, ())), local("2026-11-24T10:00"))


def test_working_hours_are_due_within_working_hours() -> None:
    policy = Policy(8 * H, Week(AMSTERDAM, country="NL"))
    assert calendars.due_at(policy, local("2026-11-27T16:30")) == local("2026-11-30T16:00")
    assert calendars.due_at(policy, local("2026-11-28T03:00")) == local("2026-11-30T17:00")


def test_a_pause_moves_the_due_time_by_as_much_promised_time_as_it_held() -> None:
    at = local("2026-11-24T09:00")
    overnight = (local("2026-11-24T17:00"), local("2026-11-25T10:00"))
    assert calendars.due_at(Policy(24 * H), at, [overnight]) == at + 24 * H + 17 * H
    assert calendars.due_at(Policy(10 * H, OFFICE), at, [overnight]) == local("2026-11-25T12:00")


def test_pauses_that_overlap_count_once() -> None:
    at = local("2026-11-24T09:00")
    pauses = [(at + H, at + 3 * H), (at + 2 * H, at + 4 * H)]
    assert calendars.due_at(Policy(24 * H), at, pauses) == at + 27 * H
