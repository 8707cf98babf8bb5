"""Topic cards over HTTP. The rules are in `cards`."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import AfterValidator, Field, StringConstraints

from backend import clock, idempotency
from backend.manners import IdempotencyKey, Schema, language, printable, problems
from people.bearer import caller
from questions import cards
from questions.models import TopicCard
from questions.models.cards import NOT_TO_SAY_CHARACTERS, SAY_CHARACTERS
from questions.schemas import TopicBrief, topic_brief

router = Router(tags=["cards"])
Slug = Annotated[str, Path(..., min_length=1, max_length=60, pattern=r"^[a-z0-9_-]+$")]
SayText = Annotated[
    str, StringConstraints(min_length=1, max_length=SAY_CHARACTERS, strip_whitespace=True), AfterValidator(printable)
]
NotToSayText = Annotated[
    str, StringConstraints(max_length=NOT_TO_SAY_CHARACTERS, strip_whitespace=True), AfterValidator(printable)
]


class TopicCardOut(Schema):
    """What I may say about a topic without asking an expert. A new text is a new card, and the old one is removed."""

    id: UUID
    topic: TopicBrief
    say: str = Field(description="One approved sentence or two, in my language.", max_length=SAY_CHARACTERS)
    not_to_say: str = Field(description="In my language; may be empty.", max_length=NOT_TO_SAY_CHARACTERS)
    approved_at: datetime = Field(description="UTC.")
    valid_until: date | None = Field(
        description="The last day, in the company's time: do not show it after that. Null: no end."
    )

    @classmethod
    def of(cls, card: TopicCard, language: str) -> "TopicCardOut":
        topic = topic_brief(card.topic, language)
        assert topic is not None  # noqa: S101 — a card has a topic
        assert card.approved_at is not None  # noqa: S101 — and this one is approved
        return cls(
            id=card.pk,
            topic=topic,
            say=card.say(language),
            not_to_say=card.not_to_say(language),
            approved_at=card.approved_at,
            valid_until=card.valid_until,
        )


class CardTexts(Schema):
    say_nl: SayText = Field(description="One sentence or two, in Dutch.")
    say_en: SayText = Field(description="The same in English.")
    not_to_say_nl: NotToSayText = Field("", description="In Dutch.")
    not_to_say_en: NotToSayText = Field("", description="In English.")
    valid_until: date | None = Field(None, description="The last day, in the company's time; null: no end.")


class CardDraftOut(CardTexts):
    """A version of a card that waits for approval."""

    id: UUID
    topic: TopicBrief
    author: str = Field(description="Who wrote it.", max_length=120)
    written_at: datetime = Field(description="UTC.")

    @classmethod
    def of(cls, card: TopicCard) -> "CardDraftOut":
        texts = {name: getattr(card, name) for name in CardTexts.model_fields}
        topic = topic_brief(card.topic, language())
        assert topic is not None  # noqa: S101 — a card has a topic
        return cls(id=card.pk, topic=topic, author=card.written_by.name, written_at=card.written_at, **texts)


@router.get(
    "/topics/cards",
    response={200: list[TopicCardOut], **problems()},
    operation_id="list_topic_cards",
    summary="What I may say",
)
def list_topic_cards(request: HttpRequest) -> Any:
    """One a topic, where there is one. `sync` keeps copies of them for when there is no network."""
    return [TopicCardOut.of(card, language()) for card in cards.shown(clock.now())]


@router.get(
    "/topics/cards/drafts",
    response={200: list[CardDraftOut], **problems()},
    operation_id="list_card_drafts",
    summary="Cards that wait for my approval",
)
def list_drafts(request: HttpRequest) -> Any:
    """Of topics that I lead; an administrator's are all. Until one is approved the card before it stands."""
    return [CardDraftOut.of(card) for card in cards.waiting_for(caller(request))]


@router.post(
    "/topics/{topic}/card",
    response={201: CardDraftOut, **problems(404)},
    operation_id="write_topic_card",
    summary="Write what may be said about my topic",
)
def write_card(request: HttpRequest, topic: Slug, body: CardTexts, idempotency_key: IdempotencyKey) -> HttpResponse:
    """For the topic's lead and administrators. It is shown once it is approved, by one of them. `invalid` for more than two
    sentences, or a last day that is over."""
    me = caller(request)

    def work() -> tuple[int, Schema]:
        return 201, CardDraftOut.of(cards.write(me, topic, cards.Texts(**body.model_dump())))

    return idempotency.once(request, idempotency_key, work)


@router.post(
    "/topics/cards/{card_id}/approve",
    response={200: TopicCardOut, **problems(404, 409)},
    operation_id="approve_topic_card",
    summary="This may be said from now on",
)
def approve_card(request: HttpRequest, card_id: UUID) -> Any:
    """By the topic's lead or an administrator. Twice is fine; `card_not_waiting` when there is a newer text."""
    return TopicCardOut.of(cards.approve(caller(request), card_id), language())
