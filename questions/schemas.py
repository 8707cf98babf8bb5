"""The shapes that questions travel in."""

from copy import copy
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from pydantic import Field

from backend import clock
from backend.manners import AnswerText, LongText, Moment, NoteText, Schema, ShortCode, Whole, YesNo, language
from people.models import Person
from questions import attachments, links, masking, pictures, words
from questions.masking import masked
from questions.models import (
    Answer,
    Assignment,
    Attachment,
    Clarification,
    Event,
    Question,
    Round,
    Topic,
)


class TopicOut(Schema):
    id: UUID
    slug: str = Field(description="Stable short name.", max_length=60)
    name: str = Field(description="In my language.", max_length=80)
    description: str = Field(description="In my language.")
    promise_hours: int = Field(description="Hours within which an answer is promised.", ge=1, le=32767)

    @classmethod
    def of(cls, topic: Topic, language: str) -> "TopicOut":
        description = topic.description_en if language == "en" else topic.description_nl
        return cls(
            id=topic.pk,
            slug=topic.slug,
            name=topic.name(language),
            description=description,
            promise_hours=topic.promise_hours,
        )


class TopicBrief(Schema):
    slug: str = Field(max_length=60)
    name: str = Field(description="In my language.", max_length=80)


class PromiseOut(Schema):
    round: int = Field(description="1, or 2 when the question was opened again.", ge=1, le=10)
    started_at: datetime = Field(description="UTC: when the message that carried the question was received.")
    due_at: datetime = Field(description="UTC.")
    status: str = Field(
        description="running, paused, overdue, kept, breached or void. Overdue shows as soon as `due_at` has passed."
    )

    @classmethod
    def of(cls, round_: Round, at: datetime) -> "PromiseOut":
        return cls(round=round_.number, started_at=round_.started_at, due_at=round_.due_at, status=round_.status(at))


class AnswerOut(Schema):
    id: UUID
    text: str = Field(description="What the friend may read.")
    author: str = Field(description="The expert's name.")
    received_at: datetime = Field(description="UTC: when the answer was received.")
    helped: bool | None = Field(description="The friend's rating; null until there is one.")
    valid_until: datetime | None = Field(description="UTC: do not relay it after this; null when it has no end.")
    is_correction: bool = Field(description="It took the place of an earlier answer: tell the friend.")


class ThreadItem(Schema):
    at: datetime = Field(description="UTC.")
    kind: str = Field(description="What happened: received, topic_chosen, offered, accepted, answered, … May grow.")


class AskIn(Schema):
    """A friend's question."""

    id: UUID | None = Field(None, description="Made by the app (offline first); the server makes one when missing.")
    text: LongText = Field(description="The question, 1 to 4000 characters.")
    language: Literal["nl", "en"] | None = Field(None, description="Of the question; my language when missing.")
    topic: ShortCode | None = Field(None, description="A topic's slug, when the asker knows it.")
    answer_mode: Literal["via_me", "direct"] = Field(
        "via_me", description="`via_me`: the answer comes to me. `direct`: also to the friend, who confirms an address."
    )
    is_confidential: YesNo = Field(False, description="Never shown as an example to others.")
    not_to: list[UUID] = Field([], max_length=20, description="Colleagues who must not get it.")


class QuestionOut(Schema):
    """A question of mine."""

    id: UUID
    reference: str = Field(description="For people, e.g. Q-7F3K.", max_length=12)
    text: str
    language: str = Field(max_length=2)
    state: str = Field(
        description="received, routing, triage, unstaffed, offered, accepted, waiting_for_asker, pending_approval,"
        " answered, relayed, delivered, closed or withdrawn. May grow."
    )
    close_reason: str = Field(description="helped, reused, not_a_question, duplicate, no_reply, time_out, or empty.")
    answer_mode: str = Field(description="via_me or direct.")
    is_confidential: bool
    topic: TopicBrief | None
    promise: PromiseOut
    expected_at: datetime | None = Field(
        description="UTC: when an answer is to be expected, from rosters and history; null when nothing is known."
    )
    friend_link: str = Field(description="The page for the friend: share it by your own phone.")
    received_at: datetime = Field(description="UTC.")

    @classmethod
    def of(cls, question: Question, reader: Person, at: datetime | None = None) -> "QuestionOut":
        return cls(**_question_fields(question, at or clock.now()))


class ClarificationOut(Schema):
    """What the expert wants to know, and the reply."""

    id: UUID
    text: str
    asked_at: datetime = Field(description="UTC.")
    reply: str = Field(description="Empty until there is one.")
    replied_at: datetime | None = Field(description="UTC; null while the expert waits for my reply.")

    @classmethod
    def of(cls, row: Clarification, *, masked: bool = False) -> "ClarificationOut":
        reply = masking.masked(row.reply) if masked else row.reply
        return cls(id=row.pk, text=row.text, asked_at=row.asked_at, reply=reply, replied_at=row.replied_at)


class AttachmentOut(Schema):
    """A picture with a question."""

    id: UUID
    state: str = Field(
        description="received (is being examined), private (only I see it), redacting (boxes are being drawn), shared"
        " (the experts see it) or refused. May grow."
    )
    refusal: str = Field(description="infected or unreadable; empty unless refused.")
    version: int = Field(description="What the addresses show; confirm it by this number. 0 until examined.", ge=0)
    width: int = Field(description="Pixels; 0 until examined.", ge=0)
    height: int = Field(description="Pixels; 0 until examined.", ge=0)
    picture_url: str = Field(description="JPEG; opens for five minutes, then ask anew. Empty while there is none.")
    thumbnail_url: str = Field(description="JPEG, at most 320 pixels a side; likewise.")
    received_at: datetime = Field(description="UTC.")

    @classmethod
    def of(cls, row: Attachment) -> "AttachmentOut":
        names = ("state", "refusal", "version", "width", "height", "received_at")
        picture, thumbnail = attachments.url_path(row), attachments.url_path(row, thumbnail=True)
        base = settings.PUBLIC_BASE_URL
        return cls(
            id=row.pk,
            picture_url=picture and base + picture,
            thumbnail_url=thumbnail and base + thumbnail,
            **{name: getattr(row, name) for name in names},
        )


class Box(Schema):
    """What a black rectangle covers, in pixels of the picture as first shown."""

    left: Whole = Field(ge=0, le=pictures.SIDE_MAX, description="Pixels from the left.")
    top: Whole = Field(ge=0, le=pictures.SIDE_MAX, description="Pixels from the top.")
    width: Whole = Field(ge=1, le=pictures.SIDE_MAX, description="Pixels.")
    height: Whole = Field(ge=1, le=pictures.SIDE_MAX, description="Pixels.")


class RedactionIn(Schema):
    boxes: list[Box] = Field(max_length=attachments.BOXES_MAX, description="All of them; an empty list uncovers again.")


class ShareIn(Schema):
    version: Whole = Field(ge=1, le=32767, description="The one I looked at.")


class QuestionDetail(QuestionOut):
    attachments: list[AttachmentOut] = Field(description="My pictures with it, oldest first.")
    answer: AnswerOut | None = Field(description="The released answer; null until there is one.")
    clarifications: list[ClarificationOut] = Field(description="What the expert asked back, oldest first.")
    thread: list[ThreadItem]

    @classmethod
    def whole(
        cls,
        question: Question,
        reader: Person,
        answer: Answer | None,
        events: list[Event],
        clarifications: list[Clarification],
        pictures: list[Attachment],
    ) -> "QuestionDetail":
        return cls(
            **_question_fields(question, clock.now()),
            answer=_answer(answer) if answer else None,
            clarifications=[ClarificationOut.of(row) for row in clarifications],
            attachments=[AttachmentOut.of(row) for row in pictures],
            thread=[ThreadItem(at=event.at, kind=event.kind) for event in events],
        )


def _question_fields(question: Question, at: datetime) -> dict[str, Any]:
    names = (
        "reference",
        "text",
        "language",
        "state",
        "close_reason",
        "answer_mode",
        "is_confidential",
        "received_at",
        "expected_at",
    )
    return {
        **{name: getattr(question, name) for name in names},
        "id": question.pk,
        "topic": topic_brief(question.topic, language()),
        "promise": PromiseOut.of(question.current_round, at),
        "friend_link": links.friend_link(question),
    }


def topic_brief(topic: Topic | None, language: str) -> TopicBrief | None:
    return TopicBrief(slug=topic.slug, name=topic.name(language)) if topic else None


def _answer(answer: Answer) -> AnswerOut:
    return AnswerOut(
        id=answer.pk,
        text=answer.text,
        author=answer.author.name,
        received_at=answer.received_at,
        helped=answer.helped,
        valid_until=answer.valid_until,
        is_correction=answer.corrects_id is not None,
    )


class ReasonOut(Schema):
    """One reason why I was chosen."""

    code: str = Field(
        description="knows, load, works_now, works_until, works_from, speaks, answered_before, stands_in or chosen_by."
        " May grow."
    )
    text: str = Field(description="In my language.")


class AssignmentOut(Schema):
    """A question that was offered to me."""

    id: UUID
    state: str = Field(
        description="offered, accepted, answered, declined, expired, handed_back, superseded or moved. May grow."
    )
    reference: str = Field(max_length=12)
    text: str = Field(description="The question; phone numbers, IBANs and mail addresses are masked.")
    language: str = Field(max_length=2)
    topic: TopicBrief | None
    why: str = Field(description="Why I was chosen, as a sentence in my language.")
    reasons: list[ReasonOut] = Field(description="The same one by one, for programs.")
    promise: PromiseOut
    offered_at: datetime = Field(description="UTC.")
    expires_at: datetime = Field(description="UTC: when the offer passes on unless it is accepted.")
    reused: int = Field(description="How many colleagues used my answer again.", ge=0, le=2**31)

    @classmethod
    def of(cls, assignment: Assignment, reader: Person) -> "AssignmentOut":
        question, spoken = assignment.question, _as_spoken(reader)
        return cls(
            id=assignment.pk,
            state=assignment.state,
            reference=question.reference,
            text=masked(question.text),
            language=question.language,
            topic=topic_brief(question.topic, language()),
            why=words.why(assignment, spoken),
            reasons=_reasons(assignment, spoken),
            promise=PromiseOut.of(assignment.round, clock.now()),
            offered_at=assignment.offered_at,
            expires_at=assignment.expires_at,
            reused=assignment.reused,  # type: ignore[attr-defined]  # annotated by the query
        )


def _as_spoken(reader: Person) -> Person:
    """The reader, wanting to hear the language of this request instead of their own."""
    spoken = copy(reader)
    spoken.language = language()
    return spoken


def _reasons(assignment: Assignment, reader: Person) -> list[ReasonOut]:
    texts = words.reasons(assignment, reader)
    pairs = zip(assignment.reasons, texts, strict=True)
    return [ReasonOut(code=reason["code"], text=text) for reason, text in pairs]


class MyAnswerOut(Schema):
    """What I wrote, as it is shown."""

    id: UUID
    text: str = Field(description="What the friend may read.")
    internal_note: str = Field(description="For colleagues only.")
    state: str = Field(
        description="draft (waits for approval), held (waits to leave), released, corrected or refused (kept, not sent)."
        " May grow."
    )
    received_at: datetime = Field(description="UTC.")
    leaves_at: datetime | None = Field(description="UTC: when a held one leaves by itself; null when it does not.")
    helped: bool | None = Field(description="The friend's rating; null until there is one.")

    @classmethod
    def of(cls, answer: Answer) -> "MyAnswerOut":
        names = ("text", "internal_note", "state", "received_at", "leaves_at", "helped")
        return cls(id=answer.pk, **{name: getattr(answer, name) for name in names})


class AssignmentDetail(AssignmentOut):
    clarifications: list[ClarificationOut] = Field(description="What was asked back and replied, masked; oldest first.")
    answer: MyAnswerOut | None = Field(description="My newest text for this question; null until there is one.")
    attachments: list[AttachmentOut] = Field(description="Pictures that the asker shared, oldest first.")

    @classmethod
    def whole(
        cls,
        assignment: Assignment,
        reader: Person,
        clarifications: list[Clarification],
        answer: Answer | None,
        pictures: list[Attachment],
    ) -> "AssignmentDetail":
        return cls(
            **AssignmentOut.of(assignment, reader).model_dump(),
            clarifications=[ClarificationOut.of(row, masked=True) for row in clarifications],
            answer=MyAnswerOut.of(answer) if answer else None,
            attachments=[AttachmentOut.of(row) for row in pictures],
        )


class DeclineIn(Schema):
    reason: Literal["not_my_topic", "no_time", "conflict", "other"] = Field(
        description="not_my_topic sends it back for a better topic; the others pass it on."
    )


class AnswerIn(Schema):
    text: AnswerText = Field(description="Friend-safe answer, 1 to 8000 characters.")
    internal_note: NoteText = Field("", description="For colleagues only, up to 8000 characters.")
    valid_until: Moment | None = Field(None, description="With its offset: do not relay it after this.")


class RateIn(Schema):
    helped: YesNo = Field(description="What the friend said. `false` opens the question again, once.")


class RateOut(Schema):
    result: str = Field(description="helped, reopened, not_helped (was reopened before) or rated (had a rating).")


class TextIn(Schema):
    text: LongText = Field(description="1 to 4000 characters.")


class ColleagueIn(Schema):
    colleague: UUID = Field(description="A person's id: one of `list_colleagues` or `list_desk_experts`.")


class ColleagueOut(Schema):
    """A colleague who knows the topic."""

    id: UUID
    name: str = Field(max_length=120)


class ApprovalOut(Schema):
    """A colleague's answer that waits for me to approve it."""

    id: UUID
    reference: str = Field(max_length=12)
    question: str = Field(description="Masked.")
    text: str = Field(description="What the friend would read.")
    internal_note: str
    author: str = Field(max_length=120)
    promise: PromiseOut

    @classmethod
    def of(cls, draft: Answer) -> "ApprovalOut":
        return cls(
            id=draft.pk,
            reference=draft.question.reference,
            question=masked(draft.question.text),
            text=draft.text,
            internal_note=draft.internal_note,
            author=draft.author.name,
            promise=PromiseOut.of(draft.question.current_round, clock.now()),
        )


class DeskItemOut(Schema):
    """A question that waits for the desk."""

    id: UUID
    reference: str = Field(max_length=12)
    text: str = Field(description="Unmasked: the desk must be able to see what it is about.")
    language: str = Field(max_length=2)
    state: str = Field(description="triage, unstaffed, or any other unanswered state when it is nearly due. May grow.")
    topic: TopicBrief | None
    guesses: list[TopicBrief] = Field(description="What it may be about, likeliest first.")
    promise: PromiseOut
    holder: str | None = Field(description="Who of the desk deals with it; null when it is free.")

    @classmethod
    def of(cls, question: Question, reader: Person, topics: dict[UUID, Topic]) -> "DeskItemOut":
        guesses = [topics[pk] for pk in question.topic_guesses if pk in topics]
        return cls(
            id=question.pk,
            reference=question.reference,
            text=question.text,
            language=question.language,
            state=question.state,
            topic=topic_brief(question.topic, language()),
            guesses=[TopicBrief(slug=topic.slug, name=topic.name(language())) for topic in guesses],
            promise=PromiseOut.of(question.current_round, clock.now()),
            holder=question.desk_holder.name if question.desk_holder else None,
        )
