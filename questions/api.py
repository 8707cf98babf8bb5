"""The asker's side over HTTP: topics and questions. Routes read and answer; the rules are in the duty modules."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router

from backend import clock, idempotency
from backend.errors import Invalid, NotFound
from backend.manners import Cursor, IdempotencyKey, Limit, Page, Schema, language, page_of, problems
from people.bearer import caller
from questions import after, answering, copies, intake, listing
from questions.models import Question, Topic
from questions.schemas import (
    AskIn,
    QuestionDetail,
    QuestionOut,
    RateIn,
    RateOut,
    TextIn,
    TopicOut,
)

router = Router()


@router.get(
    "/topics",
    response={200: list[TopicOut], **problems()},
    operation_id="list_topics",
    tags=["questions"],
    summary="What questions can be about",
)
def list_topics(request: HttpRequest) -> Any:
    """Those in use, in the language of the request. Small and rarely changed: ask with `If-None-Match`."""
    return [TopicOut.of(topic, language()) for topic in Topic.objects.filter(is_active=True)]


@router.post(
    "/questions",
    response={201: QuestionOut, **problems(409)},
    operation_id="ask",
    tags=["questions"],
    summary="Pass on a friend's question",
)
def ask(
    request: HttpRequest,
    body: AskIn,
    idempotency_key: IdempotencyKey,
) -> HttpResponse:
    """The promise starts when this request is received. `id_taken` when the id is another question's."""
    me, at = caller(request), clock.now()

    def work() -> tuple[int, Schema]:
        topic = _topic(body.topic) if body.topic else None
        question = intake.submit(
            me,
            body.text,
            request_key=f"api:{idempotency_key}",
            source="api",
            received_at=at,
            language=body.language or "",
            topic=topic,
            topic_chosen_by="asker" if topic else "",
            answer_mode=body.answer_mode,
            confidential=body.is_confidential,
            not_to=body.not_to,
            question_id=body.id,
        )
        return 201, QuestionOut.of(question, me)

    return idempotency.once(request, idempotency_key, work)


def _topic(slug: str) -> Topic:
    topic = Topic.objects.filter(slug=slug, is_active=True).first()
    if topic is None:
        raise Invalid(_("There is no topic %(slug)s.") % {"slug": slug})
    return topic


@router.get(
    "/questions",
    response={200: Page[QuestionOut], **problems()},
    operation_id="list_questions",
    tags=["questions"],
    summary="My questions",
)
def list_questions(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first."""
    me = caller(request)
    found, at = listing.of_asker(me, cursor, limit + 1), clock.now()
    return page_of(found, limit=limit, time_field="received_at", show=lambda question: QuestionOut.of(question, me, at))


@router.get(
    "/questions/{question_id}",
    response={200: QuestionDetail, **problems(404)},
    operation_id="get_question",
    tags=["questions"],
    summary="One question of mine, with answer and thread",
)
def get_question(request: HttpRequest, question_id: UUID) -> Any:
    """Its thread holds the first 200 things that happened."""
    me = caller(request)
    found = copies.my_questions(me, [question_id])
    if not found:
        raise NotFound(_("This question does not exist."))
    return found[question_id]


@router.post(
    "/questions/{question_id}/withdraw",
    response={200: QuestionOut, **problems(404, 409)},
    operation_id="withdraw_question",
    tags=["questions"],
    summary="Take back an unanswered question",
)
def withdraw(request: HttpRequest, question_id: UUID) -> Any:
    """Twice is fine. `question_not_open` when it is answered."""
    return QuestionOut.of(intake.withdraw(caller(request), question_id), caller(request))


@router.post(
    "/questions/{question_id}/relay",
    response={200: QuestionOut, **problems(404, 409)},
    operation_id="relay_answer",
    tags=["questions"],
    summary="I passed the answer on",
)
def relay(request: HttpRequest, question_id: UUID) -> Any:
    """Twice is fine. `no_answer_yet` before there is an answer."""
    return QuestionOut.of(after.relay(caller(request), question_id), caller(request))


@router.post(
    "/questions/{question_id}/rating",
    response={200: RateOut, **problems(404, 409)},
    operation_id="rate_answer",
    tags=["questions"],
    summary="What the friend said of the answer",
)
def rate(request: HttpRequest, question_id: UUID, body: RateIn) -> Any:
    """One rating an answer; `no_answer_yet` before there is one."""
    if not Question.objects.filter(pk=question_id, asker=caller(request)).exists():
        raise NotFound(_("This question does not exist."))
    return RateOut(result=after.rate(question_id, helped=body.helped, actor=caller(request)))


@router.post(
    "/clarifications/{clarification_id}/reply",
    response={200: QuestionDetail, **problems(404, 409)},
    operation_id="reply_clarification",
    tags=["questions"],
    summary="Reply to what the expert wants to know",
)
def reply_clarification(request: HttpRequest, clarification_id: UUID, body: TextIn) -> Any:
    """The promise's clock runs on. `not_waiting` when nobody waits for it any more."""
    question = answering.clarify(caller(request), clarification_id, body.text, received_at=clock.now())
    return get_question(request, question.pk)
