"""An answer leaves: at once, when its ten minutes are over, or when its author says so.

Straight to a friend there is nobody in between who reads it, so its author has ten minutes to look at what will be shown.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import NotFound, Refusal
from notifications import item_codes
from notifications.notify import settle
from people.models import Person
from questions import after, duty, facts, intake, knowledge, promise, reuse, rounds, routing, teaching
from questions.models import Answer, Assignment, Question, record

LOOK_AGAIN = timedelta(minutes=10)  # how long a `direct` answer can be held back


class NotHeld(Refusal):
    """No answer of this person's waits to leave: it is out, or there is none."""

    code = "not_held"


def release(question: Question, given: Answer, at: datetime) -> None:
    """The answer is out; `at` is what the promise is judged by: the answer's receipt, or its approval's. Needs the lock."""
    now = clock.now()
    rounds.resume(question, at)  # also for an answer that did not wait for the asker's reply: the pause counts
    question.mark_answered(after.first_reminder(now))
    record(question, "answered", actor=given.author, at=at, answer=str(given.pk), source=given.source)
    facts.answered(question, given, in_time=promise.settle(question, at))
    routing.drop_clarification(question, now)
    item_codes.close(duty.item(question))
    settle(given.author, question.subject_key)
    held = Assignment.objects.filter(question=question, state__in=Assignment.OPEN).select_related("expert")
    for open_ in held.order_by("expert_id"):  # workloads in one order, whoever else ends a swarm now
        mine = open_.pk == given.assignment_id
        routing.end_assignment(open_, Assignment.State.ANSWERED if mine else Assignment.State.SUPERSEDED, now)
        if not mine:
            settle(open_.expert, question.subject_key)
            intake.tell_no_longer_needed(question, open_, "answered")
    teaching.answered(question, given)
    knowledge.note(question, given)
    after.tell_asker(question, given)
    after.send_to_friend(question)


def release_correction(question: Question, made: Answer) -> None:
    """Whoever passed on or used the old text hears of the new one, and the new one is found. Needs the lock."""
    after.tell_correction(question, made)
    reuse.tell_correction(question, made)
    knowledge.note(question, made)


# --- ten minutes to look at it again ---------------------------------------------------------------------------------


def _held(expert: Person, assignment_id: UUID) -> tuple[Question, Answer]:
    """Raises NotFound, also for somebody else's; NotHeld."""
    assignment = Assignment.objects.filter(pk=assignment_id, expert=expert).first()
    if assignment is None:
        raise NotFound(_("This assignment does not exist."))
    question = routing.locked(assignment.question_id)
    held = Answer.objects.filter(assignment=assignment, state=Answer.State.HELD).select_related("author").first()
    if held is None:
        raise NotHeld(_("No answer to %(reference)s waits to leave.") % {"reference": question.reference})
    return question, held


@transaction.atomic
def hold(expert: Person, assignment_id: UUID) -> Answer:
    """It does not leave by itself any more: its author sends it, or writes it anew. Twice is fine; NotFound, NotHeld."""
    question, held = _held(expert, assignment_id)
    if held.leaves_at is not None:
        Answer.objects.filter(pk=held.pk).update(leaves_at=None)
        held.leaves_at = None
        record(question, "answer_held_back", actor=expert, answer=str(held.pk))
    return held


@transaction.atomic
def send(expert: Person, assignment_id: UUID, *, received_at: datetime) -> Answer:
    """Now. One that was held back counts from here: until now nobody could have had it. Raises NotFound, NotHeld."""
    question, held = _held(expert, assignment_id)
    _leave(question, held, received_at if held.leaves_at is None else held.received_at)
    return held


def _leave(question: Question, held: Answer, at: datetime) -> None:
    Answer.objects.filter(pk=held.pk).update(state=Answer.State.RELEASED, leaves_at=None)
    held.state, held.leaves_at = Answer.State.RELEASED, None
    release(question, held, at)


def due_ids(limit: int) -> list[UUID]:
    rows = Answer.objects.filter(leaves_at__lte=clock.now()).order_by("leaves_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def leave(answer_id: UUID) -> None:
    """The ten minutes are over. Safe to call at any time."""
    question = routing.locked(Answer.objects.values_list("question", flat=True).get(pk=answer_id))
    held = Answer.objects.select_related("author").get(pk=answer_id)
    if held.leaves_at is not None and held.leaves_at <= clock.now():
        _leave(question, held, held.received_at)


def author_gone(person: Person) -> None:
    """Who left or is away cannot say WAIT any more: what they wrote leaves now, before their work moves on."""
    rows = Answer.objects.filter(author=person, leaves_at__isnull=False).order_by("question_id").select_related("author")
    for held in rows:
        _leave(routing.locked(held.question_id), held, held.received_at)
