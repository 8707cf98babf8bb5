"""A newer text takes the place of an answer that is out, and everybody who passed the old one on hears it."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend.errors import NotFound
from people.models import Person
from questions import after, approvals, duty, intake, releasing, routing
from questions.answering import Draft, check
from questions.models import Answer, Question, record


@transaction.atomic
def correct(author: Person, question_id: UUID, draft: Draft) -> Answer:
    """Who wrote it, or the desk, replaces the answer that counts.

    Where the topic wants a second pair of eyes the correction is a draft and the old text stands until it is approved.
    The new text may be rated anew. Raises NotFound, Invalid; NoAnswerYet.
    """
    check(draft)
    question, old = _out(author, question_id)
    wants_approval = bool(question.topic and question.topic.needs_approval)
    intake.set_aside_unreleased(old.round_id)
    if not wants_approval:
        Answer.objects.filter(pk=old.pk).update(state=Answer.State.CORRECTED)
    made = Answer.objects.create(
        question=question,
        round_id=old.round_id,
        assignment_id=old.assignment_id,
        author=author,
        text=draft.text.strip(),
        internal_note=draft.internal_note.strip(),
        source=draft.source,
        state=Answer.State.DRAFT if wants_approval else Answer.State.RELEASED,
        received_at=draft.received_at,
        valid_until=draft.valid_until,
        corrects=old,
    )
    record(question, "corrected", actor=author, at=draft.received_at, answer=str(made.pk), old=str(old.pk))
    if wants_approval:
        approvals.ask(question, made)
    else:
        releasing.release_correction(question, made)
    return made


def _out(author: Person, question_id: UUID) -> tuple[Question, Answer]:
    """The question, locked, and its answer that counts. Raises NotFound for whoever has no part in it, NoAnswerYet."""
    if not Question.objects.filter(pk=question_id).exists():
        raise NotFound(_("This question does not exist."))
    question = routing.locked(question_id)
    wrote = question.answers.filter(author=author)
    if not (wrote.exists() or duty.is_desk(author)):
        raise NotFound(_("This question does not exist."))
    old = after.released(question)
    if old is None or question.is_unanswered or question.state == Question.State.WITHDRAWN:
        raise after.NoAnswerYet(_("%(reference)s has no answer yet.") % {"reference": question.reference})
    out = (Answer.State.RELEASED, Answer.State.CORRECTED)
    if not (wrote.filter(round=old.round_id, state__in=out).exists() or duty.is_desk(author)):
        raise after.NoAnswerYet(_("No answer of yours to %(reference)s is out.") % {"reference": question.reference})
    return question, old
