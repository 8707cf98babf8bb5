"""A question's page: its clock, its thread, and the desk's one press."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import Error, connection, transaction
from django.test import Client
from django.utils import translation

from backend import clock
from questions import answering, routing
from questions.models import Answer, Assignment, Event, Question, Round, TopicExample, record
from questions.question_page import promise_clock, span
from tests.back_office.conftest import TEXT, add_history, make_question
from tests.conftest import Cast, later


def page_of(question: Question) -> str:
    return f"/admin/questions/question/{question.pk}/change/"


def shown(client: Client, question: Question) -> str:
    return client.get(page_of(question)).content.decode()


@pytest.fixture
def triage(quiet_cast: Cast) -> Question:
    question = make_question(quiet_cast)
    question.mark_triage([quiet_cast.topic.pk], clock.now())
    record(question, "triage", confidence=0.2)
    return question


def test_the_desks_press_chooses_and_teaches(office: dict[str, Client], quiet_cast: Cast, triage: Question) -> None:
    assert "What is this question about?" in shown(office["duty_desk"], triage)
    path = f"/admin/questions/question/{triage.pk}/topic/"
    response = office["duty_desk"].post(path, {"topic": quiet_cast.topic.pk}, follow=True)
    assert f"{triage.reference} goes to the experts of Billing." in response.content.decode()
    triage.refresh_from_db()
    assert (triage.state, triage.topic, triage.topic_chosen_by) == ("routing", quiet_cast.topic, "desk")
    example = TopicExample.objects.get(source="desk")
    assert example.topic == quiet_cast.topic
    assert "06-12345678" not in example.text
    assert "What is this question about?" not in shown(office["duty_desk"], triage)


def test_pressing_after_a_colleague_says_so_and_does_nothing(
    office: dict[str, Client], quiet_cast: Cast, triage: Question
) -> None:
    path = f"/admin/questions/question/{triage.pk}/topic/"
    office["duty_desk"].post(path, {"topic": quiet_cast.topic.pk})
    response = office["administrator"].post(path, {"topic": quiet_cast.topic.pk}, follow=True)
    assert "does not wait for a topic any more" in response.content.decode()
    assert triage.events.filter(kind="topic_chosen").count() == 1


def test_opening_the_presss_address_does_nothing(office: dict[str, Client], quiet_cast: Cast, triage: Question) -> None:
    path = f"/admin/questions/question/{triage.pk}/topic/"
    assert office["duty_desk"].get(f"{path}?topic={quiet_cast.topic.pk}").status_code == 405
    for rubbish in ("", "x", str(triage.pk)):
        assert "Choose a topic." in office["duty_desk"].post(path, {"topic": rubbish}, follow=True).content.decode()
    triage.refresh_from_db()
    assert triage.state == "triage"


def test_the_press_needs_a_token_of_the_page(quiet_cast: Cast, office: dict[str, Client], triage: Question) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = office["duty_desk"].cookies
    path = f"/admin/questions/question/{triage.pk}/topic/"
    assert strict.post(path, {"topic": quiet_cast.topic.pk}).status_code == 403


@pytest.mark.parametrize("path", ["/admin/", "/accounts/login/code/"])
def test_browsers_say_where_a_press_comes_from(path: str, office: dict[str, Client]) -> None:
    """Under `no-referrer` they send `Origin: null` with every form, and Django's CSRF check refuses it: nothing works."""
    client = office["duty_desk"] if path == "/admin/" else Client()
    assert client.get(path)["Referrer-Policy"] in {"same-origin", "strict-origin-when-cross-origin"}


@pytest.mark.parametrize("role", ["programme_manager", "employee", "expert"])
def test_nobody_else_presses(role: str, office: dict[str, Client], quiet_cast: Cast, triage: Question) -> None:
    assert "What is this question about?" not in shown(office[role], triage)
    path = f"/admin/questions/question/{triage.pk}/topic/"
    assert office[role].post(path, {"topic": quiet_cast.topic.pk}).status_code in {302, 403}
    triage.refresh_from_db()
    assert triage.state == "triage"


def test_numbers_are_shown_to_the_desk_alone(office: dict[str, Client], triage: Question) -> None:
    assert TEXT in shown(office["duty_desk"], triage)
    for role in ("administrator", "programme_manager"):
        page = shown(office[role], triage)
        assert "06-12345678" not in page
        assert "NL91ABNA0417164300" not in page
        assert "Mijn oom vraagt" in page


def test_everything_that_happened_is_there(office: dict[str, Client], quiet_cast: Cast) -> None:
    question = make_question(quiet_cast, topic=quiet_cast.topic)
    routing.route(question.pk)
    assignment = Assignment.objects.get(question=question)
    answering.answer(
        assignment.expert,
        assignment.pk,
        "Het <b>klopt</b>.",
        internal_note="Zie wiki.",
        received_at=clock.now(),
        source="email",
    )
    page = shown(office["duty_desk"], question)
    for words in (
        "Bob Bakker",
        "kent Rekening",
        "0 van 5 open",
        "Zie wiki.",
        "Het &lt;b&gt;klopt&lt;/b&gt;.",
        "offered",
    ):
        assert words in page
    assert question.friend_key not in page  # whoever has it acts as the friend
    assert page.index("received") < page.index("<strong>offered</strong>") < page.index("<strong>answered</strong>")
    assert Answer.objects.get().text in page.replace("&lt;", "<").replace("&gt;", ">")


def test_markup_in_a_question_is_text(office: dict[str, Client], quiet_cast: Cast) -> None:
    question = make_question(quiet_cast, text="<script>alert(1)</script> werkt dit?")
    for path in (page_of(question), "/admin/questions/question/"):
        assert "<script>alert(1)" not in office["duty_desk"].get(path).content.decode()


def test_the_clock_is_asked_and_not_the_worker(office: dict[str, Client], quiet_cast: Cast) -> None:
    question = make_question(quiet_cast)
    assert "in 23 h 59 m" in office["duty_desk"].get("/admin/questions/question/").content.decode()
    later(hours=26)
    assert "overdue 2 h 0 m" in office["duty_desk"].get("/admin/questions/question/").content.decode()
    assert question.reference in office["duty_desk"].get("/admin/questions/question/?standing=overdue").content.decode()
    later(hours=-26)
    page = office["duty_desk"].get("/admin/questions/question/?standing=overdue").content.decode()
    assert question.reference not in page


@pytest.fixture
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.mark.usefixtures("in_english")
def test_words_for_spans() -> None:
    spans = {0: "0 m", 59: "59 m", 60: "1 h 0 m", 200: "3 h 20 m", 2879: "47 h 59 m", 2880: "2 d 0 h", 3121: "2 d 4 h"}
    assert {minutes: span(timedelta(minutes=minutes)) for minutes in spans} == spans


@pytest.mark.usefixtures("in_english")
def test_colours_of_the_clock() -> None:
    start = clock.now()
    round_ = Round(started_at=start, due_at=start + timedelta(hours=24))
    question = Question(state="routing", current_round=round_)
    at = {hours: promise_clock(question, start + timedelta(hours=hours))[0] for hours in (0, 18, 19, 24, 25)}
    assert at == {0: "running", 18: "running", 19: "soon", 24: "soon", 25: "late"}
    round_.verdict = "breached"
    assert promise_clock(question, start + timedelta(hours=26))[0] == "late"
    question.state = "answered"
    assert promise_clock(question, start + timedelta(hours=26)) == ("breached", "broken")


def test_events_cannot_be_changed(office: dict[str, Client], quiet_cast: Cast) -> None:
    question = make_question(quiet_cast)
    add_history(quiet_cast, question, 300, 1)
    event = Event.objects.filter(question=question).first()
    assert event is not None
    assert office["administrator"].get(f"/admin/questions/event/{event.pk}/change/").status_code == 404
    for change in (event.delete, lambda: Event.objects.filter(pk=event.pk).update(kind="x")):
        with pytest.raises(Error), transaction.atomic():
            change()
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE questions_event")
    assert Event.objects.filter(pk=event.pk, kind=event.kind).exists()
