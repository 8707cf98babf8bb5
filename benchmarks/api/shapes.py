"""What the two twins take and answer: the product's shapes and bounds, written for FastAPI. Frozen."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Note = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]


class AskIn(BaseModel):
    id: UUID | None = None
    text: Text
    language: Literal["nl", "en"] | None = None
    topic: str | None = Field(None, max_length=40)
    answer_mode: Literal["via_me", "direct"] = "via_me"
    is_confidential: bool = False
    not_to: list[UUID] = Field([], max_length=20)


class TopicBrief(BaseModel):
    slug: str
    name: str


class PromiseOut(BaseModel):
    round: int
    started_at: datetime
    due_at: datetime
    status: str


class QuestionOut(BaseModel):
    id: UUID
    reference: str
    text: str
    language: str
    state: str
    close_reason: str
    answer_mode: str
    is_confidential: bool
    topic: TopicBrief | None
    promise: PromiseOut
    expected_at: datetime | None
    friend_link: str
    received_at: datetime


class QuestionPage(BaseModel):
    items: list[QuestionOut]
    next_cursor: str | None


class GiveIn(BaseModel):
    offer_id: UUID
    note: Note = ""
    language: Literal["nl", "en"] | None = None


class GiftOut(BaseModel):
    id: UUID
    offer: str
    title: str
    note: str
    language: str
    state: str
    price_credits: int
    handed_out_at: datetime
    ends_on: date
    secret_number: int
    link: str
    share_text: str
