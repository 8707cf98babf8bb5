"""How many due times a minute on one core: random starts over a year, an office week with national holidays.

`due_times_per_minute` is the product's own `calendars.due_at`, with the year's days known; `cold_due_times_per_minute`
begins with none known; `paused_…` has a pause of a day in each; `elapsed_…` counts elapsed hours.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks import report
from questions import calendars
from questions.calendars import Policy, Week

ROUNDS = 5
YEAR_SECONDS = 365 * 24 * 3600
LUNCH_BREAKS = tuple(slot for day in range(5) for slot in ((day, 540, 750), (day, 780, 1050)))
COMPANY = Week(ZoneInfo("Europe/Amsterdam"), LUNCH_BREAKS, closed=((date(2026, 12, 28), date(2026, 12, 31)),), country="NL")
WORKING, ELAPSED = Policy(timedelta(hours=16), COMPANY), Policy(timedelta(hours=24))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The median of five measurements each."""
    rng, first = random.Random(1), datetime(2026, 1, 1, tzinfo=UTC)
    starts = [first + timedelta(seconds=rng.random() * YEAR_SECONDS) for _one in range(options.starts)]
    cold = median(_cold(starts) for _round in range(ROUNDS))
    ways: dict[str, Callable[[datetime], datetime]] = {
        "due_times_per_minute": lambda start: calendars.due_at(WORKING, start),
        "paused_due_times_per_minute": lambda start: calendars.due_at(WORKING, start, [_day_from(start)]),
        "elapsed_due_times_per_minute": lambda start: calendars.due_at(ELAPSED, start),
    }
    figures = {name: round(median(_per_minute(way, starts) for _round in range(ROUNDS))) for name, way in ways.items()}
    return {"starts": options.starts, **figures, "cold_due_times_per_minute": round(cold)}


def _day_from(start: datetime) -> calendars.Span:
    return start + timedelta(hours=3), start + timedelta(hours=27)


def _cold(starts: Sequence[datetime]) -> float:
    calendars.forget()
    return _per_minute(lambda start: calendars.due_at(WORKING, start), starts)


def _per_minute(act: Callable[[datetime], object], starts: Sequence[datetime]) -> float:
    began = time.perf_counter()
    for start in starts:
        act(start)
    return 60 * len(starts) / (time.perf_counter() - began)


if __name__ == "__main__":
    report.run(__doc__ or "", measure, starts=20_000)
