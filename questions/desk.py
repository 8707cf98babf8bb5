"""The duty desk: what waits for a person, and everything a person of the desk can do about it.

By the API, in the back office, and by mail and SMS with an item code: all of them call these functions. Each locks the
question, so that of two people at once one gets it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotAllowed, NotFound, Refusal
from backend.ring import ring
from notifications import item_codes, outbox
from notifications.notify import settle
from people.models import Person
from questions import after, answering, duty, experts, rounds, routing, teaching
from questions.duty import WAITING
from questions.models import Answer, Assignment, DutyShift, Question, Round, Topic, Workload, record
from questions.rounds import DESK

TOLD = ("question_needs_a_topic", "question_unstaffed", "question_nearly_due", "question_overdue")  # what the desk hears
EXPERTS_SHOWN = 50
SHIFT_MAX = timedelta(days=7)
ROTA_SHOWN = timedelta(weeks=4)
CLOSE_REASONS = frozenset({Question.CloseReason.NOT_A_QUESTION, Question.CloseReason.DUPLICATE})


class NotInTriage(Refusal):
    """The question does not wait for the desk: a colleague was first, an expert has it, or it is over."""

    code = "not_in_triage"


class Taken(Refusal):
    """A colleague of the desk has it."""

    code = "taken"


def items() -> QuerySet[Question]:
    """What waits for the desk: no topic, no expert, nearly due, or in somebody's hands; the nearest promise first."""
    rows = Question.objects.filter(pk__in=item_ids(), state__in=Question.UNANSWERED)
    return rows.select_related("current_round", "topic", "asker", "desk_holder").order_by("current_round__due_at", "pk")


def item_ids() -> QuerySet[Any, Any]:
    """A union, so that each part finds its rows by an index: an OR over two tables would read every question."""
    nearly_due = Round.objects.filter(steps_done__gte=DESK, is_answered=False)
    taken = Question.objects.filter(desk_holder__isnull=False, state__in=Question.UNANSWERED)
    waiting = Question.objects.filter(state__in=WAITING)
    return waiting.values("pk").union(taken.values("pk"), nearly_due.values("question"), all=True)


def guessed(questions: Iterable[Question]) -> dict[UUID, Topic]:
    """The topics that these may be about, by id. One query."""
    return Topic.objects.in_bulk({pk for question in questions for pk in question.topic_guesses})


def _opened(person: Person, question_id: UUID) -> Question:
    """The unanswered question, locked. Raises NotAllowed, NotFound, NotInTriage."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    if not Question.objects.filter(pk=question_id).exists():
        raise NotFound(_("This question does not exist."))
    question = routing.locked(question_id)
    if not question.is_unanswered:
        raise NotInTriage(_("%(reference)s is answered or closed.") % {"reference": question.reference})
    return question


def _not_somebody_elses(person: Person, question: Question) -> None:
    """Raises Taken. Who went home with it does not keep it from the colleague whose duty it is now."""
    holder = question.desk_holder
    if holder is None or holder == person:
        return
    on_duty = duty.on_duty(clock.now())
    if holder in on_duty or person not in on_duty:
        raise Taken(_("%(name)s has %(reference)s already.") % {"name": holder.name, "reference": question.reference})


def _nobody_else_looks(person: Person, question: Question) -> None:
    """The others of the desk are not written to about it any more."""
    settle(person, question.subject_key)
    for event in TOLD:
        outbox.cancel_for(question.subject_key, event=event)


def _done(person: Person, question: Question) -> None:
    """It left the desk."""
    _nobody_else_looks(person, question)
    item_codes.close(duty.item(question))


@transaction.atomic
def take(person: Person, question_id: UUID) -> Question:
    """It is mine to deal with. Twice is fine; raises Taken when a colleague was first."""
    question = _opened(person, question_id)
    if question.desk_holder_id == person.pk:
        return question
    _not_somebody_elses(person, question)
    minutes = _minutes_waited(question)
    if not question.mark_taken(person, instead_of=question.desk_holder):
        raise Taken(_("A colleague has %(reference)s already.") % {"reference": question.reference})
    record(question, "desk_took", actor=person, minutes=minutes)
    _nobody_else_looks(person, question)
    return question


@transaction.atomic
def hand_back(person: Person, question_id: UUID) -> Question:
    """Somebody else of the desk shall deal with it: it waits again and whoever is on duty hears it."""
    question = _opened(person, question_id)
    _not_somebody_elses(person, question)
    _put_back(question, person)
    return question


def _put_back(question: Question, person: Person) -> None:
    if question.mark_put_back():
        event = record(question, "desk_handed_back", actor=person)
        duty.tell(question, duty.event_for(question), occasion=event.pk)


def holder_gone(person: Person) -> None:
    """Who of the desk leaves or is away lets go of what they took."""
    held = Question.objects.filter(desk_holder=person, state__in=Question.UNANSWERED)
    for pk in held.order_by("pk").values_list("pk", flat=True):
        _put_back(routing.locked(pk), person)


@transaction.atomic
def choose_topic(person: Person, question_id: UUID, topic: Topic) -> Question:
    """Send a question that waits for the desk to the experts of `topic`; its text becomes an example of that topic.

    Raises NotAllowed, NotFound, Invalid for a topic that is not in use, NotInTriage, Taken.
    """
    question = _opened(person, question_id)
    if question.state not in WAITING:
        raise NotInTriage(_("%(reference)s does not wait for a topic any more.") % {"reference": question.reference})
    _not_somebody_elses(person, question)
    if not topic.is_active:
        raise Invalid(_("The topic %(topic)s is not in use.") % {"topic": topic})
    at = clock.now()
    minutes = _minutes_waited(question)
    question.mark_routing(topic, confidence=None, chosen_by=Question.TopicChosenBy.DESK, at=at)
    record(question, "topic_chosen", actor=person, at=at, topic=topic.slug, by="desk", minutes=minutes)
    rounds.adopt_promise(question, topic)
    teaching.by_desk(question, topic)
    _done(person, question)
    ring("questions.tasks.route_one", str(question.pk))
    return question


@transaction.atomic
def assign(person: Person, question_id: UUID, expert_id: UUID) -> Question:
    """Offer it to this expert; who held it is relieved. Capacity, absence and conflict rules hold here too.

    Raises NotAllowed, NotFound, NotInTriage, Taken, Invalid without a topic, NotTheirs.
    """
    question = _opened(person, question_id)
    _not_somebody_elses(person, question)
    if question.topic is None:
        raise Invalid(_("Choose a topic for %(reference)s first.") % {"reference": question.reference})
    at = clock.now()
    held = Assignment.objects.filter(question=question, state__in=Assignment.OPEN, is_swarm=False).first()
    if held is not None and held.expert_id == expert_id:
        return question
    minutes = _minutes_waited(question)
    answering.offer_by_hand(question, expert_id, at, chosen_by=person, instead_of=held)
    record(question, "desk_assigned", actor=person, at=at, to=str(expert_id), minutes=minutes)
    _done(person, question)
    return question


@transaction.atomic
def answer(person: Person, question_id: UUID, draft: answering.Draft) -> Answer:
    """The desk answers itself. Too late (an expert was first): kept, and the returned Answer has state `refused`."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    if not Question.objects.filter(pk=question_id).exists():
        raise NotFound(_("This question does not exist."))
    question = routing.locked(question_id)
    if question.is_unanswered:
        _not_somebody_elses(person, question)
    if person.pk == question.asker_id:
        raise NotAllowed(_("Nobody answers their own question."))
    minutes = _minutes_waited(question)
    given = answering.give(question, person, draft, open_=question.is_unanswered)
    if given.state != Answer.State.REFUSED:
        record(question, "desk_answered", actor=person, answer=str(given.pk), minutes=minutes)
        _done(person, question)
    return given


@transaction.atomic
def close(person: Person, question_id: UUID, reason: str) -> Question:
    """`not_a_question` or `duplicate`: nothing is to be answered; the asker hears it."""
    if reason not in CLOSE_REASONS:
        raise Invalid(_("Close it as “not a question” or as “duplicate”."))
    question = _opened(person, question_id)
    _not_somebody_elses(person, question)
    minutes = _minutes_waited(question)
    after.close_unanswered(question, reason, clock.now(), actor=person)
    record(question, "desk_closed", actor=person, reason=str(reason), minutes=minutes)
    _done(person, question)
    return question


def experts_for(question: Question) -> list[tuple[Person, Workload]]:
    """To whom the desk may give it: who knows the topic, is here, has room and did not have it; with what they hold."""
    if question.topic is None:
        return []
    people = experts.colleagues_for(question)[:EXPERTS_SHOWN]
    loads = Workload.objects.in_bulk([person.pk for person in people])
    return [(person, loads[person.pk]) for person in people]


def _minutes_waited(question: Question) -> int:
    """How long it waited for a person, by the last event that sent it here."""
    since = question.events.filter(kind__in=duty.SENT_HERE).order_by("id").last()
    return max(0, int((clock.now() - since.at).total_seconds() // 60)) if since else 0


# --- the rota --------------------------------------------------------------------------------------------------------


def rota(since: datetime, until: datetime) -> QuerySet[DutyShift]:
    """Who is on duty between the two, the first first."""
    return DutyShift.objects.filter(ends_at__gt=since, starts_at__lt=until).select_related("person").order_by("starts_at")


def add_shift(person: Person, on_duty_id: UUID, *, starts_at: datetime, ends_at: datetime) -> DutyShift:
    """Raises NotAllowed, Invalid: not of the desk, no offset, ends before it starts, longer than a week."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    who = next((one for one in duty.desk_people() if one.pk == on_duty_id), None)
    if who is None:
        raise Invalid(_("This colleague is not of the duty desk."))
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise Invalid(_("Give times with their offset, e.g. 2026-07-01T00:00:00+02:00."))
    check_span(starts_at, ends_at)
    shift, _fresh = DutyShift.objects.update_or_create(person=who, starts_at=starts_at, defaults={"ends_at": ends_at})
    duty.rota_changed(starts_at)
    return shift


def check_span(starts_at: datetime, ends_at: datetime) -> None:
    """Raises Invalid."""
    if not starts_at < ends_at <= starts_at + SHIFT_MAX:
        raise Invalid(_("A duty ends after it starts, and within a week."))


def remove_shift(person: Person, shift_id: int) -> None:
    """Raises NotAllowed, NotFound."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    if not DutyShift.objects.filter(pk=shift_id).delete()[0]:
        raise NotFound(_("This duty does not exist."))
