"""Questions and assignments over HTTP. Routes read and answer; the rules are in the duty modules."""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router

from backend import clock, idempotency
from backend.errors import Invalid, NotFound
from backend.manners import Cursor, IdempotencyKey, Limit, Page, Problem, Schema, page, problems
from people.models import Person
from questions import answering, intake
from questions.models import Assignment, Event, Question, Topic
from questions.schemas import (
    AnswerIn,
    AskIn,
    AssignmentOut,
    DeclineIn,
    QuestionDetail,
    QuestionOut,
    RateIn,
    RateOut,
    TopicOut,
)

router = Router()
OpenOnly = Annotated[bool, Query(False, description="Only those that wait for me.")]
THREAD_EVENTS = 200


def _me(request: HttpRequest) -> Person:
    person: Person = request.auth  # type: ignore[attr-defined]
    return person


@router.get(
    "/topics",
    response={200: list[TopicOut], **problems()},
    operation_id="list_topics",
    tags=["questions"],
    summary="What questions can be about",
)
def list_topics(request: HttpRequest) -> Any:
    language = _me(request).language
    return [TopicOut.of(topic, language) for topic in Topic.objects.filter(is_active=True)]


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
    me, at = _me(request), clock.now()

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
    me = _me(request)
    rows = Question.objects.filter(asker=me).select_related("current_round", "topic")
    return page(rows, cursor=cursor, limit=limit, time_field="received_at", show=lambda q: QuestionOut.of(q, me))


@router.get(
    "/questions/{question_id}",
    response={200: QuestionDetail, **problems(404)},
    operation_id="get_question",
    tags=["questions"],
    summary="One question of mine, with answer and thread",
)
def get_question(request: HttpRequest, question_id: UUID) -> Any:
    me = _me(request)
    found = Question.objects.select_related("current_round", "topic").filter(pk=question_id, asker=me).first()
    if found is None:
        raise NotFound(_("This question does not exist."))
    answer = found.answers.filter(state="released").select_related("author").order_by("-received_at").first()
    events = list(Event.objects.filter(question=found).order_by("id")[:THREAD_EVENTS])
    return QuestionDetail.whole(found, me, answer, events)


@router.post(
    "/questions/{question_id}/withdraw",
    response={200: QuestionOut, **problems(404, 409)},
    operation_id="withdraw_question",
    tags=["questions"],
    summary="Take back an unanswered question",
)
def withdraw(request: HttpRequest, question_id: UUID) -> Any:
    """Twice is fine. `question_not_open` when it is answered."""
    return QuestionOut.of(intake.withdraw(_me(request), question_id), _me(request))


@router.post(
    "/questions/{question_id}/relay",
    response={200: QuestionOut, **problems(404, 409)},
    operation_id="relay_answer",
    tags=["questions"],
    summary="I passed the answer on",
)
def relay(request: HttpRequest, question_id: UUID) -> Any:
    """Twice is fine. `no_answer_yet` before there is an answer."""
    return QuestionOut.of(answering.relay(_me(request), question_id), _me(request))


@router.post(
    "/questions/{question_id}/rating",
    response={200: RateOut, **problems(404, 409)},
    operation_id="rate_answer",
    tags=["questions"],
    summary="What the friend said of the answer",
)
def rate(request: HttpRequest, question_id: UUID, body: RateIn) -> Any:
    """One rating an answer; `no_answer_yet` before there is one."""
    if not Question.objects.filter(pk=question_id, asker=_me(request)).exists():
        raise NotFound(_("This question does not exist."))
    return RateOut(result=answering.rate(question_id, helped=body.helped, actor=_me(request)))


@router.get(
    "/assignments",
    response={200: Page[AssignmentOut], **problems()},
    operation_id="list_assignments",
    tags=["assignments"],
    summary="Questions offered to me",
)
def list_assignments(
    request: HttpRequest,
    cursor: Cursor,
    limit: Limit,
    open_only: OpenOnly,
) -> Any:
    """Newest first."""
    me = _me(request)
    rows = Assignment.objects.filter(expert=me).select_related("question__topic", "round")
    if open_only:
        rows = rows.filter(state__in=Assignment.OPEN)
    return page(rows, cursor=cursor, limit=limit, time_field="offered_at", show=lambda a: AssignmentOut.of(a, me))


def _mine(request: HttpRequest, assignment_id: UUID) -> AssignmentOut:
    me = _me(request)
    found = Assignment.objects.select_related("question__topic", "round").filter(pk=assignment_id, expert=me).first()
    if found is None:
        raise NotFound(_("This assignment does not exist."))
    return AssignmentOut.of(found, me)


@router.get(
    "/assignments/{assignment_id}",
    response={200: AssignmentOut, **problems(404)},
    operation_id="get_assignment",
    tags=["assignments"],
    summary="One question offered to me",
)
def get_assignment(request: HttpRequest, assignment_id: UUID) -> Any:
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/accept",
    response={200: AssignmentOut, **problems(404, 409)},
    operation_id="accept_assignment",
    tags=["assignments"],
    summary="Take it",
)
def accept(request: HttpRequest, assignment_id: UUID) -> Any:
    """Twice is fine. `offer_gone` when the offer lapsed or somebody else has it."""
    answering.accept(_me(request), assignment_id)
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/decline",
    response={200: AssignmentOut, **problems(404, 409)},
    operation_id="decline_assignment",
    tags=["assignments"],
    summary="Say no, with a reason",
)
def decline(request: HttpRequest, assignment_id: UUID, body: DeclineIn) -> Any:
    """The question goes on to somebody else. `offer_gone` when it is no longer mine."""
    answering.decline(_me(request), assignment_id, body.reason)
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/answer",
    response={201: AssignmentOut, **problems(404, 409)},
    operation_id="answer_assignment",
    tags=["assignments"],
    summary="Answer it",
)
def answer(
    request: HttpRequest,
    assignment_id: UUID,
    body: AnswerIn,
    idempotency_key: IdempotencyKey,
) -> HttpResponse:
    """Accepts on the way. `already_answered` when a colleague was first or it was withdrawn: the text is kept."""
    me, at = _me(request), clock.now()

    def work() -> tuple[int, Schema]:
        given = answering.answer(
            me, assignment_id, body.text, internal_note=body.internal_note, received_at=at, source="api"
        )
        if given.state == given.State.REFUSED:
            return 409, _already_answered()
        return 201, _mine(request, assignment_id)

    return idempotency.once(request, idempotency_key, work)


def _already_answered() -> Problem:
    """Not raised: a Refusal would roll back the text that was kept."""
    return Problem(
        type="about:blank",
        errors=[],
        title="Conflict",
        status=409,
        code=answering.AlreadyAnswered.code,
        detail=_("This question has been answered or withdrawn. Your text is kept, but not sent."),
    )
