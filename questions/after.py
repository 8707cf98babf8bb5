"""Once an answer is out: to the asker, to the friend, reminders to pass it on, the rating, corrections, the end."""

import logging
from collections.abc import Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from notifications import inbound, item_codes, outbox
from notifications.models import Address, Delivery, ItemCode
from notifications.notify import notify
from people.models import Person
from questions import facts, intake, promise, rounds, routing, words
from questions.models import Answer, FriendAddress, Question, Reuse, record

log = logging.getLogger(__name__)

FRIEND_LIFETIME = timedelta(days=3)
REMIND_AFTER = (timedelta(hours=24), timedelta(hours=72))  # an answer that was not passed on
CLOSE_AFTER = timedelta(hours=96)  # and then it is closed
LEAST_PAUSE = timedelta(hours=24)  # between two reminders, and before the end
LOOK_AGAIN = timedelta(seconds=30)
UNRATED_KEPT = timedelta(days=14)  # passed on, and never a word: closed, so that the friend's address can go


class NoAnswerYet(Refusal):
    code = "no_answer_yet"


def tell_asker(question: Question, given: Answer) -> None:
    code = item_codes.open_for(question.asker, question.subject_key, words.label(question))
    ItemCode.objects.filter(pk=code.pk).update(pages_read=0)
    notify(
        question.asker,
        key=f"answer:{given.pk}:asker",
        event="question_answered",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        via=question.asked_via,
        **words.answered(question, given, question.asker, code.code),
    )


def released(question: Question) -> Answer | None:
    """The answer that counts: the newest released one."""
    rows = question.answers.filter(state=Answer.State.RELEASED).select_related("author")
    return rows.order_by("-received_at").first()


def shown(question: Question) -> Answer | None:
    """What the asker and the friend read: the question's own answer, or the one it was closed with, as it is now."""
    return shown_of([question]).get(question.pk)


def shown_of(questions: Sequence[Question]) -> dict[UUID, Answer]:
    """The same for many, by question: at most three queries."""
    given = _released_of([question.pk for question in questions])
    without = [q.pk for q in questions if q.pk not in given and not (q.is_unanswered and q.current_round.number == 1)]
    uses = list(Reuse.objects.filter(question__in=without)) if without else []
    taken = _released_of([use.source_id for use in uses]) if uses else {}
    for use in uses:
        if use.source_id in taken:
            answer = copy(taken[use.source_id])
            answer.helped, answer.rated_at = use.helped, use.rated_at  # the rating that is shown is this friend's
            given[use.question_id] = answer
    return given


def _released_of(questions: Sequence[UUID]) -> dict[UUID, Answer]:
    rows = Answer.objects.filter(question__in=questions, state=Answer.State.RELEASED).select_related("author")
    return {answer.question_id: answer for answer in rows.order_by("received_at")}


@transaction.atomic
def relay(asker: Person, question_id: UUID) -> Question:
    """The asker passed the answer on. Twice is fine. Raises NotFound, NoAnswerYet."""
    question = intake.mine(asker, question_id)
    if question.is_unanswered or question.state == Question.State.WITHDRAWN:
        raise NoAnswerYet(_("%(reference)s has no answer yet.") % {"reference": question.reference})
    if question.mark_relayed(clock.now() + UNRATED_KEPT):
        record(question, "relayed", actor=asker)
    return question


@transaction.atomic
def rate(question_id: UUID, *, helped: bool, actor: Person | None = None) -> str:
    """The friend (or the asker for them) says whether the answer helped; one rating an answer.

    Returns what happened: "helped" (the question is closed), "reopened", "not_helped" (it had been reopened before),
    or "rated" (it was rated already). Raises NoAnswerYet.
    """
    question = routing.locked(question_id)
    given = shown(question)
    if given is None or question.is_unanswered or question.state == Question.State.WITHDRAWN:
        raise NoAnswerYet(_("%(reference)s has no answer yet.") % {"reference": question.reference})
    at = clock.now()
    rated = given if given.question_id == question.pk else question.reuse
    if not rated.mark_rated(helped=helped, at=at):
        return "rated"
    record(question, "helped" if helped else "not_helped", actor=actor, at=at, answer=str(given.pk))
    facts.rated(question, given, helped=helped)
    if helped:
        return _close_helped(question, given)
    return "reopened" if intake.reopen(question, at, actor=actor) else "not_helped"


def _close_helped(question: Question, given: Answer) -> str:
    _close(question, Question.CloseReason.HELPED)
    notify(
        given.author,
        key=f"answer:{given.pk}:helped",
        event="answer_helped",
        subject_key=given.question.subject_key,
        **words.helped(given.question, given.author),
    )
    return "helped"


def _close(question: Question, reason: str) -> None:
    if question.mark_closed(reason):
        record(question, "closed", reason=str(reason))
    item_codes.close(question.subject_key)


# --- straight to the friend ------------------------------------------------------------------------------------------


def send_to_friend(question: Question) -> None:
    """In `direct` mode, once there is an answer and the friend has confirmed an address. Each answer once."""
    given = shown(question)
    friend = FriendAddress.objects.filter(question=question, confirmed_at__isnull=False).first()
    if question.answer_mode != "direct" or given is None or friend is None or question.is_unanswered:
        return
    outbox.enqueue(
        key=friend_key(given.pk if given.question_id == question.pk else f"{given.pk}:{question.pk}"),
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
    key = Concat(Value("answer:"), Cast(OuterRef("pk"), CharField()), Value(":friend"))
    left = Delivery.objects.filter(key=key, state__in=["sent", "delivered"])
    rows = Answer.objects.filter(Exists(left), state=Answer.State.RELEASED, question__answer_mode="direct")
    rows = rows.filter(question__state=Question.State.ANSWERED).select_related("question").order_by("pk")
    moved = 0
    for given in rows[:limit]:
        try:
            moved += _mark_delivered(given.question)
        except Exception:
            log.exception("noting a delivery failed question=%s", given.question_id)
    return moved


@transaction.atomic
def _mark_delivered(question: Question) -> bool:
    moved = question.mark_delivered(clock.now() + UNRATED_KEPT)
    if moved:
        record(question, "delivered")
    return moved


# --- corrections -----------------------------------------------------------------------------------------------------


def tell_correction(question: Question, made: Answer) -> None:
    """Everybody who passed the old text on hears the new one: the asker, and the friend where it went straight to them."""
    code = item_codes.open_for(question.asker, question.subject_key, words.label(question))
    ItemCode.objects.filter(pk=code.pk).update(pages_read=0)
    notify(
        question.asker,
        key=f"answer:{made.pk}:asker",
        event="answer_corrected",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        via=question.asked_via,
        **words.corrected(question, made, question.asker, code.code),
    )
    send_to_friend(question)


# --- what nobody reacted to ------------------------------------------------------------------------------------------


def first_reminder(answered_at: datetime) -> datetime:
    return answered_at + REMIND_AFTER[0]


def due_ids(limit: int) -> list[UUID]:
    rows = Question.objects.filter(follow_up_at__lte=clock.now()).order_by("follow_up_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def follow_up(question_id: UUID) -> None:
    """Nobody replied, passed on or rated for long enough: remind, or close. Safe to call at any time."""
    question = routing.locked(question_id)
    at = clock.now()
    if question.follow_up_at is None or question.follow_up_at > at:
        return
    if question.state == Question.State.WAITING_FOR_ASKER and _reply_is_waiting(question, question.follow_up_at):
        Question.objects.filter(pk=question.pk).update(follow_up_at=at + LOOK_AGAIN)
    elif question.state == Question.State.WAITING_FOR_ASKER:
        close_unanswered(question, Question.CloseReason.NO_REPLY, at)
    elif question.state == Question.State.ANSWERED and question.follow_ups < len(REMIND_AFTER):
        _remind_to_relay(question, at)
    elif question.state in Question.ANSWER_OUT:
        _close(question, Question.CloseReason.TIME_OUT)
    else:
        Question.objects.filter(pk=question.pk).update(follow_up_at=None)


def _reply_is_waiting(question: Question, until: datetime) -> bool:
    """A message that came in time and may be the asker's reply, not handled yet: then nothing is closed so far."""
    items = [routing.clarification_item(one) for one in question.clarifications.filter(replied_at__isnull=True)]
    keys = ItemCode.objects.filter(item__in=items).values_list("reply_key", flat=True)
    senders = Address.objects.filter(person=question.asker_id).values_list("value", flat=True)
    return inbound.waiting_before(until, senders=senders, reply_keys=keys)


def _remind_to_relay(question: Question, at: datetime) -> None:
    """The second clock. After an outage the reminders do not come in a heap: a day at least lies between them."""
    assert question.follow_up_at is not None  # noqa: S101 — follow_up() has seen to it
    sent = question.follow_ups + 1
    times = (*REMIND_AFTER, CLOSE_AFTER)
    following = max(question.follow_up_at + (times[sent] - times[sent - 1]), at + LEAST_PAUSE)
    Question.objects.filter(pk=question.pk).update(follow_up_at=following, follow_ups=sent)
    record(question, "relay_reminded", number=sent)
    code = item_codes.open_for(question.asker, question.subject_key, words.label(question))
    given = released(question)
    notify(
        question.asker,
        key=f"answer:{given.pk if given else question.pk}:relay:{sent}",
        event="answer_not_relayed",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        via=question.asked_via,
        **words.relay_reminder(question, question.asker, code.code),
    )


def close_unanswered(question: Question, reason: str, at: datetime, *, actor: Person | None = None) -> bool:
    """There is nothing to answer: the asker and experts are told. Called with the question locked."""
    if not end_unanswered(question, reason, at, actor=actor):
        return False
    notify(
        question.asker,
        key=f"round:{question.current_round_id}:closed",
        event="question_closed",
        subject_key=question.subject_key,
        via=question.asked_via,
        **words.closed(question, question.asker),
    )
    return True


def end_unanswered(question: Question, reason: str, at: datetime, *, actor: Person | None = None) -> bool:
    """Close it; experts are told, the clock ends without a verdict. Called with the question locked."""
    if not question.mark_closed_unanswered(reason):
        return False
    record(question, "closed", actor=actor, at=at, reason=str(reason))
    rounds.resume(question, at)
    promise.void(question, at)
    intake.release_everybody(question, at, "closed")
    return True
