"""The duty desk: what waits for a person, and everything a person of the desk can do about it.

By the API, in the back office, and by mail and SMS with an item code: all of them call these functions. Each locks the
question, so that of two people at once one gets it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotAllowed, NotFound, Refusal
from backend.ring import ring
from notifications import item_codes, outbox
from notifications.notify import settle
from people.models import Person
from questions import after, answering, duty, rounds, routing, teaching
from questions.models import Answer, Assignment, DutyShift, Question, Topic, record
from questions.rounds import DESK

WAITING = frozenset({Question.State.TRIAGE, Question.State.UNSTAFFED})
TOLD = {"triage": "question_needs_a_topic", "unstaffed": "question_unstaffed"}  # event of the thread → what the desk heard
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
    """What waits for the desk: no topic, no expert, or nearly due; the nearest promise first."""
    late = Q(current_round__steps_done__gte=DESK, state__in=Question.UNANSWERED)
    rows = Question.objects.filter(
        Q(state__in=WAITING) | late | Q(desk_holder__isnull=False, state__in=Question.UNANSWERED)
    )
    return rows.select_related("current_round", "topic", "asker", "desk_holder").order_by("current_round__due_at", "pk")


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
    if question.desk_holder_id not in {None, person.pk}:
        holder = Person.objects.get(pk=question.desk_holder_id)
        raise Taken(_("%(name)s has %(reference)s already.") % {"name": holder.name, "reference": question.reference})


def _done(person: Person, question: Question) -> None:
    """The others of the desk need not look any more."""
    settle(person, question.subject_key)
    item_codes.close(duty.item(question))
    for event in (*TOLD.values(), "question_nearly_due", "question_overdue"):
        outbox.cancel_for(question.subject_key, event=event)


@transaction.atomic
def take(person: Person, question_id: UUID) -> Question:
    """It is mine to deal with. Twice is fine; raises Taken when a colleague was first."""
    question = _opened(person, question_id)
    if question.desk_holder_id == person.pk:
        return question
    if not question.mark_taken(person):
        _not_somebody_elses(person, question)
    record(question, "desk_took", actor=person, minutes=_minutes_waited(question))
    settle(person, question.subject_key)
    for event in TOLD.values():
        outbox.cancel_for(question.subject_key, event=event)
    return question


@transaction.atomic
def hand_back(person: Person, question_id: UUID) -> Question:
    """Somebody else of the desk shall deal with it: it waits again and whoever is on duty hears it."""
    question = _opened(person, question_id)
    _not_somebody_elses(person, question)
    if question.desk_holder_id is None:
        return question
    Question.objects.filter(pk=question.pk).update(desk_holder=None)
    question.desk_holder = None
    event = record(question, "desk_handed_back", actor=person)
    duty.tell(question, duty.event_for(question), occasion=event.pk)
    return question


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
    answering.offer_by_hand(question, expert_id, at, chosen_by=person, instead_of=held)
    record(question, "desk_assigned", actor=person, at=at, to=str(expert_id), minutes=_minutes_waited(question))
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
    given = answering.give(question, person, draft, open_=question.is_unanswered)
    _done(person, question)
    return given


@transaction.atomic
def close(person: Person, question_id: UUID, reason: str) -> Question:
    """`not_a_question` or `duplicate`: nothing is to be answered; the asker hears it."""
    if reason not in CLOSE_REASONS:
        raise Invalid(_("Close it as “not a question” or as “duplicate”."))
    question = _opened(person, question_id)
    _not_somebody_elses(person, question)
    after.close_unanswered(question, reason, clock.now(), actor=person)
    _done(person, question)
    return question


def _minutes_waited(question: Question) -> int:
    """How long it waited for a person, by the last event that sent it here."""
    since = question.events.filter(kind__in=[*TOLD, "desk_told", "breached"]).order_by("id").last()
    return max(0, int((clock.now() - since.at).total_seconds() // 60)) if since else 0


# --- the rota --------------------------------------------------------------------------------------------------------


def rota(since: datetime, until: datetime) -> QuerySet[DutyShift]:
    """Who is on duty between the two."""
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
    if not starts_at < ends_at <= starts_at + SHIFT_MAX:
        raise Invalid(_("A duty ends after it starts, and within a week."))
    return DutyShift.objects.get_or_create(person=who, starts_at=starts_at, defaults={"ends_at": ends_at})[0]


def remove_shift(person: Person, shift_id: int) -> None:
    """Raises NotAllowed, NotFound."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    if not DutyShift.objects.filter(pk=shift_id).delete()[0]:
        raise NotFound(_("This duty does not exist."))
