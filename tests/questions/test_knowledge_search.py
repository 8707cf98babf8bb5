"""Similar answered questions while typing: near ones are found, what is not for others never is."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend import clock
from people.models import Person
from questions import answering, approvals, corrections, knowledge
from questions.models import Answer, KnowledgeEntry, Question
from tests.conftest import Cast, answered, api, later, offer_of, post, work

BILL = "Mijn zus vraagt waarom haar rekening deze maand zo hoog is?"
BECAUSE = "Er staat een eenmalige aansluiting op."


@pytest.fixture(autouse=True)
def _encoder() -> None:
    knowledge.warm_up()


def find(who: Person, text: str = "waarom is mijn rekening zo hoog") -> list[dict[str, Any]]:
    response = api(who).get("/api/v1/knowledge", {"q": text})
    assert response.status_code == 200, response.content
    return list(response.json())


def test_a_near_question_is_found_with_its_answer_in_one_query(quiet_cast: Cast) -> None:
    question = answered(quiet_cast, BILL, BECAUSE, internal_note="Klant is boos.")
    client = api(quiet_cast.alice)
    with CaptureQueriesContext(connection) as asked:
        found = client.get("/api/v1/knowledge", {"q": "waarom is mijn rekening zo hoog"}).json()
    assert len(asked) == 2  # who it is, and the search
    assert [(one["answer"], one["author"], one["topic"]["slug"]) for one in found] == [(BECAUSE, "Bob Bakker", "billing")]
    assert found[0]["answer_id"] == str(question.answers.get().pk)
    assert found[0]["similarity"] > knowledge.ALIKE
    assert "boos" not in str(found)


def test_english_finds_dutch(quiet_cast: Cast) -> None:
    answered(quiet_cast, BILL, BECAUSE)
    assert [one["answer"] for one in find(quiet_cast.mallory, "Why is my sister's bill so high this month?")] == [BECAUSE]


def test_what_is_about_something_else_is_not_found(quiet_cast: Cast) -> None:
    answered(quiet_cast, BILL, BECAUSE)
    assert find(quiet_cast.alice, "Werkt mijn abonnement op vakantie in Marokko?") == []


def test_words_find_too_also_the_one_that_is_being_typed(quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(quiet_cast, "Mijn neef krijgt foutcode XQ4711, wat nu?", "Zet het toestel uit en aan.")
    monkeypatch.setattr(knowledge, "_vector_now", lambda text: None)
    for typed in ("de foutcode xq4711", "XQ47", "toestel"):
        assert [one["answer"] for one in find(quiet_cast.alice, typed)] == ["Zet het toestel uit en aan."]
    assert find(quiet_cast.alice, "kaas") == []


def test_a_confidential_question_is_never_found_and_never_learned(quiet_cast: Cast) -> None:
    secret = answered(quiet_cast, BILL, "Vertrouwelijk antwoord.", is_confidential=True)
    assert not KnowledgeEntry.objects.exists()
    assert find(quiet_cast.charlie, BILL) == []
    open_ = answered(quiet_cast, BILL, BECAUSE)
    Question.objects.filter(pk=open_.pk).update(is_confidential=True)
    assert find(quiet_cast.charlie, BILL) == []
    assert secret.is_confidential


def test_only_a_released_answer_is_found(quiet_cast: Cast) -> None:
    quiet_cast.topic.needs_approval = True
    quiet_cast.topic.save()
    answered(quiet_cast, BILL, BECAUSE)
    assert Answer.objects.get().state == "draft"
    assert find(quiet_cast.alice) == []
    approvals.approve(quiet_cast.dana, Answer.objects.get().pk, received_at=clock.now())
    work(sending=False)
    assert [one["answer"] for one in find(quiet_cast.alice)] == [BECAUSE]


@pytest.mark.parametrize("state", ["draft", "refused", "corrected"])
def test_an_answer_that_is_not_out_any_more_is_not_found(state: str, quiet_cast: Cast) -> None:
    answered(quiet_cast, BILL, BECAUSE)
    Answer.objects.update(state=state)
    assert find(quiet_cast.alice) == []


def test_a_correction_counts_at_once_and_the_old_text_is_gone(quiet_cast: Cast) -> None:
    question = answered(quiet_cast, BILL, BECAUSE)
    draft = answering.Draft("Het was de boete.", clock.now(), "api")
    corrections.correct(quiet_cast.bob, question.pk, draft)
    assert [one["answer"] for one in find(quiet_cast.alice)] == ["Het was de boete."]
    work(sending=False)
    assert [one["answer"] for one in find(quiet_cast.alice)] == ["Het was de boete."]


def test_an_answer_past_its_end_is_not_found_also_when_no_worker_ran(quiet_cast: Cast) -> None:
    answered(quiet_cast, BILL, BECAUSE, valid_until=(clock.now() + timedelta(hours=1)).isoformat())
    assert len(find(quiet_cast.alice)) == 1
    later(hours=1)
    assert find(quiet_cast.alice) == []


def test_an_answer_that_did_not_help_is_not_found_and_its_successor_is(quiet_cast: Cast) -> None:
    question = answered(quiet_cast, BILL, BECAUSE)
    assert post(api(quiet_cast.charlie), f"/questions/{question.pk}/rating", {"helped": False}).status_code == 200
    assert find(quiet_cast.alice) == []
    work(sending=False)
    again = offer_of(question)
    answering.answer(again.expert, again.pk, "Het was de boete.", received_at=clock.now(), source="api")
    work(sending=False)
    assert [one["answer"] for one in find(quiet_cast.alice)] == ["Het was de boete."]
    post(api(quiet_cast.charlie), f"/questions/{question.pk}/rating", {"helped": False})
    question.refresh_from_db()
    assert question.state == "answered"  # it is not opened a third time
    assert find(quiet_cast.alice) == []


def test_numbers_are_masked_for_everybody_but_the_asker_and_the_desk(quiet_cast: Cast) -> None:
    answered(quiet_cast, "Waarom is de rekening van 06-12345678 deze maand zo hoog?", BECAUSE)
    for who in (quiet_cast.alice, quiet_cast.bob, quiet_cast.mallory):
        [one] = find(who)
        assert "12345678" not in str(one)
        assert "•••" in one["question"]
    for who in (quiet_cast.charlie, quiet_cast.dana):
        assert "06-12345678" in find(who)[0]["question"]


@pytest.mark.parametrize("said", ["Op +31 6 1234 5678 stond een abonnement.", "Stuur het naar jan@mail.example."])
def test_an_answer_that_repeats_what_is_private_is_for_nobody_else(said: str, quiet_cast: Cast) -> None:
    answered(quiet_cast, "Waarom is de rekening van 06-12345678 (jan@mail.example) zo hoog?", said)
    assert find(quiet_cast.alice) == []
    assert find(quiet_cast.charlie) == []


def test_a_companys_own_number_in_an_answer_is_no_hindrance(quiet_cast: Cast) -> None:
    answered(quiet_cast, BILL, "Bel gratis 0800 0092 of 030-1234567.")
    assert "030-1234567" in find(quiet_cast.alice)[0]["answer"]


@pytest.mark.parametrize("typed", ["", "ab", "  a  ", "x" * 501, "nul\x00nul"])
def test_what_is_typed_is_bounded(typed: str, quiet_cast: Cast) -> None:
    assert api(quiet_cast.alice).get("/api/v1/knowledge", {"q": typed}).status_code == 422


@pytest.mark.parametrize(
    "typed", ["'; DROP TABLE x; --", "a & | ! ( ' : * \\ %s", "de het een", "???", "☃☃☃ 🙂", "o'neill\\"]
)
def test_nothing_that_is_typed_breaks_it(typed: str, quiet_cast: Cast) -> None:
    answered(quiet_cast, BILL, BECAUSE)
    assert isinstance(find(quiet_cast.alice, typed), list)


def test_strangers_find_nothing(quiet_cast: Cast) -> None:
    from django.test import Client

    assert Client().get("/api/v1/knowledge", {"q": "rekening"}).status_code == 401


def test_a_process_without_the_encoder_answers_by_wording_and_loads_it_beside(
    quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(quiet_cast, BILL, BECAUSE)
    loading, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        loading.set()
        go_on.wait(10)

    monkeypatch.setattr(knowledge, "_warm", threading.Event())
    monkeypatch.setattr(knowledge, "warm_up", slow)
    for _again in range(2):  # the second search neither waits nor loads once more
        [one] = find(quiet_cast.alice, "hoge rekening")
        assert (one["answer"], one["similarity"]) == (BECAUSE, None)
    assert loading.wait(10)
    assert [thread.name for thread in threading.enumerate()].count("encoder") == 1
    go_on.set()
