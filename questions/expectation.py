"""When an answer is to be expected, honestly: from who works when, who has room, and how long answers took so far.

Told at submission, beside the promise. The worker works it out every few minutes, so that asking costs nothing for it.
"""

from datetime import datetime, timedelta
from statistics import quantiles

from django.db.models import F, Max

from backend import clock
from people.models import Person, Role
from questions import calendars, experts
from questions.models import Answer, Expertise, Question, Topic

USUAL = timedelta(hours=4)  # of working time, until there is history: eight of ten answers take less
HISTORY = 200  # answers a topic
HISTORY_MIN = 20
FRESH = timedelta(minutes=30)  # an older forecast is not told: then the promise alone is


def at_submission(question: Question) -> datetime | None:
    """The forecast of the topic; of the slowest topic while it is not known. None when there is no fresh one."""
    fresh = question.received_at - FRESH
    if question.topic is not None:
        topic = question.topic
        return topic.expected_at if topic.forecast_at and topic.forecast_at >= fresh else None
    found: datetime | None = Topic.objects.filter(is_active=True, forecast_at__gte=fresh).aggregate(at=Max("expected_at"))[
        "at"
    ]
    return found


def refresh() -> None:
    """The forecast of every topic for a question that is asked now."""
    at = clock.now()
    for topic in Topic.objects.filter(is_active=True):
        Topic.objects.filter(pk=topic.pk).update(expected_at=_forecast(topic, at), forecast_at=at)


def _forecast(topic: Topic, at: datetime) -> datetime | None:
    """When the second of the experts who could take it now would be done: the first may not react. None: nobody works."""
    knows = Expertise.objects.filter(topic=topic, person__roles__contains=[Role.EXPERT])
    free = knows.exclude(person__workload__open_count__gte=F("person__workload__capacity"))
    people = list(Person.objects.present().filter(pk__in=free.values("person")))
    weeks = experts.weeks_of(people)
    takes = typical(topic)
    times = [calendars.add_working_time(week, at, takes) for week in weeks.values() if not experts.is_away(week, at)]
    done = sorted(time for time in times if time)
    return done[min(1, len(done) - 1)] if done else None


def typical(topic: Topic) -> timedelta:
    """Working time from offer to answer that four of five answers of this topic needed."""
    rows = (
        Answer.objects.filter(question__topic=topic, assignment__isnull=False, approved_by__isnull=True)
        .exclude(state=Answer.State.REFUSED)
        .select_related("assignment", "author")
        .order_by("-received_at")[:HISTORY]
    )
    answers = list(rows)
    if len(answers) < HISTORY_MIN:
        return USUAL
    weeks = experts.weeks_of({answer.author for answer in answers})
    took = [
        calendars.working_time_between(weeks[answer.author_id], answer.assignment.offered_at, answer.received_at)
        for answer in answers
        if answer.assignment
    ]
    return timedelta(seconds=quantiles([time.total_seconds() for time in took], n=5)[-1])
