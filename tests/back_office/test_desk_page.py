"""The desk's page: what waits, soonest first; take, topic, assign, answer, hand back, close and correct by pressing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend import clock
from questions import answering, promise, routing
from questions.models import Answer, Assignment, DutyShift, Question, Workload, record
from tests.back_office.conftest import TEXT, make_question, signed_in
from tests.conftest import Cast, later, person

LIST = "/admin/questions/question/?standing=desk"
ACTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("take", {}),
    ("back", {}),
    ("answer", {"text": "Zo zit het."}),
    ("close", {"reason": "duplicate"}),
)


@pytest.fixture
def triage(quiet_cast: Cast) -> Question:
    question = make_question(quiet_cast)
    question.mark_triage([quiet_cast.topic.pk], clock.now())
    record(question, "triage", confidence=0.2)
    return question


@pytest.fixture
def offered(quiet_cast: Cast) -> Question:
    question = make_question(quiet_cast, 1, topic=quiet_cast.topic)
    routing.route(question.pk)
    return question


def press(client: Client, question: Question, act: str, **fields: str) -> str:
    path = f"/admin/questions/question/{question.pk}/desk/"
    response = client.post(path, {"act": act, **fields}, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def shown(client: Client, question: Question) -> str:
    return client.get(f"/admin/questions/question/{question.pk}/change/").content.decode()


def fresh(question: Question) -> Question:
    return Question.objects.select_related("current_round", "desk_holder").get(pk=question.pk)


def test_the_list_shows_what_waits_and_who_has_it(
    office: dict[str, Client], quiet_cast: Cast, triage: Question, offered: Question
) -> None:
    page = office["duty_desk"].get(LIST).content.decode()
    assert triage.reference in page
    assert offered.reference not in page
    assert "Mijn oom vraagt" in page
    assert "06-12345678" not in page
    press(office["duty_desk"], triage, "take")
    assert "Dana Dijk" in office["duty_desk"].get(LIST).content.decode()
    later(hours=22)
    promise.run_due()
    page = office["duty_desk"].get(LIST).content.decode()
    assert offered.reference in page
    assert page.index(triage.reference) < page.index(offered.reference)


def test_taken_and_handed_back(office: dict[str, Client], quiet_cast: Cast, triage: Question) -> None:
    assert f"{triage.reference} is yours to deal with." in press(office["duty_desk"], triage, "take")
    assert fresh(triage).desk_holder == quiet_cast.dana
    assert "Hand it back" in shown(office["duty_desk"], triage)
    refused = press(office["administrator"], triage, "take")
    assert "Dana Dijk has" in refused
    assert fresh(triage).desk_holder == quiet_cast.dana
    press(office["duty_desk"], triage, "back")
    assert fresh(triage).desk_holder is None


def test_the_best_guesses_stand_first(office: dict[str, Client], triage: Question) -> None:
    page = shown(office["duty_desk"], triage)
    assert page.index('value="' + str(triage.topic_guesses[0])) < page.index("another topic…")


def test_given_to_an_expert_with_room(office: dict[str, Client], quiet_cast: Cast, offered: Question) -> None:
    Workload.objects.filter(person=quiet_cast.charlie).update(open_count=2)
    page = shown(office["duty_desk"], offered)
    assert "Charlie Cohen · 2 of 5 open" in page
    assert "Bob Bakker ·" not in page.split("Give it to an expert")[1].split("</form>")[0]  # has it already
    said = press(office["duty_desk"], offered, "assign", expert=str(quiet_cast.charlie.pk))
    assert f"{offered.reference} goes to Charlie Cohen." in said
    assert Assignment.objects.get(question=offered, state="offered").expert == quiet_cast.charlie
    Workload.objects.filter(person=quiet_cast.charlie).update(open_count=5)
    for rubbish in ("", "x", str(offered.pk)):
        assert "Choose an expert." in press(office["duty_desk"], offered, "assign", expert=rubbish)


def test_answered_by_the_desk(office: dict[str, Client], quiet_cast: Cast, triage: Question) -> None:
    said = press(office["duty_desk"], triage, "answer", text="Zo zit het.", internal_note="Zie wiki.")
    assert "Zo zit het." in said
    given = Answer.objects.get()
    assert (given.author, given.source, given.internal_note) == (quiet_cast.dana, "desk", "Zie wiki.")
    assert fresh(triage).state == "answered"


def test_what_was_typed_comes_back_when_a_colleague_has_it(
    office: dict[str, Client], quiet_cast: Cast, triage: Question
) -> None:
    press(office["duty_desk"], triage, "take")
    page = press(office["administrator"], triage, "answer", text="Lang getypt <b>antwoord</b>.")
    assert "Lang getypt &lt;b&gt;antwoord&lt;/b&gt;." in page
    assert "Dana Dijk has" in page
    assert not Answer.objects.exists()


def test_closed(office: dict[str, Client], triage: Question) -> None:
    for rubbish in ("", "helped"):
        press(office["duty_desk"], triage, "close", reason=rubbish)
        assert fresh(triage).state == "triage"
    assert f"{triage.reference} is closed." in press(office["duty_desk"], triage, "close", reason="not_a_question")
    assert fresh(triage).close_reason == "not_a_question"
    assert "Answer it yourself" not in shown(office["duty_desk"], triage)


def test_corrected(office: dict[str, Client], quiet_cast: Cast, offered: Question) -> None:
    given = Assignment.objects.get(question=offered)
    answering.answer(given.expert, given.pk, "Oud.", received_at=clock.now(), source="api")
    assert "Correct the answer that is out" in shown(office["duty_desk"], offered)
    press(office["duty_desk"], offered, "correct", text="Nieuw.")
    kept = list(Answer.objects.order_by("pk").values_list("text", "state"))
    assert kept == [("Oud.", "corrected"), ("Nieuw.", "released")]


@pytest.mark.parametrize(("act", "fields"), ACTS)
def test_opening_does_nothing_and_nobody_else_presses(
    office: dict[str, Client], triage: Question, act: str, fields: dict[str, str]
) -> None:
    path = f"/admin/questions/question/{triage.pk}/desk/"
    before = triage.events.count()
    assert office["duty_desk"].get(path, {"act": act, **fields}).status_code == 405
    assert office["programme_manager"].post(path, {"act": act, **fields}).status_code == 403
    for role in ("employee", "expert"):
        assert office[role].post(path, {"act": act, **fields}).status_code in {302, 403}
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = office["duty_desk"].cookies
    assert strict.post(path, {"act": act, **fields}).status_code == 403
    assert (fresh(triage).state, fresh(triage).desk_holder, triage.events.count()) == ("triage", None, before)
    assert 'id="desk"' not in shown(office["programme_manager"], triage)
    assert "Choose what is to be done." in press(office["duty_desk"], triage, "explode")


def test_a_paused_clock_is_shown_as_paused(office: dict[str, Client], offered: Question) -> None:
    held = Assignment.objects.get(question=offered)
    answering.ask_back(held.expert, held.pk, "Welk abonnement?", received_at=clock.now())
    later(hours=30)
    page = shown(office["duty_desk"], offered)
    assert "waits for the asker" in page
    assert "overdue" not in page
    assert "Welk abonnement?" in page
    assert office["duty_desk"].get("/admin/questions/question/").status_code == 200


def test_dutch(quiet_cast: Cast, triage: Question) -> None:
    client = signed_in(quiet_cast.dana)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl"
    page = client.get(f"/admin/questions/question/{triage.pk}/change/", headers={"Accept-Language": "nl"}).content.decode()
    for words in ("De dienstdesk", "Ik pak hem op", "Zelf antwoorden", "Er valt niets te antwoorden"):
        assert words in page


def test_the_list_costs_the_same_at_any_length(office: dict[str, Client], quiet_cast: Cast) -> None:
    counts = []
    for first, last in ((0, 3), (3, 30)):
        for number in range(first, last):
            question = make_question(quiet_cast, number, text=TEXT)
            question.mark_triage([quiet_cast.topic.pk], clock.now())
            question.mark_taken(quiet_cast.dana)
        with CaptureQueriesContext(connection) as captured:
            assert office["duty_desk"].get(LIST).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


# --- the rota --------------------------------------------------------------------------------------------------------


def form(who: Any, first: timedelta, last: timedelta) -> dict[str, str]:
    from django.utils.timezone import localtime

    begins, ends = localtime(clock.now() + first), localtime(clock.now() + last)
    return {
        "person": str(who.pk),
        "starts_at_0": f"{begins:%Y-%m-%d}",
        "starts_at_1": f"{begins:%H:%M:%S}",
        "ends_at_0": f"{ends:%Y-%m-%d}",
        "ends_at_1": f"{ends:%H:%M:%S}",
    }


def test_the_desk_keeps_its_rota(office: dict[str, Client], quiet_cast: Cast) -> None:
    client, path = office["duty_desk"], "/admin/questions/dutyshift/"
    assert client.post(f"{path}add/", form(quiet_cast.dana, timedelta(hours=1), timedelta(hours=9))).status_code == 302
    made = DutyShift.objects.get()
    assert "Dana Dijk" in client.get(f"{path}?when=coming").content.decode()
    wrong = (
        form(quiet_cast.bob, timedelta(hours=1), timedelta(hours=9)),
        form(quiet_cast.dana, timedelta(hours=9), timedelta(hours=1)),
        form(quiet_cast.dana, timedelta(hours=2), timedelta(days=9)),
    )
    for fields in wrong:
        assert client.post(f"{path}add/", fields).status_code == 200
    assert DutyShift.objects.count() == 1
    assert office["programme_manager"].get(path).status_code == 200
    assert office["programme_manager"].post(f"{path}add/", wrong[1]).status_code == 403
    assert office["programme_manager"].post(f"{path}{made.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{path}{made.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not DutyShift.objects.exists()


def test_a_new_duty_gets_what_waits_for_a_later_one(office: dict[str, Client], quiet_cast: Cast, triage: Question) -> None:
    erik = person("E6", "Erik Evers", "duty_desk")
    Question.objects.filter(pk=triage.pk).update(desk_due_at=clock.now() + timedelta(hours=40))
    office["duty_desk"].post("/admin/questions/dutyshift/add/", form(erik, timedelta(hours=1), timedelta(hours=9)))
    due = fresh(triage).desk_due_at
    assert due is not None
    assert due < clock.now() + timedelta(hours=2)
