"""Questions, assignments and topics as the app keeps them: whole, with what stands below them, in a fixed number of queries
however many. One of them is read the same way."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from backend.changes import Kind
from backend.manners import language
from people.models import Person
from questions import after, attachments
from questions.models import Answer, Assignment, Clarification, Event, Question, Reuse, Topic
from questions.schemas import AssignmentDetail, QuestionDetail, TopicOut

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


def _above(rows: Any, above: UUID, limit: int) -> list[UUID]:
    return list(rows.filter(pk__gt=above).order_by("pk").values_list("pk", flat=True)[:limit])


KINDS = (
    Kind("topic", "topics", lambda p, above, n: _above(Topic.objects.filter(is_active=True), above, n), topics),
    Kind("question", "questions", lambda p, above, n: _above(Question.objects.filter(asker=p), above, n), my_questions),
    Kind(
        "assignment",
        "assignments",
        lambda p, above, n: _above(Assignment.objects.filter(expert=p), above, n),
        my_assignments,
    ),
)
