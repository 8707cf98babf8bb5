"""What was answered before, and using it again; what people ask, for the programme manager."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router

from backend import clock, idempotency
from backend.errors import NotAllowed, NotFound
from backend.manners import IdempotencyKey, Schema, SearchText, problems
from people.bearer import caller
from people.models import Role
from questions import asked, knowledge, reuse
from questions.models import AskedGroup, AskedWeek, Question
from questions.schemas import AskedWeekOut, FoundOut, QuestionOut, ReuseIn, UseIn

router = Router(tags=["knowledge"])
RESULTS_MAX = 10
Words = Annotated[SearchText, Query(..., description="What the asker has typed so far, 3 to 500 characters.")]
Results = Annotated[int, Query(knowledge.RESULTS, ge=1, le=RESULTS_MAX, description="Results at most.")]
Week = Annotated[date | None, Query(None, description="Any day of the week; the newest one that was grouped when missing.")]


@router.get(
    "/knowledge",
    response={200: list[FoundOut], **problems()},
    operation_id="search_knowledge",
    summary="Similar questions that were answered",
)
def search(request: HttpRequest, q: Words, limit: Results) -> Any:
    """While typing; the best first, nothing when nothing is near. Confidential questions, internal notes: never."""
    me = caller(request)
    return [FoundOut.of(one, me) for one in knowledge.search(me, q, limit=limit)]


@router.post(
    "/knowledge/{answer_id}/reuse",
    response={201: QuestionOut, **problems(409)},
    operation_id="reuse_answer",
    summary="This answers it: a question I have not passed on yet",
)
def reuse_answer(request: HttpRequest, answer_id: UUID, body: UseIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Makes a question of mine, closed as `reused`: share its `friend_link`, and hear of corrections.

    `answer_not_reusable` when it was changed or taken back meanwhile.
    """
    me, at = caller(request), clock.now()

    def work() -> tuple[int, Schema]:
        made = reuse.use(
            me,
            answer_id,
            body.text,
            request_key=f"reuse:{idempotency_key}",
            received_at=at,
            language=body.language or "",
            confidential=body.is_confidential,
        )
        return 201, QuestionOut.of(made, me)

    return idempotency.once(request, idempotency_key, work)


@router.post(
    "/questions/{question_id}/reuse",
    response={200: QuestionOut, **problems(404, 409)},
    operation_id="reuse_for_question",
    summary="This answers it: an open question of mine",
)
def reuse_for_question(request: HttpRequest, question_id: UUID, body: ReuseIn) -> Any:
    """Closes it as `reused`. Twice is fine. `question_not_open` when it is answered; `answer_not_reusable` when the answer
    was changed or taken back meanwhile."""
    question: Question = reuse.close_with(caller(request), question_id, body.answer)
    return QuestionOut.of(question, caller(request))


@router.get(
    "/asked",
    response={200: AskedWeekOut, **problems(403, 404)},
    operation_id="get_asked",
    summary="What people asked in a week",
)
def get_asked(request: HttpRequest, week: Week) -> Any:
    """For programme managers. Groups of similar questions by topic; confidential ones are left out."""
    me = caller(request)
    if not me.has_role(Role.PROGRAMME_MANAGER):
        raise NotAllowed(_("Only programme managers can see this."))
    weeks = AskedWeek.objects.filter(starts_on=asked.monday(week)) if week else AskedWeek.objects.all()
    found = weeks.order_by("-starts_on").first()
    if found is None:
        raise NotFound(_("Nothing was grouped for this week."))
    groups = AskedGroup.objects.filter(week=found).select_related("topic").order_by("-count", "topic__slug", "rank")
    return AskedWeekOut.of(found, list(groups), me)
