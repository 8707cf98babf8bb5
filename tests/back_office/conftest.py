"""Rows for the back office, and people of each role who are signed in."""

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client

from backend import clock
from backend.ids import uuid7
from notifications import devices, outbox, troubles
from notifications.models import InboundMessage
from notifications.notify import notify
from people.models import Person
from questions import intake
from questions.models import AskedGroup, AskedWeek, Assignment, Expertise, Question, Topic, TopicExample, record
from tests.conftest import Cast, person

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
TEXT = "Mijn oom vraagt waarom 06-12345678 niet werkt en of hij op NL91ABNA0417164300 geld krijgt."


def signed_in(who: Person) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(who, backend=BACKEND)
    return client


@pytest.fixture
def office(quiet_cast: Cast) -> dict[str, Client]:
    """A browser of each role."""
    return {
        "duty_desk": signed_in(quiet_cast.dana),
        "administrator": signed_in(person("E11", "Ada Aarts", "administrator")),
        "programme_manager": signed_in(person("E12", "Petra Prins", "programme_manager")),
        "employee": signed_in(quiet_cast.mallory),
        "expert": signed_in(quiet_cast.bob),
    }


def make_question(cast: Cast, number: int = 0, text: str = TEXT, *, topic: Topic | None = None) -> Question:
    return intake.submit(cast.alice, text, request_key=f"q{number}", source="sms", received_at=clock.now(), topic=topic)


def make_inbound(number: int = 0, state: str = "quarantined", raw: bytes = b"Subject: hoi\r\n\r\nhoi") -> InboundMessage:
    at = clock.now()
    return InboundMessage.objects.create(
        channel="email",
        provider_id=f"<{number}@elders.example>",
        sender=f"oom{number}@elders.example",
        recipient="vraag@vragen.vonkmobiel.example",
        raw=raw,
        received_at=at,
        due_at=at,
        state=state,
        reason="unknown_sender",
        attempts=1,
        text="hoi",
    )


def a_topic(cast: Cast, number: int) -> None:
    topic = Topic.objects.create(slug=f"t{number}", mail_key=f"t{number}", name_nl=f"T{number}", name_en="T")
    TopicExample.objects.create(topic=topic, language="nl", text="?")
    Expertise.objects.create(topic=topic, person=cast.bob)
    Topic.objects.filter(pk=topic.pk).update(lead=cast.charlie)


def a_delivery(cast: Cast, number: int) -> None:
    key = f"d{number}"
    outbox.enqueue(key=key, channel="email", to=f"{number}@vonkmobiel.example", body="…", person=cast.bob)


def a_notification(cast: Cast, number: int) -> None:
    who = (cast.bob, cast.charlie, cast.dana)[number % 3]
    notify(who, key=f"n{number}", event="test", title="t", body="b", sms="s")


def an_asked_group(cast: Cast, number: int) -> None:
    week, _fresh = AskedWeek.objects.get_or_create(starts_on=date(2026, 11, 16), defaults={"made_at": clock.now()})
    facts = {"topic": cast.topic, "rank": number + 1, "text": "Waarom?", "count": 3, "total": 9, "previous_count": 1}
    AskedGroup.objects.create(week=week, **facts)


def a_device(cast: Cast, number: int) -> None:
    who = (cast.bob, cast.charlie, cast.dana)[number % 3]
    facts = {"platform": "ios", "app_version": "1.0", "locale": "nl-NL"}
    devices.register(who, uuid7(), kind="token", address=f"token {number}", session_key="", **facts)


ROWS: dict[str, Callable[[Cast, int], object]] = {
    "questions/question": make_question,
    "questions/topic": a_topic,
    "questions/askedgroup": an_asked_group,
    "notifications/delivery": a_delivery,
    "notifications/notification": a_notification,
    "notifications/device": a_device,
    "notifications/channeltrouble": lambda _cast, number: troubles.report("push", f"push:{number}", "a reason"),
    "notifications/inboundmessage": lambda _cast, number: make_inbound(number),
}


def add_history(cast: Cast, question: Question, first: int, count: int) -> None:
    """Much of everything that a question's page shows."""
    question.mark_routing(cast.topic, confidence=None, chosen_by="desk", at=clock.now())
    at = clock.now()
    for number in range(first, first + count):
        expert = person(f"E{number}", f"Expert{number} X", "expert")
        Assignment.objects.create(
            id=uuid7(),
            question=question,
            round=question.current_round,
            expert=expert,
            state="declined",
            by_hand=True,
            reasons=[{"code": "knows", "level": 2}, {"code": "load", "open": 1, "capacity": 5}],
            offered_at=at,
            expires_at=at,
            ended_at=at,
        )
        record(question, "declined", actor=expert, reason="no_time")
        notify(expert, key=f"x{number}", event="e", title="t", body="b", sms="s", subject_key=question.subject_key)
