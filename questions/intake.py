"""A question comes in, is taken back, or comes back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from backend.ring import ring
from notifications import item_codes
from notifications.notify import notify
from people.models import Person
from questions import duty, links, promise, receiving, rounds, routing, words
from questions.models import TEXT_CHARACTERS, Answer, Assignment, Question, Topic, record

KEYS = UUID("0b8c6a1e-6f0e-4c57-9c2d-0d9c3f1f5a11")  # namespace: a message's key gives its question's id
ROUNDS_MAX = 2


class NotOpen(Refusal):
    """The question is answered, closed or withdrawn."""

    code = "question_not_open"


class IdTaken(Refusal):
    """The id that the app made exists already, for another question."""

    code = "id_taken"


def submit(
    asker: Person,
    text: str,
    *,
    request_key: str,
    source: str,
    received_at: datetime,
    language: str = "",
    topic: Topic | None = None,
    topic_chosen_by: str = "",
    answer_mode: str = "via_me",
    confidential: bool = False,
    not_to: Sequence[UUID] = (),
    question_id: UUID | None = None,
    to_route: bool = True,
) -> Question:
    """Pass a question on. The same `request_key` (or id) of the same asker gives the first question back.

    The promise starts at `received_at`, when the message that carried it reached us. `to_route` False: the caller closes it
    in this same transaction, no expert is wanted. Raises Invalid for an empty or too
    long text, IdTaken when `question_id` is somebody else's.
    """
    text = text.strip()
    if not text:
        raise Invalid(_("There is no question in your message. Write ASK and then the question."))
    if len(text) > TEXT_CHARACTERS:
        raise Invalid(_("This question is too long: %(max)s characters at most.") % {"max": TEXT_CHARACTERS})
    question = Question(
        id=question_id or uuid5(KEYS, f"{asker.pk}:{request_key}"),
        asker=asker,
        text=text,
        language=language or asker.language,
        source=source,
        answer_mode=answer_mode,
        is_confidential=confidential,
        not_to=list(not_to),
        topic=topic,
        topic_chosen_by=topic_chosen_by,
        friend_key=links.new_friend_key(),
        received_at=received_at,
        route_at=received_at if to_route else None,
    )
    with transaction.atomic(savepoint=False):  # nothing in it refuses
        known = receiving.receive(question)
        if known is None:
            item_codes.open_for(asker, question.subject_key, words.label(question))
            if to_route:
                ring("questions.tasks.route_one", str(question.pk))
    if known is not None and known.asker_id != asker.pk:
        raise IdTaken(_("This id is taken."))
    return known or question


def mine(asker: Person, question_id: UUID) -> Question:
    """The asker's own question, locked. Raises NotFound, also for somebody else's."""
    if not Question.objects.filter(pk=question_id, asker=asker).exists():
        raise NotFound(_("This question does not exist."))
    return routing.locked(question_id)


@transaction.atomic
def withdraw(asker: Person, question_id: UUID) -> Question:
    """Take an unanswered question back; its experts are told. Raises NotFound, NotOpen."""
    question = mine(asker, question_id)
    if question.state == Question.State.WITHDRAWN:
        return question
    if not question.mark_withdrawn():
        raise NotOpen(_("%(reference)s has been answered already.") % {"reference": question.reference})
    at = clock.now()
    record(question, "withdrawn", actor=asker, at=at)
    promise.void(question, at)
    release_everybody(question, at, "withdrawn")
    return question


def written(text: str, *, longest: int = TEXT_CHARACTERS) -> str:
    """What somebody wrote, trimmed. Raises Invalid for an empty or too long text."""
    text = text.strip()
    if not text:
        raise Invalid(_("Your text is empty."))
    if len(text) > longest:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": longest})
    return text


def approval_item(draft: Answer) -> str:
    return f"approval:{draft.pk}"


def set_aside(unreleased: Answer) -> None:
    """This text does not leave: it is kept, and nobody is asked to approve it any more."""
    Answer.objects.filter(pk=unreleased.pk).update(state=Answer.State.REFUSED, leaves_at=None)
    unreleased.state, unreleased.leaves_at = Answer.State.REFUSED, None
    item_codes.close(approval_item(unreleased))


def set_aside_unreleased(round_id: UUID) -> None:
    """What waits to leave in this round does so no longer. Called with the question locked."""
    for answer in Answer.objects.filter(round=round_id, state__in=[Answer.State.DRAFT, Answer.State.HELD]):
        set_aside(answer)


def release_everybody(question: Question, at: datetime, why: str) -> None:
    """Nobody needs to do anything about it any more; who held it is told. Called with the question locked."""
    items = [question.subject_key, duty.item(question)]
    items += [f"clarification:{pk}" for pk in question.clarifications.values_list("pk", flat=True)]
    for item in items:
        item_codes.close(item)
    set_aside_unreleased(question.current_round_id)
    held = Assignment.objects.filter(question=question, state__in=Assignment.OPEN).select_related("expert")
    for assignment in held.order_by("expert_id"):
        routing.end_assignment(assignment, Assignment.State.SUPERSEDED, at)
        tell_no_longer_needed(question, assignment, why)


def tell_no_longer_needed(question: Question, assignment: Assignment, why: str) -> None:
    notify(
        assignment.expert,
        key=f"{assignment.item}:{why}",
        event="question_no_longer_needed",
        subject_key=question.subject_key,
        **words.no_longer_needed(question, assignment.expert, why),
    )


def reopen(question: Question, at: datetime, *, actor: Person | None = None) -> bool:
    """Once: a new round with a new promise, the old verdict stays. False when it was reopened before. Needs the lock."""
    if question.current_round.number >= ROUNDS_MAX:
        return False
    set_aside_unreleased(question.current_round_id)  # a correction that waits for approval: the new round answers anew
    round_ = rounds.new_round(question, question.current_round.number + 1, at)
    round_.save(force_insert=True)
    if not question.mark_reopened(round_, at):
        return False
    record(question, "reopened", actor=actor, at=at, round=round_.number)
    item_codes.open_for(question.asker, question.subject_key, words.label(question))
    ring("questions.tasks.route_one", str(question.pk))
    return True
