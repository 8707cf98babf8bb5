"""Who could answer a question: the experts of its topic as plain rows, their working time and their free places.

Room is settled by the database: one guarded UPDATE on the expert's Workload.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from backend import clock
from backend.ring import ring
from people.models import Absence, Person, Role, WorkingHours
from questions import calendars
from questions.calendars import OFFICE_WEEK, Span, Week
from questions.models import Answer, Assignment, Expertise, Question, Workload

SATURDAY = 5
RATED_DAYS = 180  # how far back ratings and speed count, where they may count at all
STAND_INS_MAX = 10  # how long a chain of stand-ins may be


@dataclass(frozen=True)
class Candidate:
    """One expert as routing sees them: a plain row."""

    person_id: UUID
    level: int  # 1 to 3
    open_count: int
    capacity: int
    language: str
    works: Span | None  # the working span that runs now, or the next one
    time_left: timedelta = timedelta(0)  # their working time between now and the end of the promise
    answered_before: bool = False
    record: float = 0.0  # 0 to 1, from speed and ratings; stays 0 unless the works council agreed


def candidates_for(question: Question, at: datetime, until: datetime) -> list[Candidate]:
    """Everybody who knows the topic and may get it: never the asker or whom they excluded, a leaver, an absentee, or who
    had it this round. `until` is the end of the promise (or of the horizon, when that is over)."""
    had_it = Assignment.objects.filter(round=question.current_round).values("expert_id")
    knows = (
        Expertise.objects.filter(topic=question.topic, person__roles__contains=[Role.EXPERT])
        .filter(person__in=Person.objects.present())
        .exclude(person=question.asker_id)
        .exclude(person__in=question.not_to)
        .exclude(person__in=had_it)
        .select_related("person", "person__workload")
    )
    rows = list(knows)
    weeks = weeks_of([row.person for row in rows])
    before = set(question.answers.filter(state=Answer.State.RELEASED).values_list("author", flat=True))
    records = personal_records(weeks) if settings.PERSONAL_SCORES else {}
    return [
        Candidate(
            person_id=row.person_id,
            level=row.level,
            open_count=_workload(row.person).open_count,
            capacity=_workload(row.person).capacity,
            language=row.person.language,
            works=calendars.next_open(weeks[row.person_id], at),
            time_left=calendars.working_time_between(weeks[row.person_id], at, until),
            answered_before=row.person_id in before,
            record=records.get(row.person_id, 0.0),
        )
        for row in rows
        if not is_away(weeks[row.person_id], at)
    ]


def is_away(week: Week, at: datetime) -> bool:
    return any(begins <= at < ends for begins, ends in week.away)


def _workload(person: Person) -> Workload:
    known: Workload | None = getattr(person, "workload", None)
    return known or Workload.objects.get_or_create(person=person)[0]


def weeks_of(people: Iterable[Person]) -> dict[UUID, Week]:
    """Everybody's working time, in two queries.

    Who works Monday to Friday is off on national holidays. Who has weekend hours works by a roster: the roster has the
    holidays in it, and theirs are absences.
    """
    people = list(people)
    ids = [person.pk for person in people]
    slots: dict[UUID, list[tuple[int, int, int]]] = {pk: [] for pk in ids}
    away: dict[UUID, list[Span]] = {pk: [] for pk in ids}
    hours = WorkingHours.objects.filter(person__in=ids)
    for pk, *slot in hours.values_list("person_id", "weekday", "starts_minute", "ends_minute"):
        slots[pk].append((slot[0], slot[1], slot[2]))
    for absence in Absence.objects.filter(person__in=ids, ends_at__gt=clock.now()):
        away[absence.person_id].append((absence.starts_at, absence.ends_at))
    return {
        person.pk: _week(person.zone, tuple(slots[person.pk]) or OFFICE_WEEK, tuple(away[person.pk])) for person in people
    }


def _week(zone: ZoneInfo, slots: tuple[tuple[int, int, int], ...], away: tuple[Span, ...]) -> Week:
    by_roster = any(weekday >= SATURDAY for weekday, _begins, _ends in slots)
    return Week(zone, slots, away=away, country="" if by_roster else settings.HOLIDAYS_COUNTRY)


def personal_records(people: Iterable[UUID]) -> dict[UUID, float]:
    """0 to 1 a person: how often their answers helped. Only called behind PERSONAL_SCORES (works-council consent)."""
    since = clock.now() - timedelta(days=RATED_DAYS)
    rated = Answer.objects.filter(author__in=list(people), received_at__gte=since, helped__isnull=False)
    rows = rated.values("author").annotate(all=Count("pk"), good=Count("pk", filter=Q(helped=True)))
    # One good and one bad rating are given to everybody: two ratings alone make nobody a star or a failure.
    return {row["author"]: (row["good"] + 1) / (row["all"] + 2) for row in rows}


# --- places ----------------------------------------------------------------------------------------------------------


def take_slot(person_id: UUID) -> bool:
    """Reserve one of the expert's places; False when they are full. The database decides between parallel workers."""
    free = Workload.objects.filter(person_id=person_id, open_count__lt=F("capacity"))
    return bool(free.update(open_count=F("open_count") + 1))


def free_slot(person_id: UUID) -> None:
    """Give a place back, and send the question that has waited for it on its way: the nearest promise first."""
    Workload.objects.filter(person_id=person_id, open_count__gt=0).update(open_count=F("open_count") - 1)
    waiting = waits_for(person_id).order_by("current_round__due_at").values_list("pk", flat=True).first()
    if waiting:
        Question.objects.filter(pk=waiting, route_at__isnull=False).update(route_at=clock.now())
        ring("questions.tasks.route_one", str(waiting))


def waits_for(person_id: UUID) -> QuerySet[Question]:
    """Questions that wait for somebody and that this person may have."""
    had_it = Assignment.objects.filter(expert=person_id, round=OuterRef("current_round"))
    return (
        Question.objects.filter(state__in=[Question.State.ROUTING, Question.State.UNSTAFFED], route_at__isnull=False)
        .filter(topic__expertise__person=person_id)
        .exclude(asker=person_id)
        .exclude(not_to__contains=[person_id])
        .exclude(Exists(had_it))
    )


def spoken_for(question: Question, candidates: Iterable[Candidate]) -> set[UUID]:
    """Candidates whose free places belong to questions that queue with a nearer promise: nobody overtakes the queue."""
    queued = Question.objects.filter(queued_at__isnull=False, state=Question.State.ROUTING)
    queued = queued.filter(current_round__due_at__lt=question.current_round.due_at).exclude(pk=question.pk)
    if not queued.exists():
        return set()
    taken = set()
    for candidate in candidates:
        ahead = waits_for(candidate.person_id).filter(pk__in=queued.values("pk")).count()
        if ahead >= candidate.capacity - candidate.open_count:
            taken.add(candidate.person_id)
    return taken


# --- stand-ins -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StandIn:
    """Who stands in at the end of the chain; `cycles` when it comes back to somebody who is away."""

    person_id: UUID | None
    cycles: bool = False


def stand_in_for(person_id: UUID, at: datetime) -> StandIn:
    """Follow the stand-ins of people who are away at `at` to the first who is there."""
    seen = {person_id}
    current: UUID | None = person_id
    for _step in range(STAND_INS_MAX):
        absence = Absence.objects.filter(person=current, starts_at__lte=at, ends_at__gt=at).order_by("starts_at").first()
        if absence is None:
            return StandIn(None if current == person_id else current)
        current = absence.stand_in_id
        if current is None:
            return StandIn(None)
        if current in seen:
            return StandIn(None, cycles=True)
        seen.add(current)
    return StandIn(None, cycles=True)


def may_have(question: Question, person_id: UUID) -> bool:
    """Does this person know the topic, and is there no reason why not them?"""
    had_it = Assignment.objects.filter(round=question.current_round, expert=person_id).exists()
    fit = Expertise.objects.filter(topic=question.topic, person=person_id, person__in=Person.objects.present())
    fit = fit.filter(person__roles__contains=[Role.EXPERT])
    return fit.exists() and not had_it and person_id != question.asker_id and person_id not in question.not_to


def colleagues_for(question: Question) -> list[Person]:
    """Experts of the topic who may have it now and have room; the one who knows it best first."""
    at = clock.now()
    fit = [
        candidate
        for candidate in candidates_for(question, at, question.current_round.due_at)
        if candidate.open_count < candidate.capacity
    ]
    fit.sort(key=lambda candidate: (-candidate.level, candidate.open_count / candidate.capacity))
    people = Person.objects.in_bulk([candidate.person_id for candidate in fit])
    return [people[candidate.person_id] for candidate in fit]
