"""Who answers: rank the people who know the topic, offer it to the first who has room, pass it on when they cannot.

`rank` is a pure function over plain rows. Room is settled by the database: one guarded UPDATE on the expert's Workload.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F

from backend import clock
from backend.ring import ring
from notifications import item_codes
from notifications.notify import notify
from people.models import Absence, Person, Role, WorkingHours
from questions import calendars, rounds, topics, words
from questions.calendars import OFFICE_WEEK, Span, Week
from questions.models import Assignment, Event, Expertise, Question, Round, Workload, record

HOPS_MAX = 5
AROUND_THE_CLOCK = timedelta(hours=24)  # a span longer than this has no end worth telling
TRY_AGAIN = timedelta(minutes=5)
OFFER_SHARE = 0.25  # of the time left, counted in the expert's working time
OFFER_MIN = timedelta(minutes=30)

# What counts how much. Being at work comes first: nobody off duty is offered a question while somebody at work has room.
AT_WORK_POINTS = 1000.0
ANSWERED_BEFORE_POINTS = 500.0
LEVEL_POINTS = 10.0
ROOM_POINTS = 10.0
LANGUAGE_POINTS = 5.0
WAIT_POINTS_PER_HOUR = -1.0


@dataclass(frozen=True)
class Candidate:
    """One expert as routing sees them: a plain row."""

    person_id: UUID
    level: int
    open_count: int
    capacity: int
    language: str
    works: Span | None  # the working span that runs now, or the next one
    answered_before: bool = False


@dataclass(frozen=True)
class Ranked:
    person_id: UUID
    score: float
    reasons: list[dict[str, Any]]


def rank(candidates: list[Candidate], *, now: datetime, due_at: datetime, language: str) -> list[Ranked]:
    """The candidates who have room and are at work before `due_at`, best first, each with the reasons. Deterministic."""
    fit = [c for c in candidates if c.open_count < c.capacity and c.works and c.works[0] < due_at]
    return sorted((_score(c, now, language) for c in fit), key=lambda r: (-r.score, str(r.person_id)))


def _score(candidate: Candidate, now: datetime, language: str) -> Ranked:
    assert candidate.works is not None  # noqa: S101 — rank() has seen to it
    begins, ends = candidate.works
    at_work = begins <= now
    wait_hours = max(0.0, (begins - now) / timedelta(hours=1))
    room = 1 - candidate.open_count / candidate.capacity
    speaks = candidate.language == language
    score = (
        AT_WORK_POINTS * at_work
        + ANSWERED_BEFORE_POINTS * candidate.answered_before
        + LEVEL_POINTS * candidate.level
        + ROOM_POINTS * room
        + LANGUAGE_POINTS * speaks
        + WAIT_POINTS_PER_HOUR * wait_hours
    )
    reasons: list[dict[str, Any]] = [
        {"code": "knows", "level": candidate.level},
        {"code": "load", "open": candidate.open_count, "capacity": candidate.capacity},
        _hours_reason(begins, ends, now),
    ]
    reasons += [{"code": "speaks", "language": language}] if speaks else []
    reasons += [{"code": "answered_before"}] if candidate.answered_before else []
    return Ranked(candidate.person_id, round(score, 3), reasons)


def _hours_reason(begins: datetime, ends: datetime, now: datetime) -> dict[str, Any]:
    if begins > now:
        return {"code": "works_from", "at": begins.isoformat()}
    if ends > now + AROUND_THE_CLOCK:
        return {"code": "works_now"}
    return {"code": "works_until", "at": ends.isoformat()}


def due_ids(limit: int) -> list[UUID]:
    """Questions that wait for routing, the nearest promise first."""
    rows = Question.objects.filter(route_at__lte=clock.now()).order_by("current_round__due_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def route(question_id: UUID) -> None:
    """Choose a topic if there is none, then offer the question to one expert. Safe to call at any time."""
    question = (
        Question.objects.select_for_update(of=("self",))
        .select_related("current_round", "topic", "asker")
        .get(pk=question_id)
    )
    at = clock.now()
    if question.route_at is None or question.route_at > at:
        return
    if question.topic is None and not _choose_topic(question, at):
        return
    if question.state == Question.State.RECEIVED:
        question.mark_routing(
            question.topic, confidence=question.topic_confidence, chosen_by=question.topic_chosen_by, at=at
        )
    _offer(question, at)


def _choose_topic(question: Question, at: datetime) -> bool:
    choice = topics.choose(question.text)
    if choice.topic is None:
        question.topic_confidence = choice.confidence
        question.mark_triage(choice.guesses)
        guesses = [str(guess) for guess in choice.guesses]
        event = record(question, "triage", confidence=round(choice.confidence, 3), guesses=guesses)
        tell_desk(question, "question_needs_a_topic", occasion=event.pk)
        return False
    question.mark_routing(choice.topic, confidence=choice.confidence, chosen_by="examples", at=at)
    record(question, "topic_chosen", topic=choice.topic.slug, by="examples", confidence=round(choice.confidence, 3))
    rounds.adopt_promise(question, choice.topic)
    return True


def _offer(question: Question, at: datetime) -> None:
    candidates = candidates_for(question, at)
    hops = _hops(question)
    if not candidates or hops >= HOPS_MAX:
        reason = "hops" if hops >= HOPS_MAX else "nobody"
        if question.state != Question.State.UNSTAFFED:
            event = record(question, "unstaffed", reason=reason)
            tell_desk(question, "question_unstaffed", occasion=event.pk)
        question.mark_unstaffed(at + TRY_AGAIN)
        return
    ranked = rank(candidates, now=at, due_at=_latest_start(question.current_round, at), language=question.language)
    for expert in ranked:
        if take_slot(expert.person_id):
            make_offer(question, expert, at, is_swarm=False)
            return
    if question.state == Question.State.ROUTING:
        question.mark_queued(at + TRY_AGAIN)  # a slot that becomes free looks for it at once
    else:
        question.mark_unstaffed(at + TRY_AGAIN)


def _hops(question: Question) -> int:
    """Offers made in this round; the desk's choice of a topic starts the count anew."""
    made = Assignment.objects.filter(round=question.current_round, is_swarm=False)
    chosen = Event.objects.filter(question=question, kind="topic_chosen", data__by="desk").order_by("-id").first()
    return made.filter(offered_at__gte=chosen.at).count() if chosen else made.count()


def _latest_start(round_: Round, at: datetime) -> datetime:
    """Before the promise is over; when it is over already, as soon as anybody works."""
    return round_.due_at if round_.due_at > at else at + calendars.HORIZON


def candidates_for(question: Question, at: datetime) -> list[Candidate]:
    """Everybody who knows the topic and may get it: never the asker, a leaver, an absentee, or who had it this round."""
    had_it = Assignment.objects.filter(round=question.current_round).values("expert_id")
    knows = (
        Expertise.objects.filter(topic=question.topic, person__roles__contains=[Role.EXPERT])
        .filter(person__in=Person.objects.present())
        .exclude(person=question.asker)
        .exclude(person__in=had_it)
        .select_related("person", "person__workload")
    )
    rows = list(knows)
    weeks = weeks_of([row.person for row in rows])
    away_now = set(
        Absence.objects.filter(starts_at__lte=at, ends_at__gt=at, person__in=weeks).values_list("person", flat=True)
    )
    before = set(question.answers.filter(state="released").values_list("author", flat=True))
    return [
        Candidate(
            person_id=row.person_id,
            level=row.level,
            open_count=_workload(row.person).open_count,
            capacity=_workload(row.person).capacity,
            language=row.person.language,
            works=calendars.next_open(weeks[row.person_id], at),
            answered_before=row.person_id in before,
        )
        for row in rows
        if row.person_id not in away_now
    ]


def _workload(person: Person) -> Workload:
    known: Workload | None = getattr(person, "workload", None)
    return known or Workload.objects.get_or_create(person=person)[0]


def weeks_of(people: list[Person]) -> dict[UUID, Week]:
    """Everybody's working time, in two queries."""
    ids = [person.pk for person in people]
    slots: dict[UUID, list[tuple[int, int, int]]] = {pk: [] for pk in ids}
    away: dict[UUID, list[Span]] = {pk: [] for pk in ids}
    hours = WorkingHours.objects.filter(person__in=ids)
    for pk, *slot in hours.values_list("person_id", "weekday", "starts_minute", "ends_minute"):
        slots[pk].append((slot[0], slot[1], slot[2]))
    for absence in Absence.objects.filter(person__in=ids, ends_at__gt=clock.now()):
        away[absence.person_id].append((absence.starts_at, absence.ends_at))
    return {
        person.pk: Week(ZoneInfo(person.time_zone), tuple(slots[person.pk]) or OFFICE_WEEK, tuple(away[person.pk]))
        for person in people
    }


def take_slot(person_id: UUID) -> bool:
    """Reserve one of the expert's places; False when they are full. The database decides between parallel workers."""
    free = Workload.objects.filter(person_id=person_id, open_count__lt=F("capacity"))
    return bool(free.update(open_count=F("open_count") + 1))


def free_slot(person_id: UUID) -> None:
    """Give a place back and look at once whether a queued question can have it, the nearest promise first."""
    Workload.objects.filter(person_id=person_id, open_count__gt=0).update(open_count=F("open_count") - 1)
    waiting = (
        Question.objects.filter(state=Question.State.ROUTING, route_at__isnull=False)
        .filter(topic__expertise__person=person_id)
        .order_by("current_round__due_at")
        .values_list("pk", flat=True)
        .first()
    )
    if waiting:
        Question.objects.filter(pk=waiting, route_at__isnull=False).update(route_at=clock.now())
        ring("questions.tasks.route_one", str(waiting))


def make_offer(question: Question, expert: Ranked, at: datetime, *, is_swarm: bool) -> Assignment:
    """Offer the question to this expert, whose place is taken already, and tell them. Called with the question locked."""
    person = Person.objects.get(pk=expert.person_id)
    assignment = Assignment.objects.create(
        question=question,
        round=question.current_round,
        expert=person,
        is_swarm=is_swarm,
        reasons=expert.reasons,
        score=expert.score,
        offered_at=at,
        expires_at=_expiry(question.current_round, person, at),
    )
    if not is_swarm:
        question.mark_offered()
    record(
        question,
        "offered",
        actor=None,
        assignment=str(assignment.pk),
        expert=str(person.pk),
        swarm=is_swarm,
        score=expert.score,
    )
    label = words.label(question)
    code = item_codes.open_for(person, assignment.item, label)
    notify(
        person,
        key=f"{assignment.item}:offered",
        event="question_offered",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        **words.offer(question, assignment, person, code.code),
    )
    return assignment


def _expiry(round_: Round, person: Person, at: datetime) -> datetime:
    """A quarter of the time left in the expert's working time, half an hour at least, and before the next step."""
    left = max(round_.due_at - at, timedelta(0))
    week = weeks_of([person])[person.pk]
    working = calendars.add_working_time(week, at, max(left * OFFER_SHARE, OFFER_MIN))
    end = working or at + OFFER_MIN
    if round_.next_step_at and round_.next_step_at > at:
        end = min(end, round_.next_step_at - timedelta(seconds=1))
    return max(end, at + timedelta(seconds=1))


def swarm(question: Question, at: datetime, size: int) -> list[Assignment]:
    """Offer the question to `size` more experts; the first answer wins. Called with the question locked."""
    ranked = rank(
        candidates_for(question, at),
        now=at,
        due_at=_latest_start(question.current_round, at),
        language=question.language,
    )
    made: list[Assignment] = []
    for expert in ranked:
        if len(made) == size:
            break
        if take_slot(expert.person_id):
            made.append(make_offer(question, expert, at, is_swarm=True))
    return made


def end_assignment(assignment: Assignment, state: str, at: datetime, *, decline_reason: str = "") -> bool:
    """Close an open assignment and free its place. Called with the question locked."""
    if not assignment.mark_ended(state, at, decline_reason=decline_reason):
        return False
    item_codes.close(assignment.item)
    free_slot(assignment.expert_id)
    return True


def pass_on(question: Question, at: datetime) -> None:
    """Nobody has it any more (declined, expired): back to routing, unless a swarm still holds it."""
    if Assignment.objects.filter(question=question, state__in=Assignment.OPEN).exists():
        return
    question.mark_back_in_routing(at)
    ring("questions.tasks.route_one", str(question.pk))


def due_offers(limit: int) -> list[UUID]:
    rows = Assignment.objects.filter(state="offered", expires_at__lte=clock.now()).order_by("expires_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def expire(assignment_id: UUID) -> None:
    """An offer that nobody reacted to passes on. An acceptance that came first wins (one guarded UPDATE)."""
    at = clock.now()
    assignment = Assignment.objects.select_related("expert").get(pk=assignment_id)
    question = Question.objects.select_for_update().get(pk=assignment.question_id)
    if assignment.expires_at > at or not assignment.mark_expired(at):
        return
    item_codes.close(assignment.item)
    free_slot(assignment.expert_id)
    record(question, "offer_expired", assignment=str(assignment.pk), expert=str(assignment.expert_id))
    pass_on(question, at)


def desk_people() -> list[Person]:
    return list(Person.objects.present().filter(roles__contains=[Role.DUTY_DESK]))


def tell_desk(question: Question, event: str, *, urgent: bool = False, occasion: int = 0) -> None:
    """Everybody of the duty desk hears it, once a round, event and occasion."""
    link = f"{settings.PUBLIC_BASE_URL}/admin/questions/question/{question.pk}/change/"
    for person in desk_people():
        notify(
            person,
            key=f"round:{question.current_round_id}:{event}:{occasion}:{person.pk}",
            event=event,
            subject_key=question.subject_key,
            urgent=urgent,
            **words.for_desk(question, person, event, link),
        )
