"""Straight to the friend an answer leaves after ten minutes, unless its author says WAIT."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from people import lifecycle
from questions import intake, promise
from questions.models import Answer, Assignment, Question
from tests.conftest import Cast, api, code_of, later, letters, mail, mails, offer_of, post, reply_to, text, texts, work
from tests.questions.test_ask_back import fresh
from tests.questions.test_friend_direct import FRIEND, _confirm, _direct

SAID = "Een dubbele maand."


@pytest.fixture
def written(cast: Cast) -> Question:
    question = _direct(cast)
    _confirm(question)
    mail(str(cast.bob.email), reply_to(offer_of(question)), SAID)
    work()
    return question


def seen(question: Question) -> bool:
    page = Client().get(f"/q/{question.friend_key}").content.decode()
    return SAID in page or any(SAID in letter.body for letter in letters(FRIEND))


def test_its_author_sees_what_will_be_shown_and_it_leaves_by_itself(cast: Cast, written: Question) -> None:
    assert SAID in mails(cast.bob)[-1]
    assert "WACHT" in mails(cast.bob)[-1]
    shown = api(cast.bob).get(f"/api/v1/assignments/{offer_of(written).pk}").json()["answer"]
    assert (shown["text"], shown["state"]) == (SAID, "held")
    assert shown["leaves_at"] is not None
    later(minutes=9, seconds=50)
    work()
    assert not seen(written)
    assert fresh(written).state == "accepted"
    later(seconds=10)
    work()
    assert seen(written)
    assert fresh(written).state == "delivered"


WAIT: dict[str, Callable[[Cast, Assignment], object]] = {
    "api": lambda cast, a: [post(api(cast.bob), f"/assignments/{a.pk}/hold") for _twice in range(2)],
    "sms": lambda cast, a: text(cast.bob, "WACHT"),
    "mail": lambda cast, a: mail(str(cast.bob.email), reply_to(a), "Wacht!"),
}
SEND: dict[str, Callable[[Cast, Assignment], object]] = {
    "api": lambda cast, a: post(api(cast.bob), f"/assignments/{a.pk}/send"),
    "sms": lambda cast, a: text(cast.bob, f"STUUR {code_of(cast.bob, a.item)}"),
    "mail": lambda cast, a: mail(str(cast.bob.email), reply_to(a), "STUUR"),
}


@pytest.mark.parametrize("way", WAIT)
def test_held_back_it_stays_until_it_is_sent(cast: Cast, written: Question, way: str) -> None:
    WAIT[way](cast, offer_of(written))
    later(hours=5)
    work()
    assert not seen(written)
    assert fresh(written).state == "accepted"
    SEND[way](cast, offer_of(written))
    work()
    assert seen(written)
    assert Answer.objects.count() == 1
    assert written.events.filter(kind="answer_held_back").count() == 1


def test_a_better_text_takes_its_place(cast: Cast, written: Question) -> None:
    text(cast.bob, "WACHT")
    work()
    assert code_of(cast.bob, offer_of(written).item) in texts(cast.bob)[-1]
    mail(str(cast.bob.email), reply_to(offer_of(written)), "Een toeslag.")
    work()
    later(minutes=10)
    work()
    assert not seen(written)
    assert "Een toeslag." in letters(FRIEND)[-1].body
    assert sorted(Answer.objects.values_list("text", "state")) == [(SAID, "refused"), ("Een toeslag.", "released")]


def test_it_counts_from_when_it_came_in_also_when_it_leaves_after_the_due_time(cast: Cast) -> None:
    question = _direct(cast)
    later(hours=23, minutes=55)
    mail(str(cast.bob.email), reply_to(offer_of(question)), SAID)
    work()
    later(minutes=7)
    promise.run_due()
    assert fresh(question).current_round.verdict == ""
    later(minutes=5)
    work()
    assert (fresh(question).state, fresh(question).current_round.verdict) == ("answered", "kept")


def test_what_was_held_back_counts_from_when_it_was_sent(cast: Cast, written: Question) -> None:
    WAIT["api"](cast, offer_of(written))
    later(hours=25)
    work()
    assert fresh(written).current_round.verdict == "breached"
    SEND["api"](cast, offer_of(written))
    assert fresh(written).current_round.verdict == "breached"
    assert fresh(written).state == "answered"


def test_after_it_left_nothing_can_be_held(cast: Cast, written: Question) -> None:
    later(minutes=10)
    work()
    for path in ("hold", "send"):
        response = post(api(cast.bob), f"/assignments/{offer_of(written).pk}/{path}")
        assert (response.status_code, response.json()["code"]) == (409, "not_held")
        assert post(api(cast.charlie), f"/assignments/{offer_of(written).pk}/{path}").status_code == 404
    text(cast.bob, f"WACHT {code_of(cast.bob, offer_of(written).item)}")
    work()
    assert written.reference in texts(cast.bob)[-1]


def test_a_withdrawn_question_takes_it_along(cast: Cast, written: Question) -> None:
    intake.withdraw(cast.alice, written.pk)
    later(minutes=11)
    work()
    assert not seen(written)
    assert (fresh(written).state, Answer.objects.get().state) == ("withdrawn", "refused")


def test_who_hands_it_back_takes_the_text_along(cast: Cast, written: Question) -> None:
    post(api(cast.bob), f"/assignments/{offer_of(written).pk}/hand-back")
    later(minutes=11)
    work()
    assert not seen(written)
    assert offer_of(written).expert == cast.charlie


def test_who_leaves_cannot_say_wait_any_more(cast: Cast, written: Question) -> None:
    cast.bob.left_on = fresh(written).received_at.date() - timedelta(days=1)
    cast.bob.save()
    lifecycle.left(cast.bob)
    work()
    assert seen(written)
    assert written.assignments.count() == 1


def test_by_the_magic_link(cast: Cast, written: Question) -> None:
    from questions import links

    path = "/a/" + links.answer_link(offer_of(written)).split("/a/")[1]
    assert 'value="hold"' in Client().get(path).content.decode()
    Client().post(path, {"action": "hold"})
    later(minutes=20)
    work()
    assert not seen(written)
    Client().post(path, {"action": "send"})
    work()
    assert seen(written)


def test_an_answer_through_the_asker_leaves_at_once(cast: Cast) -> None:
    from tests.conftest import ask

    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), SAID)
    work()
    assert fresh(question).state == "answered"
    assert SAID in texts(cast.alice)[-1]
