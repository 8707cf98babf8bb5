"""Who could answer a question: the experts of its topic as plain rows, their working time and their free places.

Room is settled by the database: one guarded UPDATE on the expert's Workload.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest

from backend import clock
from backend.ring import ring
from people.models import Absence, Person, Role, WorkingHours
from questions import calendars, records
from questions.calendars import OFFICE_WEEK, Span, Week
from questions.models import Answer, Assignment, Expertise, Question, Workload

SATURDAY = 5
FILLING_MAX = timedelta(minutes=1)  # a worker that looks longer for what fits a free place has died
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
    learned_level: int = 0  # 1 to 3, from answers that helped; stays 0 unless the works council agreed


def qualified(topic_id: UUID | None) -> QuerySet[Expertise]:
    """Who knows the topic, is an expert and works here."""
    rows = Expertise.objects.filter(topic=topic_id, person__roles__contains=[Role.EXPERT])
    return rows.filter(person__in=Person.objects.present())


def candidates_for(question: Question, at: datetime, until: datetime) -> list[Candidate]:
    """Everybody who knows the topic and may get it: never the asker or whom they excluded, a leaver, an absentee, or who
    had it this round. `until` is the end of the promise (or of the horizon, when that is over)."""
    had_it = Assignment.objects.filter(round=question.current_round).values("expert_id")
    knows = (
        qualified(question.topic_id)
        .exclude(person=question.asker_id)
        .exclude(person__in=question.not_to)
        .exclude(person__in=had_it)
        .select_related("person", "person__workload")
    )
    rows = [row for row in knows if row.person.is_active]  # the day ends by their own clock
    weeks = weeks_of([row.person for row in rows])
    rows = [row for row in rows if not is_away(weeks[row.person_id], at)]
    loads = _loads([row.person for row in rows])
    before = set(question.answers.filter(state=Answer.State.RELEASED).values_list("author", flat=True))
    private = records.of(question.topic_id, [row.person_id for row in rows]) if settings.PERSONAL_SCORES else {}
    return [
        Candidate(
            person_id=row.person_id,
            level=row.level,
            open_count=loads[row.person_id].open_count,
            capacity=loads[row.person_id].capacity,
            language=row.person.language,
            works=calendars.next_open(weeks[row.person_id], at),
            time_left=calendars.working_time_between(weeks[row.person_id], at, until),
            answered_before=row.person_id in before,
            record=private[row.person_id].score if private else 0.0,
            learned_level=private[row.person_id].level if private else 0,
        )
        for row in rows
    ]


def anybody_knows(question: Question) -> bool:
    """Is there an expert left who may have it, be they away or not?"""
    had_it = Assignment.objects.filter(round=question.current_round).values("expert_id")
    left = qualified(question.topic_id).exclude(person__in=had_it)
    return left.exclude(person=question.asker_id).exclude(person__in=question.not_to).exists()


def is_away(week: Week, at: datetime) -> bool:
    return any(begins <= at < ends for begins, ends in week.away)


def _loads(people: Iterable[Person]) -> dict[UUID, Workload]:
    """Everybody's workload; who has none yet gets one."""
    known = {person.pk: getattr(person, "workload", None) for person in people}
    missing = [pk for pk, load in known.items() if load is None]
    if missing:
        enlist(missing)
        known |= Workload.objects.in_bulk(missing)
    return {pk: load for pk, load in known.items() if load is not None}


def enlist(people: Iterable[UUID]) -> None:
    """A workload for who has none yet."""
    Workload.objects.bulk_create([Workload(person_id=pk) for pk in people], ignore_conflicts=True)


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


# --- places ----------------------------------------------------------------------------------------------------------


def take_slot(question: Question, person_id: UUID) -> bool:
    """Reserve one of the expert's places; False when they are full, or away, gone or no expert of the topic by now.

    The database decides between parallel workers: the UPDATE holds the row of the workload, and whoever is leaving or
    going away waits for that row (`hold`). So what is looked up after it is true until we commit.
    """
    enlist([person_id])
    free = Workload.objects.filter(person_id=person_id, open_count__lt=F("capacity"))
    if not free.update(open_count=F("open_count") + 1):
        return False
    if is_here(question.topic_id, person_id):
        return True
    Workload.objects.filter(person_id=person_id).update(open_count=F("open_count") - 1)
    return False


def is_here(topic_id: UUID | None, person_id: UUID) -> bool:
    """An expert of the topic who works here and is not away at this very moment."""
    now = clock.now()
    away = Absence.objects.filter(person=OuterRef("person"), starts_at__lte=now, ends_at__gt=now)
    found = qualified(topic_id).filter(~Exists(away), person=person_id).select_related("person").first()
    return found is not None and found.person.is_active


def free_slot(person_id: UUID) -> None:
    """Give a place back; what waits for it is looked for as soon as this has committed.

    Touches no other row, least of all the question that waits: its worker may be waiting for this very workload.
    """
    held = Workload.objects.filter(person_id=person_id, open_count__gt=0)
    left = F("open_count") - 1
    capacity = Greatest(left, Coalesce("lower_to", "capacity"))
    held.update(open_count=left, capacity=capacity, look_at=clock.now())
    ring("questions.tasks.fill_places", str(person_id))


def note_room(*people: UUID) -> None:
    """These people may take a question now (back, more room, a new topic): who waits for them is looked for."""
    enlist(people)
    Workload.objects.filter(person__in=people).update(look_at=clock.now())
    for person_id in people:
        ring("questions.tasks.fill_places", str(person_id))


def set_capacity(person: Person, capacity: int) -> None:
    """How much the person may hold from now on; less than they hold now comes as places become free."""
    Workload.set_capacity(person, capacity)
    note_room(person.pk)


def hold(person_id: UUID) -> None:
    """Nobody takes or frees a place of this person until we commit; who is doing it now has committed. Questions first!"""
    enlist([person_id])
    list(Workload.objects.select_for_update().filter(person_id=person_id))


def has_room(person_id: UUID) -> bool:
    return Workload.objects.filter(person_id=person_id, open_count__lt=F("capacity")).exists()


def due_for_filling(limit: int) -> list[UUID]:
    """People who may have room and whom nobody looked for yet."""
    rows = Workload.objects.filter(look_at__lte=clock.now()).order_by("look_at")
    return list(rows.values_list("person_id", flat=True)[:limit])


def claim_filling(person_id: UUID) -> datetime | None:
    """One worker looks for what this person can take; the time is what it hands to `filled`. None: nothing to do."""
    now = clock.now()
    lease = now + FILLING_MAX
    claimed = Workload.objects.filter(person_id=person_id, look_at__lte=now).update(look_at=lease)
    return lease if claimed else None


def filled(person_id: UUID, lease: datetime) -> None:
    """Looked for; a place that became free meanwhile stays due."""
    Workload.objects.filter(person_id=person_id, look_at=lease).update(look_at=None)


def waiting_for(person_id: UUID, limit: int) -> list[UUID]:
    """Questions that wait and that this person can take, the nearest promise first."""
    person = Person.objects.present().filter(pk=person_id, roles__contains=[Role.EXPERT]).first()
    if person is None or not person.is_active:
        return []
    now = clock.now()
    week = weeks_of([person])[person_id]
    works = calendars.next_open(week, now)
    if works is None or is_away(week, now):
        return []
    in_time = Q(current_round__due_at__gt=works[0]) | Q(current_round__due_at__lte=now)  # when it is over, whenever
    rows = waits_for(person_id).filter(in_time).order_by("current_round__due_at", "pk")
    return list(rows.values_list("pk", flat=True)[:limit])


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


# How many queued questions with a nearer promise could go to each candidate. A candidate counts from when they work:
# a question whose promise ends before that cannot be theirs and keeps no place.
AHEAD = """
SELECT c.person_id, count(*)
FROM unnest(%s::uuid[], %s::timestamptz[]) AS c (person_id, works_at)
JOIN questions_expertise e ON e.person_id = c.person_id
JOIN questions_question q ON q.topic_id = e.topic_id
JOIN questions_round r ON r.id = q.current_round_id
WHERE q.queued_at IS NOT NULL AND q.state = 'routing' AND q.id <> %s AND r.due_at < %s
  AND (r.due_at > c.works_at OR r.due_at <= %s)
  AND q.asker_id <> c.person_id AND NOT c.person_id = ANY (q.not_to)
  AND NOT EXISTS (SELECT 1 FROM questions_assignment a WHERE a.round_id = r.id AND a.expert_id = c.person_id)
GROUP BY c.person_id
"""


def spoken_for(question: Question, candidates: Iterable[Candidate], at: datetime) -> set[UUID]:
    """Candidates whose free places belong to questions that queue with a nearer promise: nobody overtakes the queue.

    One query, however many candidates and questions there are.
    """
    free = {c.person_id: c.capacity - c.open_count for c in candidates if c.works and c.open_count < c.capacity}
    works = {c.person_id: c.works[0] for c in candidates if c.works}
    people = list(free)
    with connection.cursor() as cursor:
        due_at = question.current_round.due_at
        cursor.execute(AHEAD, [people, [works[pk] for pk in people], question.pk, due_at, at])
        return {person_id for person_id, ahead in cursor.fetchall() if ahead >= free[person_id]}


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
    fit = qualified(question.topic_id).filter(person=person_id)
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
