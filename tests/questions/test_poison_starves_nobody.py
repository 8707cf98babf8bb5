"""A row that breaks, the oldest of its sweep, keeps no other from being done. Each sweep takes one row a tick here."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from backend import clock
from notifications import delivery, outbox, providers
from notifications import tasks as notification_tasks
from notifications.channels import email
from notifications.models import Delivery, InboundMessage
from people import tasks as people_tasks
from people.models import Absence
from questions import after, answering, duty, promise, tasks
from questions.models import Assignment, DutyShift, Question, Round
from tests.conftest import Cast, ask, later, offer_of, person, text, work

TICKS = 3


def poison(question: Question) -> None:
    """Nothing can be recorded about this question any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.question_id = '{question.pk}'"
            " THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER poison BEFORE INSERT ON questions_event FOR EACH ROW EXECUTE FUNCTION poison()"
        )


@pytest.fixture(autouse=True)
def _one_row_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BATCH", 1)
    monkeypatch.setattr(notification_tasks, "INBOUND_BATCH", 1)


@pytest.fixture
def two(cast: Cast) -> list[Question]:
    """Two questions with an expert each; the first is the older one."""
    return [ask(cast.alice), ask(cast.alice, "Nog een rekening vraag?")]


def tick(sweep: Callable[[], object]) -> None:
    for _tick in range(TICKS):
        sweep()


def kinds(question: Question) -> set[str]:
    return set(question.events.values_list("kind", flat=True))


def test_promises(two: list[Question]) -> None:
    poison(two[0])
    later(hours=12, minutes=1)
    tick(tasks.run_due_promises)
    assert "reminded" in kinds(two[1])
    assert "reminded" not in kinds(two[0])


def test_routing(cast: Cast) -> None:
    for number in range(2):
        text(cast.alice, f"VRAAG Waarom is de rekening van zus {number} zo hoog?")
        notification_tasks.handle_due_inbound()
    older, newer = Question.objects.order_by("received_at")
    poison(older)
    tick(tasks.route_due)
    assert not Assignment.objects.filter(question=older).exists()
    assert Assignment.objects.filter(question=newer).exists()


def test_expiry(two: list[Question]) -> None:
    poison(two[0])
    Assignment.objects.filter(question=two[0]).update(expires_at=clock.now() - timedelta(minutes=2))
    Assignment.objects.filter(question=two[1]).update(expires_at=clock.now() - timedelta(minutes=1))
    tick(tasks.expire_offers)
    assert "offer_expired" in kinds(two[1])
    assert "offer_expired" not in kinds(two[0])


def test_follow_ups(two: list[Question]) -> None:
    for question in two:
        answering.answer(offer_of(question).expert, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api")
    poison(two[0])
    later(hours=25)
    tick(tasks.follow_up)
    assert "relay_reminded" in kinds(two[1])
    assert "relay_reminded" not in kinds(two[0])


def test_the_desk(two: list[Question], cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.now()
    DutyShift.objects.create(person=cast.dana, starts_at=at, ends_at=at + timedelta(hours=8))
    told: list[Question] = []

    def tell(question: Question, event: str, **_more: object) -> None:
        if question == two[0]:
            raise RuntimeError("poison")
        told.append(question)

    monkeypatch.setattr(duty, "tell", tell)
    for number, question in enumerate(two):
        Question.objects.filter(pk=question.pk).update(desk_due_at=at - timedelta(minutes=2 - number))
    tick(tasks.follow_up)
    assert told == [two[1]]
    assert Question.objects.get(pk=two[0].pk).desk_due_at is not None


def test_direct_answers_on_their_way(two: list[Question], monkeypatch: pytest.MonkeyPatch) -> None:
    for question in two:
        given = answering.answer(
            offer_of(question).expert, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api"
        )
        Question.objects.filter(pk=question.pk).update(answer_mode="direct")  # its ten minutes are over
        outbox.enqueue(key=after.friend_key(given.pk), channel="sms", to="+31600000000", body="Zo.")
    Delivery.objects.filter(key__endswith=":friend").update(state="sent")
    poison(two[0])
    tick(tasks.route_due)
    states = {question.pk: Question.objects.get(pk=question.pk).state for question in two}
    assert states == {two[0].pk: "answered", two[1].pk: "delivered"}


def test_messages_that_came_in(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    text(cast.alice, "VRAAG Waarom is de rekening zo hoog?", sid="SM" + "1" * 32)
    text(cast.mallory, "VRAAG Why is the bill so high?", sid="SM" + "2" * 32)
    from notifications.inbound import handling, sms

    def read(message: InboundMessage) -> object:
        if message.sender == cast.alice.mobile:
            raise RuntimeError("poison")
        return sms.handle(message)

    monkeypatch.setitem(handling.READ, "sms", read)
    tick(notification_tasks.handle_due_inbound)
    assert Question.objects.get().asker == cast.mallory


def test_deliveries(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        outbox.enqueue(key=f"d{number}", channel="sms", to=f"+3160000000{number}", body="Hallo")
    sent: list[str] = []

    def send(row: Delivery) -> str:
        if row.key == "d0":
            raise RuntimeError("poison")
        sent.append(row.key)
        return row.key

    monkeypatch.setitem(providers.SEND, "sms", send)
    tick(lambda: delivery.send_due(1))
    assert sent == ["d1"]


def test_absences(two: list[Question], cast: Cast) -> None:
    at = clock.now()
    eve = person("E8", "Eve Evers", "expert")
    poison(two[0])
    holder = offer_of(two[0]).expert
    for who, minutes in ((holder, 2), (eve, 1)):
        Absence.objects.create(person=who, starts_at=at - timedelta(minutes=minutes), ends_at=at + timedelta(days=1))
    tick(people_tasks.begin_absences)
    begun = {absence.person_id: absence.begun_at is not None for absence in Absence.objects.all()}
    assert begun == {holder.pk: False, eve.pk: True}


def test_a_tick_ends_when_its_time_is_over_and_the_next_goes_on(
    two: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long outage: no tick runs for hours."""
    later(hours=12, minutes=1)
    monkeypatch.setattr(promise, "TICK_SECONDS", -1.0)
    assert promise.run_due() == 0
    tasks.expire_offers()
    monkeypatch.setattr(promise, "TICK_SECONDS", 60.0)
    assert promise.run_due(1) == 1
    assert promise.run_due(1) == 1
    assert all(Round.objects.values_list("steps_done", flat=True))


def test_a_full_batch_rings_for_the_next(two: list[Question], monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    later(hours=12, minutes=1)
    tasks.run_due_promises()
    tasks.run_due_promises()
    tasks.run_due_promises()
    assert rung == ["questions.tasks.run_due_promises"] * 2
    work()


def test_mails_that_cannot_be_written(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        outbox.enqueue(key=f"m{number}", channel="email", to=f"m{number}@vonkmobiel.example", subject="Hallo", body="Hallo")
    compose = email.compose

    def broken(row: Delivery) -> Any:
        if row.key == "m0":
            raise RuntimeError("poison")
        return compose(row)

    monkeypatch.setattr(email, "compose", broken)
    tick(delivery.send_due)
    assert dict(Delivery.objects.values_list("key", "state")) == {"m0": "due", "m1": "sent"}
