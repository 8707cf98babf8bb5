"""When an answer is to be expected, honestly: from who works when, who has room, what waits already, and how long answers
took so far.

Told at submission, beside the promise. The worker works it out every few minutes, so that asking costs nothing for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import quantiles
from uuid import UUID

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from backend import clock
from people.models import Person, Role
from questions import calendars, duty, experts, rounds
from questions.calendars import Week
from questions.models import DEFAULT_CAPACITY, Answer, Expertise, Question, Topic

HISTORY = 200  # answers a topic …
HISTORY_DAYS = timedelta(days=90)  # … of this time
HISTORY_MIN = 20
FRESH = timedelta(minutes=30)  # an older forecast is not told: then the promise alone is
OF_FIVE = 4  # while the topic is unknown: a time that four of five topics keep


@dataclass(frozen=True)
class Seat:
    """One expert of a topic: their week and their places."""

    week: Week
    free: int
    capacity: int


def of_topic(topic: Topic | None, at: datetime) -> datetime | None:
    """The topic's forecast for a question asked at `at`; None when there is no fresh one, or no topic."""
    fresh = topic is not None and topic.forecast_at is not None and topic.forecast_at >= at - FRESH
    return topic.expected_at if topic and fresh else None


# SQL with the parameters `fresh` (a forecast's age at most, as a time) of the same where the topic is unknown: what four of
# five topics keep, the desk's finding it included; null when no forecast is fresh.
WHILE_UNKNOWN = f"""(
    SELECT (array_agg(expected_by_desk_at ORDER BY expected_by_desk_at))[1 + (count(*) - 1) * {OF_FIVE} / 5]
    FROM questions_topic WHERE is_active AND forecast_at >= %(fresh)s AND expected_by_desk_at IS NOT NULL
)"""  # noqa: S608 — our own words


def refresh() -> None:
    """The forecast of every topic for a question that is asked now. As many queries for fifty topics as for one."""
    at = clock.now()
    topics = list(Topic.objects.filter(is_active=True))
    seats, waiting, takes = _seats(), _waiting(), typical(at)
    desk_hears = duty.next_hearing(at)
    for topic in topics:
        known = seats.get(topic.pk, [])
        needs = takes.get(topic.pk, rounds.USUAL_WORK)
        nobody = desk_hears + rounds.USUAL_WORK  # then the desk answers
        topic.expected_at = forecast(known, at, needs, waiting.get(topic.pk, 0)) or nobody
        topic.expected_by_desk_at = forecast(known, desk_hears, needs, waiting.get(topic.pk, 0)) or nobody
        topic.forecast_at = at
    Topic.objects.bulk_update(topics, ["expected_at", "expected_by_desk_at", "forecast_at"])


def forecast(seats: Sequence[Seat], at: datetime, takes: timedelta, waiting: int) -> datetime | None:
    """When the second of the experts who could take it would be done: the first may not react. None: nobody works.

    Whoever is away is not asked; when all are, the question waits for who is back first. When more questions wait than
    places are free, it waits for as many turns of all places as they need.
    """
    here = [seat for seat in seats if not experts.is_away(seat.week, at)] or list(seats)
    free, places = sum(seat.free for seat in here), sum(seat.capacity for seat in here)
    behind = max(0, waiting + 1 - free)
    turns = 1 + ceil(behind / max(places, 1))
    asked = [seat for seat in here if seat.free] if turns == 1 else here
    times = [calendars.add_working_time(seat.week, at, takes * turns, calendars.FAR_HORIZON) for seat in asked]
    done = sorted(time for time in times if time)
    return done[min(1, len(done) - 1)] if done else None


def _seats() -> dict[UUID, list[Seat]]:
    """Everybody who may be asked, by topic."""
    knows = Expertise.objects.filter(person__roles__contains=[Role.EXPERT], person__in=Person.objects.present())
    rows = list(knows.select_related("person", "person__workload"))
    weeks = experts.weeks_of({row.person for row in rows})
    seats: dict[UUID, list[Seat]] = defaultdict(list)
    for row in rows:
        load = getattr(row.person, "workload", None)
        capacity = load.capacity if load else DEFAULT_CAPACITY
        free = max(0, capacity - (load.open_count if load else 0))
        seats[row.topic_id].append(Seat(weeks[row.person_id], free, capacity))
    return seats


def _waiting() -> Mapping[UUID, int]:
    """How many questions of a topic wait for a place."""
    rows = Question.objects.filter(topic__isnull=False, route_at__isnull=False).order_by()
    return dict(rows.values("topic").annotate(n=Count("pk")).values_list("topic", "n"))


def typical(at: datetime) -> dict[UUID, timedelta]:
    """Working time from offer to answer that four of five answers needed, by topic; only where there is enough history."""
    newest = Window(RowNumber(), partition_by=F("question__topic"), order_by=F("received_at").desc())
    rows = (
        Answer.objects.filter(received_at__gte=at - HISTORY_DAYS, assignment__isnull=False, approved_by__isnull=True)
        .exclude(state=Answer.State.REFUSED)
        .exclude(question__topic=None)
        .annotate(nth=newest)
        .filter(nth__lte=HISTORY)
        .values_list("question__topic", "author", "assignment__offered_at", "received_at")
    )
    history = list(rows)
    weeks = experts.weeks_of(Person.objects.filter(pk__in={author for _topic, author, _offered, _received in history}))
    took: dict[UUID, list[float]] = defaultdict(list)
    for topic, author, offered_at, received_at in history:
        worked = calendars.working_time_between(weeks[author], offered_at, received_at)
        took[topic].append(worked.total_seconds())
    return {topic: _four_of_five(seconds) for topic, seconds in took.items() if len(seconds) >= HISTORY_MIN}


def _four_of_five(seconds: Iterable[float]) -> timedelta:
    return timedelta(seconds=quantiles(seconds, n=5)[-1])
