"""The duty desk over HTTP. For people of the desk; everybody else is told that they may not."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Path, Router
from pydantic import Field

from backend import clock, idempotency
from backend.errors import Invalid, NotAllowed, NotFound
from backend.manners import (
    Cursor,
    IdempotencyKey,
    Limit,
    Moment,
    Page,
    Schema,
    ShortCode,
    page_soonest_first,
    problems,
)
from people.bearer import caller
from people.models import Person
from questions import answering, corrections, desk, duty
from questions.assignments_api import already_answered
from questions.models import (
    DutyShift,
    Question,
    Topic,
    Workload,
)
from questions.schemas import AnswerIn, ColleagueIn, DeskItemOut

router = Router(tags=["desk"])
ShiftId = Annotated[int, Path(..., ge=1, le=2**53)]


class DeskExpertOut(Schema):
    """An expert to whom the desk may give it."""

    id: UUID
    name: str = Field(max_length=120)
    open: int = Field(description="Questions they hold now.", ge=0, le=32767)
    capacity: int = Field(description="Questions they can hold.", ge=0, le=32767)

    @classmethod
    def of(cls, person: Person, load: Workload) -> "DeskExpertOut":
        return cls(id=person.pk, name=person.name, open=load.open_count, capacity=load.capacity)


class TopicChoiceIn(Schema):
    topic: ShortCode = Field(description="A topic's slug.")


class CloseIn(Schema):
    reason: Literal["not_a_question", "duplicate"]


class ShiftIn(Schema):
    person: UUID = Field(description="Somebody of the duty desk.")
    starts_at: Moment = Field(description="With its offset.")
    ends_at: Moment = Field(description="With its offset.")


class ShiftOut(Schema):
    """Who is on duty when."""

    id: int
    person: UUID
    name: str = Field(max_length=120)
    starts_at: datetime = Field(description="UTC.")
    ends_at: datetime = Field(description="UTC.")

    @classmethod
    def of(cls, shift: DutyShift) -> "ShiftOut":
        who = shift.person
        return cls(id=shift.pk, person=who.pk, name=who.name, starts_at=shift.starts_at, ends_at=shift.ends_at)


def _desk(request: HttpRequest) -> Person:
    """Raises NotAllowed for everybody else."""
    person = caller(request)
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    return person


def _shown(question_id: UUID, reader: Person) -> DeskItemOut:
    found = Question.objects.select_related("current_round", "topic", "desk_holder").get(pk=question_id)
    return DeskItemOut.of(found, reader, desk.guessed([found]))


@router.get(
    "/desk/items",
    response={200: Page[DeskItemOut], **problems(403)},
    operation_id="list_desk_items",
    summary="What waits for the desk",
)
def list_items(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """No topic, no expert, nearly due, or taken by somebody of the desk; the nearest promise first."""
    person = _desk(request)

    def show(rows: list[Question]) -> list[DeskItemOut]:
        topics = desk.guessed(rows)
        return [DeskItemOut.of(row, person, topics) for row in rows]

    return page_soonest_first(desk.items(), cursor=cursor, limit=limit, time_field="current_round__due_at", show=show)


@router.post(
    "/desk/items/{question_id}/take",
    response={200: DeskItemOut, **problems(403, 404, 409)},
    operation_id="take_desk_item",
    summary="I deal with it",
)
def take(request: HttpRequest, question_id: UUID) -> Any:
    """Twice is fine. `taken` when a colleague was first."""
    person = _desk(request)
    return _shown(desk.take(person, question_id).pk, person)


@router.post(
    "/desk/items/{question_id}/hand-back",
    response={200: DeskItemOut, **problems(403, 404, 409)},
    operation_id="hand_back_desk_item",
    summary="Somebody else of the desk shall",
)
def hand_back(request: HttpRequest, question_id: UUID) -> Any:
    """Twice is fine. `taken` when a colleague of the desk has it, `not_in_triage` when it is answered or closed."""
    person = _desk(request)
    return _shown(desk.hand_back(person, question_id).pk, person)


@router.post(
    "/desk/items/{question_id}/topic",
    response={200: DeskItemOut, **problems(403, 404, 409)},
    operation_id="choose_topic",
    summary="It is about this",
)
def choose_topic(request: HttpRequest, question_id: UUID, body: TopicChoiceIn) -> Any:
    """It goes to the topic's experts, and its text teaches. `not_in_triage` when it does not wait for a topic."""
    person = _desk(request)
    topic = Topic.objects.filter(slug=body.topic).first()
    if topic is None:
        raise Invalid(_("There is no topic %(slug)s.") % {"slug": body.topic})
    return _shown(desk.choose_topic(person, question_id, topic).pk, person)


@router.post(
    "/desk/items/{question_id}/assign",
    response={200: DeskItemOut, **problems(403, 404, 409)},
    operation_id="assign_desk_item",
    summary="This expert shall answer it",
)
def assign(request: HttpRequest, question_id: UUID, body: ColleagueIn) -> Any:
    """Who held it is relieved. `colleague_cannot` when they do not know the topic, are away, full, or had it."""
    person = _desk(request)
    return _shown(desk.assign(person, question_id, body.colleague).pk, person)


@router.get(
    "/desk/items/{question_id}/experts",
    response={200: list[DeskExpertOut], **problems(403, 404)},
    operation_id="list_desk_experts",
    summary="To whom it can be given",
)
def list_experts(request: HttpRequest, question_id: UUID) -> Any:
    """Experts of its topic who are here, have room and did not have it yet, with what they hold; at most 50."""
    _desk(request)
    question = Question.objects.select_related("current_round", "topic").filter(pk=question_id).first()
    if question is None:
        raise NotFound(_("This question does not exist."))
    return [DeskExpertOut.of(person, load) for person, load in desk.experts_for(question)]


@router.post(
    "/desk/items/{question_id}/answer",
    response={201: DeskItemOut, **problems(403, 404, 409)},
    operation_id="answer_desk_item",
    summary="Answer it myself",
)
def answer(request: HttpRequest, question_id: UUID, body: AnswerIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """`already_answered` when an expert was first: the text is kept."""
    person, at = _desk(request), clock.now()

    def work() -> tuple[int, Schema]:
        draft = answering.Draft(body.text, at, "desk", body.internal_note, body.valid_until)
        given = desk.answer(person, question_id, draft)
        return (409, already_answered()) if given.state == given.State.REFUSED else (201, _shown(question_id, person))

    return idempotency.once(request, idempotency_key, work)


@router.post(
    "/desk/items/{question_id}/close",
    response={200: DeskItemOut, **problems(403, 404, 409)},
    operation_id="close_desk_item",
    summary="There is nothing to answer",
)
def close(request: HttpRequest, question_id: UUID, body: CloseIn) -> Any:
    """The asker hears why. `taken` when a colleague has it, `not_in_triage` when it is answered or closed."""
    person = _desk(request)
    return _shown(desk.close(person, question_id, body.reason).pk, person)


@router.post(
    "/desk/items/{question_id}/correction",
    response={201: DeskItemOut, **problems(403, 404, 409)},
    operation_id="correct_desk_item",
    summary="Correct an answer that is out",
)
def correct(request: HttpRequest, question_id: UUID, body: AnswerIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Everybody who passed the old text on is told. `no_answer_yet` before there is one."""
    person, at = _desk(request), clock.now()

    def work() -> tuple[int, Schema]:
        draft = answering.Draft(body.text, at, "desk", body.internal_note, body.valid_until)
        corrections.correct(person, question_id, draft)
        return 201, _shown(question_id, person)

    return idempotency.once(request, idempotency_key, work)


# --- the rota --------------------------------------------------------------------------------------------------------


@router.get(
    "/desk/rota",
    response={200: list[ShiftOut], **problems(403)},
    operation_id="list_shifts",
    summary="Who is on duty, from now on",
)
def list_shifts(request: HttpRequest) -> Any:
    """The next four weeks."""
    _desk(request)
    at = clock.now()
    return [ShiftOut.of(shift) for shift in desk.rota(at, at + desk.ROTA_SHOWN)]


@router.post(
    "/desk/rota",
    response={201: ShiftOut, **problems(403)},
    operation_id="add_shift",
    summary="Somebody is on duty then",
)
def add_shift(request: HttpRequest, body: ShiftIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """A week at most. `invalid` when the colleague is not of the desk."""
    person = _desk(request)

    def work() -> tuple[int, Schema]:
        made = desk.add_shift(person, body.person, starts_at=body.starts_at, ends_at=body.ends_at)
        return 201, ShiftOut.of(made)

    return idempotency.once(request, idempotency_key, work)


@router.delete(
    "/desk/rota/{shift_id}",
    response={204: None, **problems(403, 404)},
    operation_id="remove_shift",
    summary="Nobody is on duty then after all",
)
def remove_shift(request: HttpRequest, shift_id: ShiftId) -> HttpResponse:
    """It is over at once; who is on duty next hears of what waits."""
    desk.remove_shift(_desk(request), shift_id)
    return HttpResponse(status=204)
