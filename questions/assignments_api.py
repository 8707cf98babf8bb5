"""The expert's side over HTTP: assignments, asking back, letting go, a second pair of eyes, corrections.

Routes read and answer; the rules are in the duty modules.
"""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router

from backend import clock, idempotency
from backend.errors import NotFound
from backend.manners import Cursor, IdempotencyKey, Limit, Page, Problem, Schema, page, page_soonest_first, problems
from people.bearer import caller
from questions import answering, approvals, copies, corrections, experts, releasing
from questions.models import Assignment
from questions.schemas import (
    AnswerIn,
    ApprovalOut,
    AssignmentDetail,
    AssignmentOut,
    ColleagueIn,
    ColleagueOut,
    DeclineIn,
    TextIn,
)

router = Router()
OpenOnly = Annotated[bool, Query(False, description="Only those that wait for me.")]


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
    me = caller(request)
    rows = copies.assignments(me)
    if open_only:
        rows = rows.filter(state__in=Assignment.OPEN)
    return page(rows, cursor=cursor, limit=limit, time_field="offered_at", show=lambda a: AssignmentOut.of(a, me))


def _mine(request: HttpRequest, assignment_id: UUID) -> AssignmentDetail:
    found = copies.my_assignments(caller(request), [assignment_id])
    if not found:
        raise NotFound(_("This assignment does not exist."))
    return found[assignment_id]


@router.get(
    "/assignments/{assignment_id}",
    response={200: AssignmentDetail, **problems(404)},
    operation_id="get_assignment",
    tags=["assignments"],
    summary="One question offered to me",
)
def get_assignment(request: HttpRequest, assignment_id: UUID) -> Any:
    """With what was asked back, and my newest text for it."""
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/accept",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="accept_assignment",
    tags=["assignments"],
    summary="Take it",
)
def accept(request: HttpRequest, assignment_id: UUID) -> Any:
    """Twice is fine. `offer_gone` when the offer lapsed or somebody else has it."""
    answering.accept(caller(request), assignment_id)
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/decline",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="decline_assignment",
    tags=["assignments"],
    summary="Say no, with a reason",
)
def decline(request: HttpRequest, assignment_id: UUID, body: DeclineIn) -> Any:
    """The question goes on to somebody else. `offer_gone` when it is no longer mine."""
    answering.decline(caller(request), assignment_id, body.reason)
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/answer",
    response={201: AssignmentDetail, **problems(404, 409)},
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
    """Accepts on the way; where the topic wants a second pair of eyes it waits for approval. Straight to the friend it
    leaves after ten minutes: see `answer.leaves_at`, `hold_answer` and `send_answer`.

    `already_answered` when a colleague was first or it was withdrawn: the text is kept.
    """
    me, at = caller(request), clock.now()

    def work() -> tuple[int, Schema]:
        given = answering.answer(
            me,
            assignment_id,
            body.text,
            internal_note=body.internal_note,
            received_at=at,
            source="api",
            valid_until=body.valid_until,
        )
        if given.state == given.State.REFUSED:
            return 409, already_answered()
        return 201, _mine(request, assignment_id)

    return idempotency.once(request, idempotency_key, work)


def already_answered() -> Problem:
    """Not raised: a Refusal would roll back the text that was kept."""
    return Problem(
        type="about:blank",
        errors=[],
        title="Conflict",
        status=409,
        code=answering.AlreadyAnswered.code,
        detail=_("This question has been answered or withdrawn. Your text is kept, but not sent."),
    )


# --- asking back, letting go -----------------------------------------------------------------------------------------


@router.post(
    "/assignments/{assignment_id}/ask-back",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="ask_back",
    tags=["assignments"],
    summary="Ask the asker something first",
)
def ask_back(request: HttpRequest, assignment_id: UUID, body: TextIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Accepts on the way. The first time the clock stands still, at most 72 hours. `not_waiting` while one is open."""
    me, at = caller(request), clock.now()

    def work() -> tuple[int, Schema]:
        answering.ask_back(me, assignment_id, body.text, received_at=at)
        return 200, _mine(request, assignment_id)

    return idempotency.once(request, idempotency_key, work)


@router.post(
    "/assignments/{assignment_id}/hand-back",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="hand_back_assignment",
    tags=["assignments"],
    summary="Give it back",
)
def hand_back(request: HttpRequest, assignment_id: UUID) -> Any:
    """It goes to somebody else. Twice is fine. `offer_gone` when it is no longer mine."""
    answering.hand_back(caller(request), assignment_id)
    return _mine(request, assignment_id)


@router.get(
    "/assignments/{assignment_id}/colleagues",
    response={200: list[ColleagueOut], **problems(404)},
    operation_id="list_colleagues",
    tags=["assignments"],
    summary="To whom I may pass it on",
)
def list_colleagues(request: HttpRequest, assignment_id: UUID) -> Any:
    """Experts of the topic who are here, have room and did not have it yet; who would be asked first stands first."""
    me = caller(request)
    found = Assignment.objects.select_related("question__current_round", "question__topic").filter(
        pk=assignment_id, expert=me
    )
    assignment = found.first()
    if assignment is None:
        raise NotFound(_("This assignment does not exist."))
    return [ColleagueOut(id=person.pk, name=person.name) for person in experts.colleagues_for(assignment.question)]


@router.post(
    "/assignments/{assignment_id}/pass",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="pass_assignment",
    tags=["assignments"],
    summary="Pass it to a colleague",
)
def pass_assignment(request: HttpRequest, assignment_id: UUID, body: ColleagueIn) -> Any:
    """`colleague_cannot` when they do not know the topic, are away, full, or had it; `offer_gone` when it is not mine."""
    answering.pass_to(caller(request), assignment_id, body.colleague)
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/hold",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="hold_answer",
    tags=["assignments"],
    summary="My answer does not leave yet",
)
def hold(request: HttpRequest, assignment_id: UUID) -> Any:
    """For a `direct` question, for ten minutes; then send it, or answer anew. Twice is fine. `not_held` when it is out."""
    releasing.hold(caller(request), assignment_id)
    return _mine(request, assignment_id)


@router.post(
    "/assignments/{assignment_id}/send",
    response={200: AssignmentDetail, **problems(404, 409)},
    operation_id="send_answer",
    tags=["assignments"],
    summary="My answer leaves now",
)
def send(request: HttpRequest, assignment_id: UUID) -> Any:
    """`not_held` when it is out."""
    releasing.send(caller(request), assignment_id, received_at=clock.now())
    return _mine(request, assignment_id)


# --- a second pair of eyes, corrections ------------------------------------------------------------------------------


@router.get(
    "/approvals",
    response={200: Page[ApprovalOut], **problems()},
    operation_id="list_approvals",
    tags=["assignments"],
    summary="Colleagues' answers that wait for me",
)
def list_approvals(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """The nearest promise first."""
    return page_soonest_first(
        approvals.drafts_for(caller(request)),
        cursor=cursor,
        limit=limit,
        time_field="question__current_round__due_at",
        show=lambda drafts: [ApprovalOut.of(draft) for draft in drafts],
    )


@router.post(
    "/approvals/{answer_id}/approve",
    response={204: None, **problems(404, 409)},
    operation_id="approve_answer",
    tags=["assignments"],
    summary="Release a colleague's answer",
)
def approve(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """Twice is fine. `not_waiting` when its author wrote a newer one."""
    approvals.approve(caller(request), answer_id, received_at=clock.now())
    return HttpResponse(status=204)


@router.post(
    "/approvals/{answer_id}/reject",
    response={204: None, **problems(404, 409)},
    operation_id="reject_answer",
    tags=["assignments"],
    summary="Send it back with a remark",
)
def reject(request: HttpRequest, answer_id: UUID, body: TextIn) -> HttpResponse:
    """Its author reads the remark and writes anew. `not_waiting` when there is a newer one."""
    approvals.refuse(caller(request), answer_id, body.text)
    return HttpResponse(status=204)


@router.post(
    "/assignments/{assignment_id}/correction",
    response={201: AssignmentDetail, **problems(404, 409)},
    operation_id="correct_answer",
    tags=["assignments"],
    summary="Correct my answer",
)
def correct(request: HttpRequest, assignment_id: UUID, body: AnswerIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Everybody who passed the old text on is told. `no_answer_yet` when none of mine is out."""
    me, at = caller(request), clock.now()

    def work() -> tuple[int, Schema]:
        _mine(request, assignment_id)  # somebody else's does not exist
        question_id = Assignment.objects.values_list("question_id", flat=True).get(pk=assignment_id)
        corrections.correct(me, question_id, answering.Draft(body.text, at, "api", body.internal_note, body.valid_until))
        return 201, _mine(request, assignment_id)

    return idempotency.once(request, idempotency_key, work)
