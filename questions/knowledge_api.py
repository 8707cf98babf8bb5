"""What was answered before, and using it again; what people ask, for the programme manager."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import Field

from backend import clock, idempotency
from backend.errors import NotAllowed, NotFound
from backend.manners import IdempotencyKey, LongText, Schema, SearchText, YesNo, language, problems
from people.bearer import caller
from people.models import Person, Role
from questions import asked, knowledge, reuse
from questions.knowledge import Found
from questions.models import (
    AskedGroup,
    AskedWeek,
    Question,
)
from questions.schemas import QuestionOut, TopicBrief

router = Router(tags=["knowledge"])
RESULTS_MAX = 10
Words = Annotated[SearchText, Query(..., description="What the asker has typed so far, 3 to 500 characters.")]
Results = Annotated[int, Query(knowledge.RESULTS, ge=1, le=RESULTS_MAX, description="Results at most.")]
Week = Annotated[date | None, Query(None, description="Any day of the week; the newest one that was grouped when missing.")]


class FoundOut(Schema):
    """An answered question that may answer mine."""

    answer_id: UUID = Field(description="To use it: `reuse_answer`, or `reuse_for_question`.")
    question: str = Field(description="Phone numbers, IBANs and mail addresses are masked unless it is mine.")
    answer: str = Field(description="What the friend may read.")
    author: str = Field(description="The expert's name.", max_length=120)
    language: str = Field(description="Of the question.", max_length=2)
    topic: TopicBrief | None
    received_at: datetime = Field(description="UTC: when the answer was received.")
    valid_until: datetime | None = Field(description="UTC: do not relay it after this; null when it has no end.")
    helped: bool | None = Field(description="True when the friend said so.")
    reused: int = Field(description="How many colleagues used it.", ge=0, le=2**31)
    similarity: float | None = Field(
        description="Of the questions, to 1; null when it was found by its words alone.", ge=-1, le=1
    )

    @classmethod
    def of(cls, found: Found, reader: Person) -> "FoundOut":
        name = found.topic_en if language() == "en" else found.topic_nl
        same = ("answer_id", "question", "answer", "author", "language", "received_at", "valid_until", "helped", "reused")
        return cls(
            **{field: getattr(found, field) for field in same},
            topic=TopicBrief(slug=found.topic_slug, name=name) if found.topic_slug and name else None,
            similarity=None if found.similarity is None else round(found.similarity, 3),
        )


class ReuseIn(Schema):
    answer: UUID = Field(description="`answer_id` of what `search_knowledge` found.")


class UseIn(Schema):
    text: LongText = Field(description="The friend's question, 1 to 4000 characters.")
    language: Literal["nl", "en"] | None = Field(None, description="Of the question; my language when missing.")
    is_confidential: YesNo = Field(False, description="Not to be counted among what people ask.")


class AskedGroupOut(Schema):
    """What several people asked."""

    topic: TopicBrief
    text: str = Field(description="The question that stands for the others, masked.")
    count: int = Field(ge=1, le=2**31)
    share: float = Field(description="Of the topic's questions in this week.", ge=0, le=1)
    previous_count: int = Field(description="Questions like it the week before.", ge=0, le=2**31)
    change: int = Field(description="`count` less `previous_count`.", ge=-(2**31), le=2**31)


class AskedWeekOut(Schema):
    """A week of questions, grouped; the largest group first."""

    week: date = Field(description="Its Monday, in the company's time.")
    made_at: datetime = Field(description="UTC.")
    groups: list[AskedGroupOut]

    @classmethod
    def of(cls, week: AskedWeek, groups: list[AskedGroup], reader: Person) -> "AskedWeekOut":
        shown = [
            AskedGroupOut(
                topic=TopicBrief(slug=group.topic.slug, name=group.topic.name(language())),
                text=group.text,
                count=group.count,
                share=round(group.share, 4),
                previous_count=group.previous_count,
                change=group.change,
            )
            for group in groups
        ]
        return cls(week=week.starts_on, made_at=week.made_at, groups=shown)


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
