"""Questions, assignments, topics and what belongs to them as the app keeps them: whole, with what stands below them, in a
fixed number of queries however many. One of them is read the same way."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from backend import clock
from backend.changes import Kind
from backend.manners import language
from people.models import Person
from questions import after, approvals, attachments, cards, desk, directory, duty
from questions.cards_api import TopicCardOut
from questions.directory_api import DirectoryEntry
from questions.models import Answer, Assignment, Clarification, Event, Question, Reuse, Topic
from questions.schemas import ApprovalOut, AssignmentDetail, DeskItemOut, QuestionDetail, TopicOut

THREAD_EVENTS = 200


def my_questions(asker: Person, ids: Sequence[UUID]) -> dict[UUID, QuestionDetail]:
    """With answer, thread and what was asked back."""
    rows = Question.objects.select_related("current_round", "topic").filter(asker=asker, pk__in=ids)
    found = {question.pk: question for question in rows}
    answers, asked = after.shown_of(list(found.values())), _clarifications(found)
    threads: dict[UUID, list[Event]] = defaultdict(list)
    for event in Event.objects.filter(question__in=found).order_by("id"):
        threads[event.question_id].append(event)
    shown = attachments.of_questions(found)
    return {
        pk: QuestionDetail.whole(question, asker, answers.get(pk), threads[pk][:THREAD_EVENTS], asked[pk], shown[pk])
        for pk, question in found.items()
    }


def _clarifications(questions: Iterable[UUID]) -> dict[UUID, list[Clarification]]:
    found: dict[UUID, list[Clarification]] = defaultdict(list)
    for row in Clarification.objects.filter(question__in=list(questions)).order_by("asked_at"):
        found[row.question_id].append(row)
    return found


def assignments(expert: Person) -> QuerySet[Assignment]:
    """Hers, with how many colleagues used the answer again."""
    uses = Reuse.objects.filter(answer__assignment=OuterRef("pk"), is_counted=True).order_by().values("answer__assignment")
    counted = Coalesce(Subquery(uses.annotate(n=Count("pk")).values("n")), 0)
    rows = Assignment.objects.filter(expert=expert).select_related("question__topic", "round")
    return rows.annotate(reused=counted)


def my_assignments(expert: Person, ids: Sequence[UUID]) -> dict[UUID, AssignmentDetail]:
    """With what was asked back, and the newest text of this expert's."""
    found = {assignment.pk: assignment for assignment in assignments(expert).filter(pk__in=ids)}
    questions = {assignment.question_id for assignment in found.values()}
    asked = _clarifications(questions)
    texts = Answer.objects.filter(question__in=questions, author=expert).order_by("received_at", "id")
    newest = {text.question_id: text for text in texts}
    shown = attachments.shared_with(list(found.values()))
    return {
        pk: AssignmentDetail.whole(row, expert, asked[row.question_id], newest.get(row.question_id), shown[pk])
        for pk, row in found.items()
    }


def topics(reader: Person, ids: Sequence[UUID]) -> dict[UUID, TopicOut]:
    """Those in use."""
    rows = Topic.objects.filter(pk__in=ids, is_active=True)
    return {topic.pk: TopicOut.of(topic, language()) for topic in rows}


def topic_cards(reader: Person, ids: Sequence[UUID]) -> dict[UUID, TopicCardOut]:
    return {card.pk: TopicCardOut.of(card, language()) for card in cards.shown(clock.now()).filter(pk__in=ids)}


def colleagues(reader: Person, ids: Sequence[UUID]) -> dict[UUID, DirectoryEntry]:
    rows = directory.search().filter(pk__in=ids)
    return {person.pk: DirectoryEntry.of(person, language()) for person in rows}


def my_approvals(person: Person, ids: Sequence[UUID]) -> dict[UUID, ApprovalOut]:
    return {draft.pk: ApprovalOut.of(draft) for draft in approvals.drafts_for(person).filter(pk__in=ids)}


def _desk_items(person: Person) -> QuerySet[Question]:
    return desk.items() if duty.is_desk(person) else Question.objects.none()


def desk_items(person: Person, ids: Sequence[UUID]) -> dict[UUID, DeskItemOut]:
    found = list(_desk_items(person).filter(pk__in=ids))
    topics = desk.guessed(found)
    return {question.pk: DeskItemOut.of(question, person, topics) for question in found}


def _above(rows: Any, above: UUID, limit: int) -> list[UUID]:
    return list(rows.filter(pk__gt=above).order_by("pk").values_list("pk", flat=True)[:limit])


def _ids(rows: Callable[[Person], Any]) -> Callable[[Any, UUID, int], Sequence[UUID]]:
    return lambda person, above, limit: _above(rows(person), above, limit)


KINDS = (
    Kind("topic", "topics", _ids(lambda reader: Topic.objects.filter(is_active=True)), topics),
    Kind("card", "cards", _ids(lambda reader: cards.shown(clock.now())), topic_cards),
    Kind("colleague", "colleagues", _ids(lambda reader: Person.objects.present()), colleagues),
    Kind("question", "questions", _ids(lambda asker: Question.objects.filter(asker=asker)), my_questions),
    Kind("assignment", "assignments", _ids(lambda expert: Assignment.objects.filter(expert=expert)), my_assignments),
    Kind("approval", "approvals", _ids(approvals.drafts_for), my_approvals),
    Kind("desk", "desk_items", _ids(_desk_items), desk_items),
)
