"""Which expert: choose the topic, offer the question to the first who has room, pass it on when they cannot.

`choose` and `offer_ends` are pure functions over plain rows; `benchmarks.promise` runs four weeks through them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from backend import clock
from backend.retry import until_done
from backend.ring import ring
from notifications import item_codes
from notifications.models import Address, InboundMessage, ItemCode
from notifications.notify import notify
from people.models import Person
from questions import calendars, duty, experts, rounds, topics, words
from questions.calendars import Week
from questions.experts import Candidate, candidates_for, free_slot, spoken_for, take_slot, weeks_of
from questions.models import HOPS_MAX, Assignment, Clarification, Event, Question, Round, record

AROUND_THE_CLOCK = timedelta(hours=24)  # a span longer than this has no end worth telling
TRY_AGAIN = timedelta(minutes=5)
SECOND_LOOK = timedelta(seconds=5)  # somebody may have come free while we looked and before we were in the queue
FILL_BATCH = 50  # questions looked at for one person's free places; they have fewer
OFFER_SHARE = 4  # an offer lasts a quarter of the expert's working time before the promise ends …
OFFER_MIN = timedelta(minutes=30)  # … and at least this much of it
MOMENT = timedelta(seconds=1)

# What counts how much. Being at work comes first: nobody off duty is offered a question while somebody at work has room.
AT_WORK_POINTS = 1000.0
ANSWERED_BEFORE_POINTS = 500.0
TIME_POINTS = 60.0  # for enough working time before the promise ends …
TIME_ENOUGH = timedelta(hours=8)  # … which is this much: of ten answers nine take less
LEVEL_POINTS = 10.0
ROOM_POINTS = 60.0  # as much as time: work is spread before it goes to who knows it best
LANGUAGE_POINTS = 5.0
RECORD_POINTS = 10.0  # speed and ratings: 0 for everybody unless the works council agreed
WAIT_POINTS_PER_HOUR = -1.0


@dataclass(frozen=True)
class Ranked:
    person_id: UUID
    score: float
    reasons: list[dict[str, Any]]


def choose(candidates: Iterable[Candidate], *, now: datetime, until: datetime, language: str) -> list[Ranked]:
    """The candidates who have room and are at work before `until`, best first, each with the reasons. Deterministic."""
    fit = [c for c in candidates if c.open_count < c.capacity and works_before(c, until)]
    ranked = [(_score(c, now, language), _private_points(c)) for c in fit]
    return [one for one, _points in sorted(ranked, key=lambda r: (-round(r[0].score + r[1], 3), str(r[0].person_id)))]


def works_before(candidate: Candidate, until: datetime) -> bool:
    return candidate.works is not None and candidate.works[0] < until


def _score(candidate: Candidate, now: datetime, language: str) -> Ranked:
    assert candidate.works is not None  # noqa: S101 — choose() has seen to it
    begins, ends = candidate.works
    speaks = candidate.language == language
    score = (
        AT_WORK_POINTS * (begins <= now)
        + ANSWERED_BEFORE_POINTS * candidate.answered_before
        + TIME_POINTS * min(1.0, candidate.time_left / TIME_ENOUGH)
        + LEVEL_POINTS * candidate.level
        + ROOM_POINTS * (1 - candidate.open_count / candidate.capacity)
        + LANGUAGE_POINTS * speaks
        + WAIT_POINTS_PER_HOUR * max(0.0, (begins - now) / timedelta(hours=1))
    )
    reasons: list[dict[str, Any]] = [
        {"code": "knows", "level": candidate.level},
        {"code": "load", "open": candidate.open_count, "capacity": candidate.capacity},
        _hours_reason(begins, ends, now),
    ]
    reasons += [{"code": "speaks", "language": language}] if speaks else []
    reasons += [{"code": "answered_before"}] if candidate.answered_before else []
    return Ranked(candidate.person_id, round(score, 3), reasons)


def _private_points(candidate: Candidate) -> float:
    """Speed, ratings and what somebody learned: they count, and stand neither in the score that is kept nor in a reason."""
    learned = max(0, candidate.learned_level - candidate.level)
    return RECORD_POINTS * candidate.record + LEVEL_POINTS * learned


def _hours_reason(begins: datetime, ends: datetime, now: datetime) -> dict[str, Any]:
    if begins > now:
        return {"code": "works_from", "at": begins.isoformat()}
    if ends > now + AROUND_THE_CLOCK:
        return {"code": "works_now"}
    return {"code": "works_until", "at": ends.isoformat()}


def offer_ends(week: Week, *, now: datetime, due_at: datetime, steps_at: Sequence[datetime]) -> datetime:
    """When an offer made now lapses: a quarter of the expert's working time before `due_at`, half an hour of it at least,
    and before the promise's next step, unless that step comes before they have had their half hour."""
    left = calendars.working_time_between(week, now, due_at) if due_at > now else timedelta(0)
    shortest = calendars.add_working_time(week, now, OFFER_MIN) or now + OFFER_MIN
    lapses = calendars.add_working_time(week, now, max(left / OFFER_SHARE, OFFER_MIN)) or shortest
    following = [step for step in (*steps_at, due_at) if step > shortest]
    return min(lapses, following[0] - MOMENT) if following else lapses


# --- the topic, and on to an expert ----------------------------------------------------------------------------------


def due_ids(limit: int) -> list[UUID]:
    """Questions that wait for routing, the nearest promise first."""
    rows = Question.objects.filter(route_at__lte=clock.now()).order_by("current_round__due_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def locked(question_id: UUID) -> Question:
    """The question with its round and topic, locked: every move of it begins here. Raises Question.DoesNotExist."""
    return Question.locked(question_id)


@transaction.atomic
def route(question_id: UUID, *, early: bool = False) -> None:
    """Choose a topic if there is none, then offer the question to one expert. Safe to call at any time.

    `early`: also when it waits and is to be tried later, because somebody may have room now.
    """
    question = locked(question_id)
    at = clock.now()
    if question.route_at is None or (question.route_at > at and not early):
        return
    if question.topic is not None and not question.topic.is_active:
        _ask_the_desk(question, "topic_not_in_use", at)
        return
    if question.topic is None and not _choose_topic(question, at):
        return
    if question.state == Question.State.RECEIVED:
        question.mark_routing(
            question.topic, confidence=question.topic_confidence, chosen_by=question.topic_chosen_by, at=at
        )
    _offer(question, at)


def fill(person_id: UUID) -> None:
    """This person may have room: what waits for it is routed, the nearest promise first, until they are full."""
    lease = experts.claim_filling(person_id)
    if lease is None:
        return
    for question_id in experts.waiting_for(person_id, FILL_BATCH):
        if not experts.has_room(person_id):
            break
        until_done(route, question_id, early=True)
    experts.filled(person_id, lease)


def put_aside(question_id: UUID) -> None:
    """Routing broke for this one: later again, and it no longer keeps its place in the queue, so that nobody starves."""
    Question.objects.filter(pk=question_id, route_at__isnull=False).update(route_at=clock.now() + TRY_AGAIN, queued_at=None)


def _ask_the_desk(question: Question, reason: str, at: datetime) -> None:
    """A person says what it is about."""
    if question.mark_triage(question.topic_guesses, duty.next_hearing(at)):
        event = record(question, "triage", reason=reason)
        duty.tell(question, "question_needs_a_topic", occasion=event.pk)


def _choose_topic(question: Question, at: datetime) -> bool:
    choice = topics.choose(question.text)
    said: dict[str, Any] = {
        "confidence": round(choice.confidence, 3),
        "guesses": [str(guess) for guess in choice.guesses],
        "model": choice.version,
    }
    if choice.topic is None:
        question.topic_confidence = choice.confidence
        question.mark_triage(choice.guesses, duty.next_hearing(at))
        event = record(question, "triage", **said)
        duty.tell(question, "question_needs_a_topic", occasion=event.pk)
        return False
    question.mark_routing(choice.topic, confidence=choice.confidence, chosen_by="examples", at=at)
    record(question, "topic_chosen", topic=choice.topic.slug, by="examples", **said)
    rounds.adopt_promise(question, choice.topic)
    return True


def _offer(question: Question, at: datetime) -> None:
    leg, hops = _leg(question)
    if hops >= HOPS_MAX:
        to_desk(question, at, "hops")
        return
    until = latest_start(question.current_round, at)
    candidates = candidates_for(question, at, until)
    if not any(works_before(candidate, until) for candidate in candidates):
        reason = "all_away" if candidates or experts.anybody_knows(question) else "nobody"
        _nobody(question, at, reason, again=True)
        return
    ranked = choose(candidates, now=at, until=until, language=question.language)
    kept_free_for_others = spoken_for(question, candidates, at) if ranked else set()
    for expert in ranked:
        if expert.person_id not in kept_free_for_others and take_slot(question, expert.person_id):
            make_offer(question, expert, at, leg=leg, hop=hops + 1)
            return
    # A place that becomes free from now on finds it at once.
    question.mark_queued(at, at + (TRY_AGAIN if question.queued_at else SECOND_LOOK))


def _nobody(question: Question, at: datetime, reason: str, *, again: bool) -> None:
    """An explicit state, and the desk knows; the clock runs."""
    told = question.state == Question.State.UNSTAFFED
    wait = TRY_AGAIN if told else SECOND_LOOK
    question.mark_unstaffed(at + wait if again else None)
    if not told:
        event = record(question, "unstaffed", reason=reason)
        duty.tell(question, "question_unstaffed", occasion=event.pk)


def to_desk(question: Question, at: datetime, reason: str) -> None:
    """Only the desk moves it on. Called with the question locked."""
    _nobody(question, at, reason, again=False)


def _leg(question: Question) -> tuple[int, int]:
    """(how often the desk has sent this round on its way, offers one after another since then)."""
    by_desk = Event.objects.filter(question=question, kind="topic_chosen", data__by="desk", at__gte=_began(question))
    leg = by_desk.count()
    hops = Assignment.objects.filter(round=question.current_round, leg=leg, hop__isnull=False).count()
    return leg, hops


def _began(question: Question) -> datetime:
    return question.current_round.started_at


def latest_start(round_: Round, at: datetime) -> datetime:
    """Before the promise is over; when it is over already, as soon as anybody works."""
    return round_.due_at if round_.due_at > at else at + calendars.HORIZON


def make_offer(
    question: Question,
    expert: Ranked,
    at: datetime,
    *,
    is_swarm: bool = False,
    by_hand: bool = False,
    leg: int = 0,
    hop: int | None = None,
) -> Assignment:
    """Offer the question to this expert, whose place is taken already, and tell them. Called with the question locked."""
    person = Person.objects.get(pk=expert.person_id)
    round_, week = question.current_round, weeks_of([person])[person.pk]
    assignment = Assignment.objects.create(
        question=question,
        round=round_,
        expert=person,
        is_swarm=is_swarm,
        by_hand=by_hand,
        leg=leg,
        hop=hop,
        reasons=[_about(reason, question) for reason in expert.reasons],
        score=expert.score,
        offered_at=at,
        expires_at=offer_ends(week, now=at, due_at=round_.due_at, steps_at=round_.steps_at),
    )
    if not is_swarm:
        question.mark_offered()
        item_codes.close(duty.item(question))
    how: dict[str, Any] = {"expert": str(person.pk), "swarm": is_swarm, "score": expert.score, "by_hand": by_hand}
    record(question, "offered", assignment=str(assignment.pk), **how)
    code = item_codes.open_for(person, assignment.item, words.label(question))
    notify(
        person,
        key=f"{assignment.item}:offered",
        event="question_offered",
        subject_key=question.subject_key,
        item=assignment.item,
        category="offer",
        on_duty=calendars.is_open(week, at),
        reply_key=code.reply_key,
        **words.offer(question, assignment, person, code.code),
    )
    return assignment


def _about(reason: dict[str, Any], question: Question) -> dict[str, Any]:
    """What they know is kept with its topic: the question may get another one later."""
    return {**reason, "topic": question.topic.slug} if reason["code"] == "knows" and question.topic else reason


def swarm(question: Question, at: datetime, size: int) -> list[Assignment]:
    """Offer the question to `size` more experts; the first answer wins. Called with the question locked."""
    until = latest_start(question.current_round, at)
    ranked = choose(candidates_for(question, at, until), now=at, until=until, language=question.language)
    made: list[Assignment] = []
    for expert in ranked:
        if len(made) == size:
            break
        if take_slot(question, expert.person_id):
            made.append(make_offer(question, expert, at, is_swarm=True))
    return made


# --- the end of an assignment ----------------------------------------------------------------------------------------


def end_assignment(assignment: Assignment, state: str, at: datetime, *, decline_reason: str = "") -> bool:
    """Close an open assignment and free its place. Called with the question locked."""
    if not assignment.mark_ended(state, at, decline_reason=decline_reason):
        return False
    item_codes.close(assignment.item)
    free_slot(assignment.expert_id)
    return True


def drop_clarification(question: Question, at: datetime) -> None:
    """Nobody waits for the reply any more."""
    for clarification in Clarification.objects.filter(question=question, replied_at__isnull=True):
        Clarification.objects.filter(pk=clarification.pk).update(replied_at=at)
        item_codes.close(clarification_item(clarification))


def clarification_item(clarification: Clarification) -> str:
    return f"clarification:{clarification.pk}"


def stop_waiting(question: Question, at: datetime) -> None:
    """The asker's reply is not needed any more: the clock runs on, and whoever still holds the question goes on."""
    if question.state != Question.State.WAITING_FOR_ASKER:
        return
    rounds.resume(question, at)
    drop_clarification(question, at)
    question.mark_in_hands(in_whose_hands(question))


def in_whose_hands(question: Question) -> str:
    """The state that a question's open assignments make; accepted when there are none: then `pass_on` follows."""
    states = set(Assignment.objects.filter(question=question, state__in=Assignment.OPEN).values_list("state", flat=True))
    return Question.State.OFFERED if states == {Assignment.State.OFFERED} else Question.State.ACCEPTED


def asks_the_asker(assignment: Assignment) -> bool:
    """Does this expert wait for the asker's reply?"""
    return Clarification.objects.filter(assignment=assignment, replied_at__isnull=True).exists()


def stays_with_others(question: Question) -> bool:
    """Somebody of a swarm still holds it; then the question stands as they do. Called with the question locked."""
    if not Assignment.objects.filter(question=question, state__in=Assignment.OPEN).exists():
        return False
    if not Clarification.objects.filter(question=question, replied_at__isnull=True).exists():
        question.mark_with_others(in_whose_hands(question))
    return True


def pass_on(question: Question, at: datetime) -> None:
    """Nobody has it any more (declined, handed back, expired): back to routing, unless a swarm still holds it."""
    if not stays_with_others(question) and question.mark_back_in_routing(at):
        ring("questions.tasks.route_one", str(question.pk))


def due_offers(limit: int) -> list[UUID]:
    rows = Assignment.objects.filter(state="offered", expires_at__lte=clock.now()).order_by("expires_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def _reply_is_waiting(assignment: Assignment) -> bool:
    """Their message came in before the offer lapsed and nobody has handled it yet: it is judged first."""
    senders = Address.objects.filter(person=assignment.expert_id).values("value")
    keys = ItemCode.objects.filter(item=assignment.item).values("reply_key")
    unhandled = InboundMessage.objects.filter(state="received", received_at__lte=assignment.expires_at)
    return unhandled.filter(Q(sender__in=senders) | Q(reply_key__in=keys)).exists()


@transaction.atomic
def expire(assignment_id: UUID) -> None:
    """An offer that nobody reacted to passes on. An acceptance that came first wins (one guarded UPDATE)."""
    at = clock.now()
    assignment = Assignment.objects.select_related("expert").get(pk=assignment_id)
    question = locked(assignment.question_id)
    if assignment.expires_at > at or _reply_is_waiting(assignment) or not assignment.mark_expired(at):
        return
    item_codes.close(assignment.item)
    free_slot(assignment.expert_id)
    record(question, "offer_expired", assignment=str(assignment.pk), expert=str(assignment.expert_id))
    pass_on(question, at)
