"""The cast, the wires, and a database that really commits.

Alice asks (a shop, nothing but SMS). Bob is the expert (mail and mobile). Charlie knows the topic too, Dana is on the
duty desk, and Mallory belongs to nobody's question.
"""

import smtplib
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.test.utils import setup_databases, teardown_databases
from django.utils import translation
from twilio.request_validator import RequestValidator

from backend import clock, embedded
from notifications import breakers, delivery, holding, inbound, planning
from notifications.inbound import handling, smtp
from notifications.models import ItemCode
from people import joining, lifecycle
from people.models import AccessToken, Person, WorkingHours
from questions import after, attachments, duty, experts, knowledge, promise, releasing, reuse, routing
from questions.models import Assignment, Expertise, Question, Topic, TopicExample, Workload
from questions.tasks import _each
from sandbox import fcm, mailbox
from sandbox.models import Letter
from sandbox.twilio import Server, new_sid

QUIET_ROUNDS = 20
PORT_TRIES = 20


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """The migrated test database, also for tests that only copy it (pytest-django would make it for its own marks)."""
    with django_db_blocker.unblock():
        made = setup_databases(
            verbosity=0,
            interactive=False,
            aliases={"default"},  # type: ignore[arg-type]
        )
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def _clock_at_rest() -> Iterator[None]:
    clock.reset()
    yield
    clock.reset()


@pytest.fixture(autouse=True)
def _breakers_at_rest() -> None:
    breakers.forget()


@pytest.fixture(autouse=True)
def _language_at_rest() -> None:
    """A page of the test before may have left its reader's language behind."""
    translation.deactivate()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A fresh copy of the migrated database in which commits are real: threads, locks and triggers act as in production.

    A copy and not a flush: events are append-only, also for a test's TRUNCATE.
    """
    with django_db_blocker.unblock():
        original = connection.settings_dict["NAME"]
        connection.close()
        copy = f"copy_{uuid.uuid4().hex[:12]}"
        _server(f'CREATE DATABASE "{copy}" TEMPLATE "{original}"')
        connections.settings["default"]["NAME"] = copy
        connection.settings_dict["NAME"] = copy
        try:
            yield
        finally:
            connections.close_all()
            connections.settings["default"]["NAME"] = original
            connection.settings_dict["NAME"] = original
            _server(f'DROP DATABASE "{copy}" WITH (FORCE)')


def _server(sql: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


def _listening(listen: Callable[[int], Any]) -> tuple[Any, int]:
    """A listener and its port: one that was free a moment ago may be somebody's by now, so another is tried."""
    for _ in range(PORT_TRIES):
        port = embedded.free_port()
        with suppress(OSError):
            return listen(port), port
    raise AssertionError("no port to listen on")


def _started(controller: Controller) -> Controller:
    controller.start()
    return controller


@pytest.fixture(scope="session")
def wires(django_test_environment: None) -> Iterator[None]:
    """The real entrances and the pretend providers, listening: SMTP in, SMTP out, Twilio, Firebase."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # Django's test set-up put a mock there
    twilio, settings.SANDBOX_TWILIO_PORT = _listening(lambda port: Server("127.0.0.1", port))
    firebase, settings.SANDBOX_FCM_PORT = _listening(lambda port: fcm.Server("127.0.0.1", port))
    catcher, settings.SANDBOX_SMTP_PORT = _listening(lambda port: _started(mailbox.controller("127.0.0.1", port)))
    settings.MAIL_IN_PER_MINUTE, settings.MAIL_IN_CONNECTIONS = 100_000, 40  # all tests are one peer
    mail_in, settings.MAIL_IN_PORT = _listening(lambda port: _started(smtp.controller("127.0.0.1", port)))
    settings.TWILIO_BASE_URL = f"http://127.0.0.1:{settings.SANDBOX_TWILIO_PORT}"
    settings.FCM_BASE_URL = f"http://127.0.0.1:{settings.SANDBOX_FCM_PORT}"
    settings.EMAIL_PORT = settings.SANDBOX_SMTP_PORT
    threading.Thread(target=twilio.serve_forever, daemon=True).start()
    threading.Thread(target=firebase.serve_forever, daemon=True).start()
    yield
    mail_in.stop()
    catcher.stop()
    twilio.shutdown()
    firebase.shutdown()


@dataclass
class Cast:
    alice: Person
    bob: Person
    charlie: Person
    dana: Person
    mallory: Person
    topic: Topic


def person(number: str, name: str, *roles: str, mail: bool = True, mobile: bool = True, language: str = "nl") -> Person:
    """A colleague who works around the clock."""
    made = Person.objects.create(
        employee_number=number,
        name=name,
        email=f"{name.split()[0].lower()}@vonkmobiel.example" if mail else None,
        mobile=f"+3161200{int(number[1:]):04d}" if mobile else None,
        language=language,
        roles=["employee", *roles],
    )
    WorkingHours.objects.bulk_create(
        WorkingHours(person=made, weekday=day, starts_minute=0, ends_minute=1440) for day in range(7)
    )
    return made


def make_cast() -> Cast:
    topic = Topic.objects.create(
        slug="billing", mail_key="rekening", name_nl="Rekening", name_en="Billing", description_nl="", description_en=""
    )
    other = Topic.objects.create(slug="roaming", mail_key="buitenland", name_nl="Buitenland", name_en="Roaming")
    bills = (
        "Waarom is mijn rekening zo hoog?",
        "Wat zijn de extra kosten op mijn factuur?",
        "Waarom is de rekening deze maand hoger dan normaal?",
        "Hoe betaal ik mijn factuur?",
        "Why is my bill so high?",
        "My brother was charged twice on his bill",
    )
    trips = (
        "Kan ik in Spanje bellen?",
        "Wat kost internet in Turkije?",
        "Werkt mijn bundel ook in Marokko op vakantie?",
        "Hoe zet ik roaming aan in het buitenland?",
        "Does my bundle work in Morocco?",
        "What does calling from the United States cost?",
    )
    for which, texts in ((topic, bills), (other, trips)):
        TopicExample.objects.bulk_create(TopicExample(topic=which, language="nl", text=text) for text in texts)
    cast = Cast(
        alice=person("E1", "Alice Achterberg", mail=False),
        bob=person("E2", "Bob Bakker", "expert"),
        charlie=person("E3", "Charlie Cohen", "expert"),
        dana=person("E4", "Dana Dijk", "duty_desk"),
        mallory=person("E5", "Mallory Mulder", language="en"),
        topic=topic,
    )
    Expertise.objects.create(topic=topic, person=cast.bob, level=3)
    Expertise.objects.create(topic=topic, person=cast.charlie, level=1)
    for expert in (cast.bob, cast.charlie):
        Workload.set_capacity(expert, 5)
    return cast


@pytest.fixture
def cast(committed: None, wires: None) -> Cast:
    """The cast in a database that commits, with every wire plugged in."""
    return make_cast()


@pytest.fixture
def quiet_cast(db: None) -> Cast:
    """The cast for tests that need no commit."""
    return make_cast()


# --- the wires, from outside -----------------------------------------------------------------------------------------


def signed(url: str, fields: dict[str, str]) -> dict[str, str]:
    signature = RequestValidator(settings.TWILIO_AUTH_TOKEN).compute_signature(url, fields)
    return {"X-Twilio-Signature": signature}


def text(sender: Person | str, body: str, sid: str = "") -> Any:
    """An SMS comes in by Twilio's webhook, signed as Twilio signs. Returns the response."""
    number = sender if isinstance(sender, str) else str(sender.mobile)
    fields = {"MessageSid": sid or new_sid(), "From": number, "To": settings.SMS_FROM, "Body": body}
    headers = signed(f"{settings.PUBLIC_BASE_URL}/webhooks/twilio/sms", fields)
    return Client().post("/webhooks/twilio/sms", fields, headers=headers)


def mail(sender: str, to: str, body: str, *, subject: str = "Re: vraag", message_id: str = "", **headers: str) -> str:
    """A mail comes in by SMTP. Returns its Message-ID."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = message_id or f"<{uuid.uuid4().hex}@mail.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.send_message(message, from_addr=sender, to_addrs=[to])
    return str(message["Message-ID"])


def letters(address: str | None, channel: str | None = None) -> list[Letter]:
    """What has arrived on this pretend phone or in this mailbox, oldest first."""
    rows = Letter.objects.filter(address=address or "", direction="to_person").order_by("id")
    return list(rows.filter(channel=channel) if channel else rows)


def texts(who: Person) -> list[str]:
    return [letter.body for letter in letters(who.mobile, "sms")]


def mails(who: Person) -> list[str]:
    return [f"{letter.subject}\n{letter.body}" for letter in letters(who.email, "email")]


def work(*, sending: bool = True) -> None:
    """What the worker does, without its process: every sweep, until nothing moves any more."""
    for _round in range(QUIET_ROUNDS):
        moved = 0
        for message_id in inbound.due_ids(500):
            handling.handle(message_id)
            moved += 1
        for person_id in experts.due_for_filling(500):
            routing.fill(person_id)
            moved += 1
        for question_id in routing.due_ids(500):
            routing.route(question_id)
            moved += 1
        for assignment_id in routing.due_offers(500):
            routing.expire(assignment_id)
            moved += 1
        moved += promise.run_due()
        moved += planning.run_due()
        moved += holding.run_due()
        moved += delivery.send_due() if sending else 0
        for question_id in after.due_ids(500):
            after.follow_up(question_id)
            moved += 1
        for answer_id in releasing.due_ids(500):
            releasing.leave(answer_id)
            moved += 1
        for question_id in duty.due_ids(500):
            duty.tell_waiting(question_id)
            moved += 1
        for entry_id in knowledge.due_ids(500):
            knowledge.learn(entry_id)
            moved += 1
        for answer_id in reuse.expired_ids(500):
            reuse.expire(answer_id)
            moved += 1
        for author_id in reuse.authors_to_tell():
            reuse.tell_author(author_id)
            moved += 1
        for attachment_id in attachments.due_ids(500):
            _each([attachment_id], attachments.tend)
            moved += 1
        for absence_id in lifecycle.absences_to_begin(500):
            lifecycle.begin_absence(absence_id)
            moved += 1
        for claim_id in joining.claims_to_end(500):
            joining.end_claim(claim_id)
            moved += 1
        for absence_id in lifecycle.absences_to_end(500):
            lifecycle.end_absence(absence_id)
            moved += 1
        moved += after.note_delivered()
        if not moved:
            return
    raise AssertionError("the sweeps do not come to rest")


def ask(asker: Person, body: str = "Mijn zus vraagt waarom haar rekening zo hoog is?") -> Question:
    """A question by SMS, routed and offered."""
    assert text(asker, f"VRAAG {body}").status_code == 200
    work()
    return Question.objects.select_related("current_round", "topic").filter(asker=asker).latest("received_at")


def answered(cast: Cast, body: str, text: str, *, asker: Person | None = None, **fields: Any) -> Question:
    """A question from the app (Charlie's, unless said), answered by Bob; `fields`: the answer's, and `is_confidential`."""
    key, confidential = uuid.uuid4().hex, fields.pop("is_confidential", False)
    question_in = {"text": body, "topic": cast.topic.slug, "is_confidential": confidential}
    made = post(api(asker or cast.charlie), "/questions", question_in, key=key).json()
    work(sending=False)
    question = Question.objects.get(pk=made["id"])
    assignment = offer_of(question)
    answer = {"text": text, **fields}
    assert post(api(assignment.expert), f"/assignments/{assignment.pk}/answer", answer, key=key).status_code == 201
    work(sending=False)
    question.refresh_from_db()
    return question


def offer_of(question: Question) -> Assignment:
    return Assignment.objects.select_related("expert").filter(question=question).latest("offered_at")


def code_of(who: Person, item: str) -> str:
    return ItemCode.objects.get(person=who, item=item).code


def reply_to(assignment: Assignment) -> str:
    key = ItemCode.objects.get(person=assignment.expert, item=assignment.item).reply_key
    return f"{key}@{settings.MAIL_DOMAIN}"


def api(who: Person) -> Client:
    """The app of this person, signed in."""
    return Client(headers={"Authorization": f"Bearer {AccessToken.issue(who)}"})


def post(client: Client, path: str, body: Any = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1{path}", body if body is not None else {}, "application/json", headers=headers)


def later(**by: float) -> None:
    clock.move(timedelta(**by))


def in_parallel(count: int, job: Callable[[int], Any]) -> list[Any]:
    """Run `job(0…count-1)` in threads that start together; exceptions come back as results."""
    gate, results = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        gate.wait()
        try:
            results[number] = job(number)
        except Exception as error:  # noqa: BLE001 — the test looks at it
            results[number] = error  # type: ignore[call-overload]
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
