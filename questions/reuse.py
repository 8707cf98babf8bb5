"""Using an answer again: a question is closed with the answer to an earlier one, whose author gets the credit.

A question is made also when the friend's question was not passed on yet, closed at once: so the friend has a page, the
asker a thread, and a correction or the end of the answer's validity reaches both by the same path as everybody else.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from notifications import item_codes
from notifications.notify import notify
from people.models import Person
from questions import after, facts, intake, knowledge, routing, words
from questions.models import Answer, Event, Question, Reuse, record

log = logging.getLogger(__name__)

BUNDLED = timedelta(hours=24)  # an author hears of uses once a day at most
AUTHORS = 200  # told in one sweep
SUGGESTED = "suggested"  # the Event of a suggestion in the confirmation


class NotReusable(Refusal):
    """The answer was corrected, has expired, or is not for others."""

    code = "answer_not_reusable"


def suggest(question: Question) -> Answer | None:
    """An answer to the same question, when there is one, for who asks by SMS or mail; it is kept in the thread."""
    if not question.is_unanswered or Event.objects.filter(question=question, kind=SUGGESTED).exists():
        return suggested(question)
    try:
        with transaction.atomic():
            found = knowledge.the_same(question)
    except Exception:  # a suggestion that fails must not cost the question
        log.exception("no suggestion for question=%s", question.pk)
        return None
    if found is None:
        return None
    record(question, SUGGESTED, answer=str(found.answer_id), similarity=round(found.similarity or 0, 3))
    return knowledge.current(found.answer_id)


def suggested(question: Question) -> Answer | None:
    """What the confirmation suggested, while it may still be used."""
    event = Event.objects.filter(question=question, kind=SUGGESTED).order_by("-id").first()
    return knowledge.current(UUID(event.data["answer"])) if event else None


@transaction.atomic
def close_with(asker: Person, question_id: UUID, answer_id: UUID) -> Question:
    """Close the asker's own open question with this answer. Twice is fine. Raises NotFound, NotOpen, NotReusable."""
    question = intake.mine(asker, question_id)
    if Reuse.objects.filter(question=question, answer=answer_id).exists() and not question.is_unanswered:
        return question
    return _use(question, answer_id)


@transaction.atomic
def close_with_suggested(asker: Person, question_id: UUID) -> Question:
    """The same by SMS or mail: with what the confirmation suggested."""
    question = intake.mine(asker, question_id)
    answer = suggested(question)
    if answer is None:
        raise NotReusable(_("There is no answer that you can use for %(reference)s.") % {"reference": question.reference})
    return close_with(asker, question_id, answer.pk)


@transaction.atomic
def use(
    asker: Person,
    answer_id: UUID,
    text: str,
    *,
    request_key: str,
    received_at: datetime,
    language: str = "",
    confidential: bool = False,
) -> Question:
    """Use an answer for a question that was not passed on: it is made, closed. The same key gives the first one back."""
    question = intake.submit(
        asker,
        text,
        request_key=request_key,
        source="api",
        received_at=received_at,
        language=language,
        confidential=confidential,
        to_route=False,
    )
    return close_with(asker, question.pk, answer_id)


def _use(question: Question, answer_id: UUID) -> Question:
    at = clock.now()
    answer = _locked(answer_id)
    if answer.question_id == question.pk:
        raise NotReusable(_("This is the answer to this very question."))
    if not after.end_unanswered(question, Question.CloseReason.REUSED, at, actor=question.asker):
        raise intake.NotOpen(_("%(reference)s has been answered already.") % {"reference": question.reference})
    if question.topic_id is None:  # what it was about is known now: the weekly groups count it
        question.topic = answer.question.topic
        Question.objects.filter(pk=question.pk).update(topic=question.topic, topic_chosen_by=Question.TopicChosenBy.ASKER)
    record(question, "reused", actor=question.asker, at=at, answer=str(answer.pk), source=str(answer.question_id))
    known = Reuse.objects.filter(source=answer.question_id, person=question.asker, is_counted=True)
    used, _fresh = Reuse.objects.update_or_create(  # a question opened again may be closed with another answer
        question=question,
        defaults={
            "source_id": answer.question_id,
            "answer": answer,
            "person": question.asker,
            "used_at": at,
            "is_counted": answer.author_id != question.asker_id and not known.exclude(question=question).exists(),
            "is_told": False,
            "helped": None,
            "rated_at": None,
        },
    )
    if used.is_counted:
        facts.reused(answer.question, question.asker, answer)
    after.send_to_friend(question)
    question.current_round.refresh_from_db()  # its promise ended above
    return question


def _locked(answer_id: UUID) -> Answer:
    """The answer, when others may use it; a correction waits until this use is on the list of those to be told."""
    found = Answer.objects.filter(pk=answer_id).values_list("question_id", flat=True).first()
    answer = None
    if found is not None:
        routing.locked(found)
        answer = knowledge.current(answer_id)
    if answer is None:
        raise NotReusable(_("This answer was changed or taken back. Look for it again."))
    return answer


# --- the author hears ------------------------------------------------------------------------------------------------


def authors_to_tell() -> list[UUID]:
    """Whose answers were used, the first untold use a day ago or more."""
    rows = Reuse.objects.filter(is_counted=True, is_told=False, used_at__lte=clock.now() - BUNDLED)
    return list(rows.values_list("answer__author_id", flat=True).order_by("answer__author_id").distinct()[:AUTHORS])


@transaction.atomic
def tell_author(author_id: UUID) -> None:
    """One message about all uses that its author has not heard of."""
    author = Person.objects.select_for_update().get(pk=author_id)
    untold = Reuse.objects.filter(is_counted=True, is_told=False, answer__author=author)
    uses = list(untold.select_related("source").order_by("used_at", "pk"))
    if not uses:
        return
    Reuse.objects.filter(pk__in=[one.pk for one in uses]).update(is_told=True)
    if not author.is_active:
        return
    notify(
        author,
        key=f"question:{uses[0].question_id}:reuse:{uses[0].used_at.timestamp():.0f}",
        event="answer_reused",
        subject_key=uses[0].source.subject_key,
        **words.reused([one.source for one in uses], author),
    )


# --- those who used it hear ------------------------------------------------------------------------------------------


def tell_correction(source: Question, made: Answer) -> None:
    """Who closed a question with the old text hears the new one, and their friend where it went straight to them."""
    for used in _users(source):
        question, person = used.question, used.person
        code = item_codes.open_for(person, question.subject_key, words.label(question))
        notify(
            person,
            key=f"answer:{made.pk}:reuse:{question.pk}",
            event="answer_corrected",
            subject_key=question.subject_key,
            reply_key=code.reply_key,
            via=question.asked_via,
            **words.corrected(question, made, person, code.code),
        )
        after.send_to_friend(question)


def _users(source: Question) -> list[Reuse]:
    """Uses that still stand: a question that was opened again since waits for another answer."""
    rows = Reuse.objects.filter(source=source, question__close_reason=Question.CloseReason.REUSED)
    return list(rows.select_related("question__asker", "question__current_round", "person").order_by("used_at", "pk"))


def expired_ids(limit: int) -> list[UUID]:
    """Answers whose end of validity nobody was told of yet."""
    rows = Answer.objects.filter(state="released", is_expiry_told=False, valid_until__lte=clock.now())
    return list(rows.order_by("valid_until").values_list("pk", flat=True)[:limit])


@transaction.atomic
def expire(answer_id: UUID) -> None:
    """The answer is no longer valid: who passed it on hears it once, and nobody finds it any more."""
    answer = Answer.objects.select_related("question").get(pk=answer_id)
    question = routing.locked(answer.question_id)
    due = Answer.objects.filter(pk=answer.pk, state="released", is_expiry_told=False, valid_until__lte=clock.now())
    if not due.update(is_expiry_told=True) or answer.round_id != question.current_round_id:
        return
    knowledge.forget(question)
    record(question, "answer_expired", at=answer.valid_until, answer=str(answer.pk))
    for told in (question, *(used.question for used in _users(question))):
        notify(
            told.asker,
            key=f"answer:{answer.pk}:expired:{told.pk}",
            event="answer_expired",
            subject_key=told.subject_key,
            via=told.asked_via,
            **words.expired(told, told.asker),
        )
