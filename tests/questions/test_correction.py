"""A better text takes the place of the old one, and everybody who passed the old one on hears it."""

from collections.abc import Callable

import pytest
from django.test import Client

from questions.models import Answer, Assignment, Question, Topic
from tests.conftest import (
    Cast,
    api,
    ask,
    code_of,
    later,
    letters,
    mail,
    mails,
    offer_of,
    person,
    post,
    reply_to,
    text,
    texts,
    work,
)
from tests.questions.test_approval import approve_by_api
from tests.questions.test_ask_back import fresh
from tests.questions.test_friend_direct import FRIEND, _confirm, _direct

OLD, NEW = "Een dubbele maand.", "Geen dubbele maand maar een toeslag."


def answered(cast: Cast) -> Question:
    question = ask(cast.alice)
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} {OLD}")
    work()
    assert fresh(question).state == "answered"
    return question


def first_of(question: Question) -> Assignment:
    return Assignment.objects.select_related("expert").filter(question=question).earliest("offered_at")


WAYS: dict[str, Callable[[Cast, Assignment], object]] = {
    "api": lambda cast, a: post(api(cast.bob), f"/assignments/{a.pk}/correction", {"text": NEW}, key="correction-1"),
    "sms": lambda cast, a: text(cast.bob, f"CORRECTIE {code_of(cast.bob, a.item)} {NEW}"),
    "mail": lambda cast, a: mail(str(cast.bob.email), reply_to(a), f"Correctie: {NEW}"),
    "desk_api": lambda cast, a: post(
        api(cast.dana), f"/desk/items/{a.question_id}/correction", {"text": NEW}, key="correction-1"
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("relayed", [True, False])
def test_the_asker_hears_the_new_text_whether_or_not_they_passed_on_the_old_one(
    cast: Cast, way: str, *, relayed: bool
) -> None:
    question = answered(cast)
    if relayed:
        text(cast.alice, "DOORGEGEVEN")
        work()
    state, before = fresh(question).state, len(texts(cast.alice))
    WAYS[way](cast, first_of(question))
    work()
    assert NEW in texts(cast.alice)[-1]
    assert len(texts(cast.alice)) == before + 1
    assert list(Answer.objects.order_by("received_at").values_list("text", "state")) == [
        (OLD, "corrected"),
        (NEW, "released"),
    ]
    assert fresh(question).state == state
    assert fresh(question).current_round.verdict == "kept"
    page = Client().get(f"/q/{question.friend_key}").content.decode()
    assert NEW in page
    assert OLD not in page
    shown = api(cast.alice).get(f"/api/v1/questions/{question.pk}").json()["answer"]
    assert (shown["text"], shown["is_correction"]) == (NEW, True)


def test_the_friend_who_got_it_straight_gets_the_new_one(cast: Cast) -> None:
    question = _direct(cast)
    _confirm(question)
    assignment = offer_of(question)
    post(api(cast.bob), f"/assignments/{assignment.pk}/answer", {"text": OLD}, key="answer-1")
    later(minutes=10)
    work()
    before = len(letters(FRIEND))
    WAYS["api"](cast, assignment)
    work()
    assert NEW in letters(FRIEND)[-1].body
    assert len(letters(FRIEND)) == before + 1


def test_a_correction_is_corrected_by_its_author_and_by_the_desk(cast: Cast) -> None:
    question = answered(cast)
    WAYS["desk_api"](cast, first_of(question))
    text(cast.bob, f"CORRECTIE {code_of(cast.bob, first_of(question).item)} Derde tekst.")
    work()
    assert "Derde tekst." in texts(cast.alice)[-1]
    chain = Answer.objects.get(state="released")
    assert chain.corrects is not None
    assert (chain.author, chain.corrects.author) == (cast.bob, cast.dana)
    assert Answer.objects.filter(state="corrected").count() == 2


def test_the_corrected_text_may_be_rated_anew_and_the_old_rating_stays(cast: Cast) -> None:
    question = answered(cast)
    friend, path = Client(), f"/q/{question.friend_key}"
    friend.post(path, {"action": "helped"})
    WAYS["api"](cast, first_of(question))
    work()
    assert fresh(question).state == "closed"
    friend.post(path, {"action": "not_yet"})
    friend.post(path, {"action": "helped"})
    assert list(Answer.objects.order_by("received_at").values_list("helped", flat=True)) == [True, False]
    assert fresh(question).state == "routing"


def test_where_the_topic_wants_it_the_old_text_stands_until_the_new_one_is_read(cast: Cast) -> None:
    lena = person("E20", "Lena Lind")
    question = answered(cast)
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True, lead=lena)
    before = len(texts(cast.alice))
    WAYS["sms"](cast, first_of(question))
    work()
    assert len(texts(cast.alice)) == before
    assert OLD in Client().get(f"/q/{question.friend_key}").content.decode()
    assert fresh(question).state == "answered"
    approve_by_api(lena, Answer.objects.get(state="draft"))
    work()
    assert NEW in texts(cast.alice)[-1]
    assert Answer.objects.get(text=OLD).state == "corrected"


def test_a_correction_that_is_sent_back_leaves_the_old_one(cast: Cast) -> None:
    lena = person("E20", "Lena Lind")
    question = answered(cast)
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True, lead=lena)
    WAYS["sms"](cast, first_of(question))
    work()
    post(api(lena), f"/approvals/{Answer.objects.get(state='draft').pk}/reject", {"text": "Nee."})
    work()
    assert (fresh(question).state, Answer.objects.get(text=OLD).state) == ("answered", "released")
    assert "CORRECTIE" in mails(cast.bob)[-1]
    assert question.assignments.count() == 1


def test_a_correction_that_waits_ends_when_the_question_is_opened_again(cast: Cast) -> None:
    lena = person("E20", "Lena Lind")
    question = answered(cast)
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True, lead=lena)
    WAYS["sms"](cast, first_of(question))
    work()
    draft = Answer.objects.get(state="draft")
    text(cast.alice, "NIETGELUKT")
    work()
    assert post(api(lena), f"/approvals/{draft.pk}/approve").json()["code"] == "not_waiting"
    assert NEW not in "".join(texts(cast.alice))


def test_only_what_is_out_and_ones_own_can_be_corrected(cast: Cast) -> None:
    question = ask(cast.alice)
    response = WAYS["api"](cast, offer_of(question))
    assert response.status_code == 404  # type: ignore[attr-defined]
    mine = f"/assignments/{offer_of(question).pk}/correction"
    assert post(api(cast.charlie), mine, {"text": NEW}, key="correction-2").status_code == 404
    desk = f"/desk/items/{question.pk}/correction"
    assert post(api(cast.dana), desk, {"text": NEW}, key="correction-3").json()["code"] == "no_answer_yet"
    assert post(api(cast.alice), desk, {"text": NEW}, key="correction-4").json()["code"] == "not_allowed"
    assert not Answer.objects.exists()


def test_a_second_answer_by_the_same_expert_is_told_how_to_correct(cast: Cast) -> None:
    question = answered(cast)
    mail(str(cast.bob.email), reply_to(first_of(question)), "Nog iets.")
    work()
    assert "CORRECTIE" in mails(cast.bob)[-1]
    assert OLD in Client().get(f"/q/{question.friend_key}").content.decode()
    assert Answer.objects.get(text="Nog iets.").state == "refused"


def test_by_the_magic_link(cast: Cast) -> None:
    from questions import links

    question = answered(cast)
    path = "/a/" + links.answer_link(first_of(question)).split("/a/")[1]
    assert OLD in Client().get(path).content.decode()
    assert Client().post(path, {"action": "correct", "text": NEW}).status_code == 302
    work()
    assert NEW in texts(cast.alice)[-1]
