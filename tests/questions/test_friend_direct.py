"""Straight to the friend: only to an address that the friend entered and confirmed on the page."""

import re

from django.test import Client

from questions import answering
from questions.models import FriendAddress, Question
from tests.conftest import Cast, api, later, letters, offer_of, post, work

FRIEND = "friend@elsewhere.example"


def _direct(cast: Cast) -> Question:
    body = {"text": "Waarom is de rekening zo hoog?", "answer_mode": "direct"}
    made = post(api(cast.alice), "/questions", body, key="direct-question").json()
    work()
    return Question.objects.get(pk=made["id"])


def _confirm(question: Question) -> None:
    friend = Client()
    path = f"/q/{question.friend_key}"
    assert friend.post(path, {"action": "address", "address": FRIEND}).status_code == 302
    work()
    code = re.search(r"\d{6}", letters(FRIEND)[-1].body)
    assert code
    assert friend.post(path, {"action": "code", "code": code.group()}).status_code == 302


def _answer(cast: Cast, question: Question) -> None:
    assignment = offer_of(question)
    answering.answer(
        assignment.expert, assignment.pk, "Een dubbele maand.", received_at=assignment.offered_at, source="api"
    )
    later(minutes=10)
    work()


def test_a_confirmed_friend_gets_the_answer_when_it_is_there(cast: Cast) -> None:
    question = _direct(cast)
    _confirm(question)
    before = len(letters(FRIEND))
    _answer(cast, question)
    assert "Een dubbele maand." in letters(FRIEND)[-1].body
    assert len(letters(FRIEND)) == before + 1
    question.refresh_from_db()
    assert question.state == "delivered"


def test_a_friend_who_confirms_later_gets_it_at_once(cast: Cast) -> None:
    question = _direct(cast)
    _answer(cast, question)
    assert letters(FRIEND) == []
    _confirm(question)
    work()
    assert "Een dubbele maand." in letters(FRIEND)[-1].body


def test_without_the_code_nothing_is_sent_and_guessing_ends_after_three_tries(cast: Cast) -> None:
    question = _direct(cast)
    path = f"/q/{question.friend_key}"
    Client().post(path, {"action": "address", "address": FRIEND})
    work()
    code = re.search(r"\d{6}", letters(FRIEND)[-1].body)
    assert code
    wrong = "000000" if code.group() != "000000" else "111111"
    for _try in range(3):
        assert Client().post(path, {"action": "code", "code": wrong}).status_code == 422
    assert Client().post(path, {"action": "code", "code": code.group()}).status_code == 422
    assert FriendAddress.objects.get().confirmed_at is None
    _answer(cast, question)
    assert "dubbele" not in letters(FRIEND)[-1].body


def test_nobody_can_be_pestered_with_codes(cast: Cast) -> None:
    path = f"/q/{_direct(cast).friend_key}"
    codes = [Client().post(path, {"action": "address", "address": FRIEND}).status_code for _ in range(5)]
    assert codes == [302, 302, 302, 429, 429]
    work()
    assert len(letters(FRIEND)) == 3


def test_a_via_me_question_takes_no_address(cast: Cast) -> None:
    from tests.conftest import ask

    question = ask(cast.alice)
    assert Client().post(f"/q/{question.friend_key}", {"action": "address", "address": FRIEND}).status_code == 422


def test_the_friends_address_is_purged_a_month_after_the_end(cast: Cast) -> None:
    from questions import friends

    question = _direct(cast)
    _confirm(question)
    _answer(cast, question)
    Client().post(f"/q/{question.friend_key}", {"action": "helped"})
    later(days=29)
    assert friends.purge() == 0
    later(days=2)
    assert friends.purge() == 1


def test_not_yet_reopens_once_to_the_same_expert_with_a_new_promise(cast: Cast) -> None:
    question = _direct(cast)
    _answer(cast, question)
    path = f"/q/{question.friend_key}"
    Client().post(path, {"action": "not_yet"})
    work()
    question = Question.objects.select_related("current_round").get(pk=question.pk)
    assert (question.state, question.current_round.number) == ("offered", 2)
    assert offer_of(question).expert == cast.bob
    assert question.rounds.get(number=1).verdict == "kept"
    _answer(cast, question)
    Client().post(path, {"action": "not_yet"})
    work()
    question.refresh_from_db()
    assert (question.state, question.rounds.count()) == ("answered", 2)
