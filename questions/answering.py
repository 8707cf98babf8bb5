"""An expert accepts, declines or answers; the answer goes to the asker, or straight to the friend; the friend rates it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from notifications import item_codes, outbox
from notifications.models import Delivery, ItemCode
from notifications.notify import notify, settle
from people.models import Person
from questions import intake, promise, routing, words
from questions.models import ANSWER_CHARACTERS, Answer, Assignment, FriendAddress, Question, record

FRIEND_LIFETIME = timedelta(days=3)


class OfferGone(Refusal):
    """The offer lapsed, was taken back, or somebody else has the question."""

    code = "offer_gone"


class AlreadyAnswered(Refusal):
    """Somebody else's answer was first, or the question was withdrawn. What was written is kept."""

    code = "already_answered"


class NoAnswerYet(Refusal):
    code = "no_answer_yet"


def _mine(expert: Person, assignment_id: UUID) -> tuple[Question, Assignment]:
    """The expert's own assignment, with its question locked. Raises NotFound, also for somebody else's."""
    assignment = Assignment.objects.filter(pk=assignment_id, expert=expert).first()
    if assignment is None:
        raise NotFound(_("This assignment does not exist."))
    question = (
        Question.objects.select_for_update(of=("self",))
        .select_related("current_round", "topic", "asker")
        .get(pk=assignment.question_id)
    )
    assignment.refresh_from_db()
    return question, assignment


@transaction.atomic
def accept(expert: Person, assignment_id: UUID) -> Assignment:
    """Take an offer. Accepting twice is fine; raises NotFound, or OfferGone when it lapsed or is over."""
    question, assignment = _mine(expert, assignment_id)
    if assignment.state == Assignment.State.ACCEPTED:
        return assignment
    at = clock.now()
    if not assignment.mark_accepted(at):
        raise OfferGone(_("%(reference)s is no longer yours to take.") % {"reference": question.reference})
    question.mark_accepted()
    record(question, "accepted", actor=expert, at=at, assignment=str(assignment.pk))
    settle(expert, question.subject_key)
    return assignment


@transaction.atomic
def decline(expert: Person, assignment_id: UUID, reason: str = "other") -> Assignment:
    """Say no, with a reason; the question goes on to somebody else. Raises NotFound, OfferGone."""
    question, assignment = _mine(expert, assignment_id)
    if assignment.state == Assignment.State.DECLINED:
        return assignment
    at = clock.now()
    if not routing.end_assignment(assignment, Assignment.State.DECLINED, at, decline_reason=reason):
        raise OfferGone(_("%(reference)s is no longer yours to decline.") % {"reference": question.reference})
    record(question, "declined", actor=expert, at=at, assignment=str(assignment.pk), reason=reason)
    settle(expert, question.subject_key)
    if reason == Assignment.DeclineReason.NOT_MY_TOPIC and question.topic_chosen_by == "examples":
        _back_to_triage(question)
    else:
        routing.pass_on(question, at)
    return assignment


def _back_to_triage(question: Question) -> None:
    """The examples were wrong; a person chooses now."""
    if Assignment.objects.filter(question=question, state__in=Assignment.OPEN).exists():
        return
    if question.mark_back_in_triage():
        event = record(question, "triage", reason="not_my_topic")
        routing.tell_desk(question, "question_needs_a_topic", occasion=event.pk)


@transaction.atomic
def answer(
    expert: Person,
    assignment_id: UUID,
    text: str,
    *,
    received_at: datetime,
    source: str,
    internal_note: str = "",
) -> Answer:
    """Answer a question; accepts it on the way. The first released answer of a round wins.

    A text that comes too late (answered by a colleague, withdrawn) is kept: the returned Answer has state `refused`.
    Whoever was asked in this round may still answer while nobody has, even when the offer lapsed meanwhile.
    The promise is judged by `received_at`. Raises NotFound, Invalid.
    """
    text, internal_note = text.strip(), internal_note.strip()
    if not text:
        raise Invalid(_("The answer is empty."))
    if len(text) > ANSWER_CHARACTERS or len(internal_note) > ANSWER_CHARACTERS:
        raise Invalid(_("This answer is too long: %(max)s characters at most.") % {"max": ANSWER_CHARACTERS})
    question, assignment = _mine(expert, assignment_id)
    open_ = question.is_unanswered and assignment.round_id == question.current_round_id
    given = Answer(
        question=question,
        round_id=assignment.round_id,
        assignment=assignment,
        author=expert,
        text=text,
        internal_note=internal_note,
        source=source,
        state=Answer.State.RELEASED if open_ else Answer.State.REFUSED,
        received_at=received_at,
    )
    given.save(force_insert=True)
    if open_:
        _release(question, assignment, given)
    else:
        record(question, "answer_refused", actor=expert, at=received_at, answer=str(given.pk))
    return given


def _release(question: Question, assignment: Assignment, given: Answer) -> None:
    at = clock.now()
    question.mark_answered()
    record(question, "answered", actor=given.author, at=given.received_at, answer=str(given.pk), source=given.source)
    promise.settle(question, given.received_at)
    routing.end_assignment(assignment, Assignment.State.ANSWERED, at)
    settle(given.author, question.subject_key)
    others = Assignment.objects.filter(question=question, state__in=Assignment.OPEN).select_related("expert")
    for other in others:
        routing.end_assignment(other, Assignment.State.SUPERSEDED, at)
        settle(other.expert, question.subject_key)
        intake.tell_no_longer_needed(question, other, "answered")
    _tell_asker(question, given)
    send_to_friend(question)


def _tell_asker(question: Question, given: Answer) -> None:
    code = item_codes.open_for(question.asker, question.subject_key, words.label(question))
    ItemCode.objects.filter(pk=code.pk).update(pages_read=0)
    notify(
        question.asker,
        key=f"answer:{given.pk}:asker",
        event="question_answered",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        via=question.source if question.source in {"sms", "email"} else "",
        **words.answered(question, given, question.asker, code.code),
    )


def released(question: Question) -> Answer | None:
    """The answer that counts: the newest released one."""
    return question.answers.filter(state=Answer.State.RELEASED).order_by("-received_at").first()


# --- after the answer ------------------------------------------------------------------------------------------------


@transaction.atomic
def relay(asker: Person, question_id: UUID) -> Question:
    """The asker passed the answer on. Twice is fine. Raises NotFound, NoAnswerYet."""
    question = intake.mine(asker, question_id)
    if question.is_unanswered or question.state == Question.State.WITHDRAWN:
        raise NoAnswerYet(_("%(reference)s has no answer yet.") % {"reference": question.reference})
    if question.mark_relayed():
        record(question, "relayed", actor=asker)
    return question


@transaction.atomic
def rate(question_id: UUID, *, helped: bool, actor: Person | None = None) -> str:
    """The friend (or the asker for them) says whether the answer helped; one rating an answer.

    Returns what happened: "helped" (the question is closed), "reopened", "not_helped" (it had been reopened before),
    or "rated" (it was rated already). Raises NoAnswerYet.
    """
    question = (
        Question.objects.select_for_update(of=("self",))
        .select_related("current_round", "topic", "asker")
        .get(pk=question_id)
    )
    given = released(question)
    if given is None or question.is_unanswered or question.state == Question.State.WITHDRAWN:
        raise NoAnswerYet(_("%(reference)s has no answer yet.") % {"reference": question.reference})
    at = clock.now()
    if not given.mark_rated(helped=helped, at=at):
        return "rated"
    record(question, "helped" if helped else "not_helped", actor=actor, at=at, answer=str(given.pk))
    if helped:
        return _close_helped(question, given, at)
    return "reopened" if intake.reopen(question, at, actor=actor) else "not_helped"


def _close_helped(question: Question, given: Answer, at: datetime) -> str:
    if question.mark_closed(Question.CloseReason.HELPED):
        record(question, "closed", at=at, reason="helped")
        item_codes.close(question.subject_key)
    notify(
        given.author,
        key=f"answer:{given.pk}:helped",
        event="answer_helped",
        subject_key=question.subject_key,
        **words.helped(question, given.author),
    )
    return "helped"


# --- straight to the friend ------------------------------------------------------------------------------------------


def send_to_friend(question: Question) -> None:
    """In `direct` mode, once there is an answer and the friend has confirmed an address. Each answer once."""
    given = released(question)
    friend = FriendAddress.objects.filter(question=question, confirmed_at__isnull=False).first()
    if question.answer_mode != "direct" or given is None or friend is None or question.is_unanswered:
        return
    outbox.enqueue(
        key=friend_key(given.pk),
        channel=friend.channel,
        to=friend.value,
        language=question.language,
        lifetime=FRIEND_LIFETIME,
        **words.to_friend(question, given, friend.channel),
    )


def friend_key(answer_id: Any) -> str:
    return f"answer:{answer_id}:friend"


def note_delivered(limit: int = 200) -> int:
    """Direct answers that have left for the friend: the question is delivered. Returns how many."""
    moved = 0
    rows = Question.objects.filter(state="answered", answer_mode="direct", friend_address__confirmed_at__isnull=False)
    for question in rows[:limit]:
        given = released(question)
        sent = given and Delivery.objects.filter(key=friend_key(given.pk), state__in=["sent", "delivered"]).exists()
        if sent and question.mark_delivered():
            record(question, "delivered")
            moved += 1
    return moved
