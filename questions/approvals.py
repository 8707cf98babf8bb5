"""A second pair of eyes: where the topic wants it, an answer is a draft until somebody else lets it go."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import NotFound, Refusal
from notifications import item_codes
from notifications.models import ItemCode
from notifications.notify import notify
from people.models import Person
from questions import duty, intake, releasing, routing, words
from questions.intake import approval_item
from questions.models import Answer, Question, record

KNOWS_IT_BEST = 3  # level of expertise
ASKED_AT_ONCE = 2


class NotWaiting(Refusal):
    """Nobody waits for this any more."""

    code = "not_waiting"


def approvers(question: Question, author_id: UUID) -> list[Person]:
    """The topic's lead, or else its best experts, or else the desk: who is here, and neither author nor asker."""
    at = clock.now()
    others = Person.objects.here(at).exclude(pk__in=[author_id, question.asker_id, *question.not_to])
    topic = question.topic
    lead = list(others.filter(pk=topic.lead_id)) if topic and topic.lead_id else []
    best = others.filter(expertise__topic=topic, expertise__level=KNOWS_IT_BEST)
    desk = {person.pk for person in duty.on_duty(at) or duty.desk_people()}
    return lead or list(best[:ASKED_AT_ONCE]) or list(others.filter(pk__in=desk))


def drafts_for(person: Person) -> QuerySet[Answer]:
    """Answers that this person may approve."""
    rows = Answer.objects.filter(state=Answer.State.DRAFT).exclude(author=person).exclude(question__asker=person)
    if not duty.is_desk(person):
        best = Q(question__topic__expertise__person=person, question__topic__expertise__level=KNOWS_IT_BEST)
        mine = rows.filter(Q(question__topic__lead=person) | best).exclude(question__not_to__contains=[person.pk])
        rows = Answer.objects.filter(pk__in=mine.values("pk"))
    return rows.select_related("question__topic", "question__current_round", "author")


def may_approve(person: Person, draft: Answer) -> bool:
    """Nobody approves their own answer, nor one to their own question."""
    question, topic = draft.question, draft.question.topic
    if person.pk in {draft.author_id, question.asker_id}:
        return False
    if duty.is_desk(person):
        return True
    if topic is None or person.pk in question.not_to:
        return False
    best = topic.expertise.filter(person=person, level=KNOWS_IT_BEST)
    return topic.lead_id == person.pk or best.exists()


def ask(question: Question, draft: Answer) -> None:
    """Tell those who may let it go. Called with the question locked."""
    if not draft.corrects_id:
        question.mark_pending_approval()
    record(question, "approval_asked", actor=draft.author, at=draft.received_at, answer=str(draft.pk))
    _tell_approvers(question, draft)


def _tell_approvers(question: Question, draft: Answer) -> None:
    """Each of them once, however often this is called."""
    for person in approvers(question, draft.author_id):
        code = item_codes.open_for(person, approval_item(draft), words.label(question))
        notify(
            person,
            key=f"{approval_item(draft)}:{person.pk}",
            event="answer_wants_approval",
            subject_key=question.subject_key,
            item=approval_item(draft),
            reply_key=code.reply_key,
            **words.approval(question, draft, person, code.code),
        )


def approver_gone(person: Person) -> None:
    """Who was asked is away or has left: the next one is asked."""
    asked = ItemCode.objects.filter(person=person, item__startswith="approval:").values_list("item", flat=True)
    ids = [UUID(item.split(":")[1]) for item in asked]
    rows = Answer.objects.filter(pk__in=ids, state=Answer.State.DRAFT).select_related("author")
    for draft in rows.order_by("question_id"):
        _tell_approvers(routing.locked(draft.question_id), draft)


def _draft(person: Person, answer_id: UUID) -> tuple[Question, Answer]:
    """Raises NotFound: no such draft, or not for this person to judge."""
    question_id = Answer.objects.filter(pk=answer_id).values_list("question", flat=True).first()
    if question_id is None:
        raise NotFound(_("This answer does not exist."))
    question = routing.locked(question_id)
    draft = Answer.objects.select_related("author", "assignment", "question__topic").get(pk=answer_id)
    if not may_approve(person, draft):
        raise NotFound(_("This answer does not exist."))
    return question, draft


def _still_waits(draft: Answer) -> None:
    if draft.state != Answer.State.DRAFT:
        raise NotWaiting(_("This text no longer waits for approval: there is a newer one, or nothing is to be answered."))


def _minutes_waited(question: Question) -> int:
    """How long the text waited for a second pair of eyes."""
    since = question.events.filter(kind="approval_asked").order_by("id").last()
    return max(0, int((clock.now() - since.at).total_seconds() // 60)) if since else 0


@transaction.atomic
def approve(person: Person, answer_id: UUID, *, received_at: datetime) -> Answer:
    """Release a colleague's answer. Twice is fine. Raises NotFound; NotWaiting when it was edited or refused meanwhile."""
    question, draft = _draft(person, answer_id)
    if draft.state == Answer.State.RELEASED and draft.approved_by_id:
        return draft
    _still_waits(draft)
    if draft.corrects_id:
        Answer.objects.filter(round=draft.round_id, state=Answer.State.RELEASED).update(state=Answer.State.CORRECTED)
    Answer.objects.filter(pk=draft.pk).update(state=Answer.State.RELEASED, approved_by=person)
    draft.state, draft.approved_by = Answer.State.RELEASED, person
    record(question, "approved", actor=person, at=received_at, answer=str(draft.pk), minutes=_minutes_waited(question))
    item_codes.close(approval_item(draft))
    if draft.corrects_id:
        releasing.release_correction(question, draft)
    else:
        releasing.release(question, draft, received_at)
    return draft


@transaction.atomic
def refuse(person: Person, answer_id: UUID, remark: str) -> Answer:
    """Send it back to its author with a remark. Raises NotFound, Invalid, NotWaiting."""
    remark = intake.written(remark)
    question, draft = _draft(person, answer_id)
    _still_waits(draft)
    intake.set_aside(draft)
    record(question, "approval_refused", actor=person, answer=str(draft.pk), minutes=_minutes_waited(question))
    if not draft.corrects_id:
        question.mark_in_hands(routing.in_whose_hands(question))
    _back_to_author(question, draft, remark)
    return draft


def _back_to_author(question: Question, draft: Answer, remark: str) -> None:
    """The author reads why, and writes anew while they hold it; otherwise it goes to somebody else."""
    held = draft.assignment if draft.assignment and (draft.assignment.is_open or draft.corrects_id) else None
    code = item_codes.open_for(draft.author, held.item, words.label(question)) if held else None
    notify(
        draft.author,
        key=f"answer:{draft.pk}:approval-refused",
        event="answer_needs_work",
        subject_key=question.subject_key,
        reply_key=code.reply_key if code else "",
        **words.needs_work(question, draft, remark, draft.author, code.code if code else ""),
    )
    if not draft.corrects_id:
        routing.pass_on(question, clock.now())
