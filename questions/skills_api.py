"""Who knows what, over HTTP: mine, and a lead's topic. The rules are in `skills`."""

from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from backend.manners import Schema, Whole, language, problems
from people.bearer import caller
from questions import records, skills
from questions.models import Expertise, Topic
from questions.schemas import TopicBrief, topic_brief

router = Router(tags=["expertise"])
Slug = Annotated[str, Path(..., min_length=1, max_length=60, pattern=r"^[a-z0-9_-]+$")]
EXPERTS_MAX = 500
MINE_MAX = 200


class LevelIn(Schema):
    level: Whole = Field(description="1 can answer, 2 knows it well, 3 is whom the others ask.", ge=1, le=3)


class RecordOut(Schema):
    """How my answers on this topic did in the last 180 days. Only I see it."""

    answers: int = Field(ge=0, le=2**31)
    quick: int = Field(description="Before half of the promised time had passed.", ge=0, le=2**31)
    helped: int = Field(ge=0, le=2**31)
    not_helped: int = Field(ge=0, le=2**31)
    level: int = Field(description="The level these answers speak for.", ge=1, le=3)


class ExpertiseOut(Schema):
    """A topic I answer."""

    topic: TopicBrief
    level: int = Field(ge=1, le=3)
    record: RecordOut | None = Field(description="Null where the company does not count personal figures.")

    @classmethod
    def of(cls, row: Expertise, language: str) -> "ExpertiseOut":
        topic = topic_brief(row.topic, language)
        assert topic is not None  # noqa: S101 — an expertise has a topic
        return cls(topic=topic, level=row.level, record=_record(row) if settings.PERSONAL_SCORES else None)


class TopicExpertOut(Schema):
    """A colleague who answers my topic."""

    person: UUID
    name: str = Field(max_length=120)
    level: int = Field(ge=1, le=3)

    @classmethod
    def of(cls, row: Expertise) -> "TopicExpertOut":
        return cls(person=row.person_id, name=row.person.name, level=row.level)


def _record(row: Expertise) -> RecordOut:
    mine = records.of(row.topic_id, [row.person_id])[row.person_id]
    return RecordOut(
        answers=mine.answers, quick=mine.quick, helped=mine.helped, not_helped=mine.not_helped, level=mine.level
    )


@router.get(
    "/me/expertise",
    response={200: list[ExpertiseOut], **problems()},
    operation_id="list_expertise",
    summary="What I answer questions about",
)
def list_expertise(request: HttpRequest) -> Any:
    """By topic; with my own figures where the company counts them."""
    me = caller(request)
    return [ExpertiseOut.of(row, language()) for row in skills.of(me)[:MINE_MAX]]


@router.put(
    "/me/expertise/{topic}",
    response={200: ExpertiseOut, **problems(403, 404)},
    operation_id="set_expertise",
    summary="How well I know a topic",
)
def set_expertise(request: HttpRequest, topic: Slug, body: LevelIn) -> Any:
    """1 or 2; 3 is the lead's to give (`not_allowed`). What waits and fits is offered to me at once."""
    me = caller(request)
    return ExpertiseOut.of(skills.set_own(me, skills.topic_in_use(topic), body.level), language())


@router.delete(
    "/me/expertise/{topic}",
    response={204: None, **problems(404)},
    operation_id="drop_expertise",
    summary="I do not answer this topic any more",
)
def drop_expertise(request: HttpRequest, topic: Slug) -> HttpResponse:
    """Offers I have not accepted go to somebody else; what I accepted stays mine. Twice is fine."""
    skills.drop_own(caller(request), skills.topic_in_use(topic))
    return HttpResponse(status=204)


def _led(request: HttpRequest, slug: str) -> Topic:
    return skills.led_by(caller(request), slug)


@router.get(
    "/topics/{topic}/experts",
    response={200: list[TopicExpertOut], **problems(404)},
    operation_id="list_topic_experts",
    summary="Who answers a topic of mine",
)
def list_topic_experts(request: HttpRequest, topic: Slug) -> Any:
    """For the topic's lead; the one who knows it best first."""
    rows = Expertise.objects.filter(topic=_led(request, topic)).select_related("person")
    return [TopicExpertOut.of(row) for row in rows.order_by("-level", "person__name")[:EXPERTS_MAX]]


@router.put(
    "/topics/{topic}/experts/{person}",
    response={200: TopicExpertOut, **problems(404)},
    operation_id="set_topic_expert",
    summary="How well a colleague knows my topic",
)
def set_topic_expert(request: HttpRequest, topic: Slug, person: UUID, body: LevelIn) -> Any:
    """For the topic's lead. `invalid` when the colleague is not an expert."""
    return TopicExpertOut.of(skills.set_level(caller(request), _led(request, topic), person, body.level))


@router.delete(
    "/topics/{topic}/experts/{person}",
    response={204: None, **problems(404)},
    operation_id="drop_topic_expert",
    summary="A colleague does not answer my topic any more",
)
def drop_topic_expert(request: HttpRequest, topic: Slug, person: UUID) -> HttpResponse:
    """For the topic's lead. Offers they have not accepted go to somebody else."""
    skills.drop(caller(request), _led(request, topic), person)
    return HttpResponse(status=204)
