"""Whose work goes to somebody else: who left, is away, or knows the topic no more. People's lifecycle calls these.

All of it runs in the transaction of its cause. Locks are taken as everywhere: questions in the order of their ids, then
the workload.
"""

from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from backend import clock
from backend.ring import ring
from people.models import Person, Role
from questions import approvals, desk, experts, releasing, routing
from questions.models import Assignment, DutyShift, Expertise, Question, Topic, Workload, record

STEADY_TRIES = 10
OPEN = Q(state__in=Assignment.OPEN)
OFFERED = Q(state=Assignment.State.OFFERED)


def left(person: Person) -> None:
    """Their questions, approvals, desk items, duties and topics to lead, in the transaction in which they leave."""
    Topic.objects.filter(lead=person).update(lead=None)
    _end_duties(person)
    _let_go(person)
    move_from(person, why="left")  # last: it holds a workload, and nobody locks a question after that


def absent(person: Person) -> None:
    _let_go(person)
    move_from(person, why="absent")


def _let_go(person: Person) -> None:
    """What they wrote leaves, what they were to approve others approve, what they took from the desk waits again."""
    releasing.author_gone(person)
    approvals.approver_gone(person)
    desk.holder_gone(person)


def changed(person: Person) -> None:
    """Back, with another role or other hours: offers that are not for them any more move, and they may take what waits."""
    withdraw_offers(person)
    if person.has_role(Role.EXPERT):
        experts.note_room(person.pk)


def experts_changed(topic: Topic) -> None:
    """The topic's list of experts was edited: offers to who is not on it move, the others may take what waits."""
    lost = Assignment.objects.filter(OFFERED & ~_knows_it(), question__topic=topic)
    for person in Person.objects.filter(pk__in=lost.values("expert")).order_by("pk"):
        withdraw_offers(person)
    experts.note_room(*experts.qualified(topic.pk).order_by("person_id").values_list("person_id", flat=True))


def withdraw_offers(person: Person) -> None:
    """Offers of topics that they do not answer any more move on.

    What somebody has accepted stays theirs: they said yes, and hand it back when they cannot.
    """
    move_from(person, why="not_an_expert", which=OFFERED & ~Q(_knows_it()))


def _knows_it() -> Exists:
    """Of an assignment: its expert still is one of the question's topic."""
    return Exists(
        Expertise.objects.filter(
            topic=OuterRef("question__topic"),
            person=OuterRef("expert"),
            person__roles__contains=[Role.EXPERT],
        )
    )


# --- questions -------------------------------------------------------------------------------------------------------


def move_from(person: Person, *, why: str, which: Q = OPEN) -> int:
    """What the person holds goes to their stand-in, or to whom routing chooses. Returns how many assignments ended."""
    if not (person.has_role(Role.EXPERT) or Workload.objects.filter(person=person).exists()):
        return 0
    at = clock.now()
    held = _held_still(person, which)
    for question, assignment in held:
        if routing.end_assignment(assignment, Assignment.State.MOVED, at):
            if routing.asks_the_asker(assignment):
                routing.stop_waiting(question, at)
            record(question, "moved", assignment=str(assignment.pk), expert=str(person.pk), why=why)
            _to_stand_in(question, person)
    return len(held)


def _held_still(person: Person, which: Q) -> list[tuple[Question, Assignment]]:
    """What the person holds, with all of it locked: from now on nobody gives them anything until we commit.

    An offer on its way holds their workload, and we hear of it when it has committed. Its question must be locked before
    the workload, so then everything is let go (a savepoint gives its locks back) and taken once more.
    """
    mine = Assignment.objects.filter(which, expert=person)
    wanted = sorted(mine.values_list("question_id", flat=True))
    for _try in range(STEADY_TRIES):
        mark = transaction.savepoint()
        locked = Question.objects.select_for_update(of=("self",)).select_related("current_round", "topic", "asker")
        questions = {question.pk: question for question in locked.filter(pk__in=wanted).order_by("pk")}
        experts.hold(person.pk)
        held = list(mine.order_by("question_id"))
        if all(assignment.question_id in questions for assignment in held):
            transaction.savepoint_commit(mark)
            return [(questions[assignment.question_id], assignment) for assignment in held]
        transaction.savepoint_rollback(mark)
        wanted = sorted(assignment.question_id for assignment in held)
    raise OperationalError(f"{person.pk} gets more questions than can be taken away")


def _to_stand_in(question: Question, person: Person) -> None:
    if question.state == Question.State.PENDING_APPROVAL:
        return  # the answer is written; the approver does not need its author
    if routing.stays_with_others(question):
        return
    at = clock.now()
    question.mark_back_in_routing(at)
    stand_in = experts.stand_in_for(person.pk, at)
    if stand_in.cycles:
        routing.to_desk(question, at, "stand_ins_cycle")
        return
    chosen = _chosen(question, stand_in.person_id) if stand_in.person_id else None
    if chosen and experts.take_slot(question, chosen.person_id):
        reasons = [{"code": "stands_in", "person": person.name}, *chosen.reasons]
        routing.make_offer(question, routing.Ranked(chosen.person_id, chosen.score, reasons), at, by_hand=True)
        return
    ring("questions.tasks.route_one", str(question.pk))


def _chosen(question: Question, stand_in_id: UUID) -> routing.Ranked | None:
    """The stand-in, when they may have it, have room and work in time; and not off duty while somebody else is at work."""
    at = clock.now()
    until = routing.latest_start(question.current_round, at)
    candidates = experts.candidates_for(question, at, until)
    ranked = routing.choose(candidates, now=at, until=until, language=question.language)
    at_work = {one.person_id for one in candidates if one.works and one.works[0] <= at}
    if stand_in_id not in at_work and any(one.person_id in at_work for one in ranked):
        return None
    if stand_in_id in experts.spoken_for(question, candidates, at):
        return None
    return next((one for one in ranked if one.person_id == stand_in_id), None)


# --- what a leaver has besides ---------------------------------------------------------------------------------------


def _end_duties(person: Person) -> None:
    now = clock.now()
    DutyShift.objects.filter(person=person, starts_at__gte=now).delete()
    DutyShift.objects.filter(person=person, ends_at__gt=now).update(ends_at=now)
