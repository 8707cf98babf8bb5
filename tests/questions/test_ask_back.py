"""The expert asks the asker something first: one pause a round, 72 hours at most, and the clock runs on from the reply."""

from datetime import datetime, timedelta

import pytest
from django.conf import settings

from notifications.models import ItemCode
from people import lifecycle
from people.models import Absence
from questions import promise, rounds
from questions.models import Answer, Assignment, Clarification, Question, Topic
from tests.conftest import (
    Cast,
    api,
    ask,
    code_of,
    later,
    mail,
    mails,
    offer_of,
    post,
    reply_to,
    text,
    texts,
    work,
)

WHAT = "Welk abonnement heeft je zus?"


def fresh(question: Question) -> Question:
    return Question.objects.select_related("current_round", "topic").get(pk=question.pk)


def due(question: Question) -> datetime:
    return fresh(question).current_round.due_at


def by_api(cast: Cast, question: Question) -> None:
    path = f"/assignments/{offer_of(question).pk}/ask-back"
    for _twice in range(2):
        assert post(api(cast.bob), path, {"text": WHAT}, key="ask-back-1").status_code == 200


def by_sms(cast: Cast, question: Question) -> None:
    text(cast.bob, f"VRAAG {code_of(cast.bob, offer_of(question).item)} {WHAT}")
    work()


def by_mail(cast: Cast, question: Question) -> None:
    mail(str(cast.bob.email), reply_to(offer_of(question)), f"VRAAG {WHAT}")
    work()


def reply(cast: Cast, words: str = "Onbeperkt 5G") -> None:
    item = f"clarification:{Clarification.objects.latest('asked_at').pk}"
    text(cast.alice, f"{code_of(cast.alice, item)} {words}")
    work()


@pytest.mark.parametrize("asking", [by_api, by_sms, by_mail])
def test_the_asker_hears_it_the_clock_stands_still_and_runs_on_after_the_reply(cast: Cast, asking: object) -> None:
    question = ask(cast.alice)
    before = due(question)
    later(hours=2)
    asking(cast, question)  # type: ignore[operator]
    work()
    asked = Clarification.objects.get()
    assert (asked.text, fresh(question).state) == (WHAT, "waiting_for_asker")
    assert WHAT in texts(cast.alice)[-1]
    assert fresh(question).current_round.status(before) == "paused"
    later(hours=30)
    work()
    assert "breached" not in question.events.values_list("kind", flat=True)
    reply(cast)
    assert fresh(question).state == "accepted"
    assert timedelta(hours=30) <= due(question) - before < timedelta(hours=30, minutes=1)
    assert "Onbeperkt 5G" in mails(cast.bob)[-1]
    shown = api(cast.bob).get(f"/api/v1/assignments/{offer_of(question).pk}").json()["clarifications"]
    assert [(one["text"], one["reply"]) for one in shown] == [(WHAT, "Onbeperkt 5G")]


def test_only_the_first_of_a_round_stops_the_clock(cast: Cast) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    later(hours=1)
    reply(cast)
    paused_once = due(question)
    by_sms(cast, question)
    assert fresh(question).state == "waiting_for_asker"
    assert fresh(question).current_round.paused_at is None
    later(hours=5)
    reply(cast)
    assert due(question) == paused_once
    assert question.events.filter(kind="paused").count() == 1


def test_one_question_at_a_time(cast: Cast) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    response = post(
        api(cast.bob), f"/assignments/{offer_of(question).pk}/ask-back", {"text": "En nog iets?"}, key="second-1"
    )
    assert (response.status_code, response.json()["code"]) == (409, "not_waiting")
    assert Clarification.objects.count() == 1


def test_without_a_reply_it_closes_after_72_hours_with_a_notice(cast: Cast) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    later(hours=71, minutes=59)
    work()
    assert fresh(question).state == "waiting_for_asker"
    later(minutes=1)
    work()
    assert (fresh(question).state, fresh(question).close_reason) == ("closed", "no_reply")
    assert fresh(question).current_round.verdict == "void"
    assert f"{question.reference} is gesloten" in texts(cast.alice)[-1]
    assert question.reference in mails(cast.bob)[-1]
    reply(cast)
    assert fresh(question).state == "closed"
    assert Clarification.objects.get().reply == ""
    assert question.reference in texts(cast.alice)[-1]


def test_a_reply_that_came_in_time_and_waits_in_the_queue_is_not_closed_upon(cast: Cast) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    item = f"clarification:{Clarification.objects.get().pk}"
    later(hours=71)
    text(cast.alice, f"{code_of(cast.alice, item)} Onbeperkt")
    later(hours=2)
    from questions import after

    for pk in after.due_ids(10):
        after.follow_up(pk)
    assert fresh(question).state == "waiting_for_asker"
    work()
    assert fresh(question).state == "accepted"


def test_the_reply_counts_from_when_it_was_received(cast: Cast) -> None:
    question = ask(cast.alice)
    before = due(question)
    by_sms(cast, question)
    item = f"clarification:{Clarification.objects.get().pk}"
    later(hours=1)
    text(cast.alice, f"{code_of(cast.alice, item)} Onbeperkt")
    later(hours=10)  # the worker was away
    work()
    assert due(question) - before < timedelta(hours=1, minutes=1)


def test_the_clock_stood_still_for_72_hours_at_most(cast: Cast) -> None:
    question = ask(cast.alice)
    before = due(question)
    by_sms(cast, question)
    response = None
    later(hours=80)  # no worker closed it
    response = post(api(cast.alice), f"/clarifications/{Clarification.objects.get().pk}/reply", {"text": "Onbeperkt"})
    assert response.status_code == 200
    assert due(question) - before == timedelta(hours=72)


def test_a_change_of_policy_keeps_the_pause(cast: Cast) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    later(hours=10)
    reply(cast)
    Topic.objects.filter(pk=cast.topic.pk).update(promise_hours=48)
    cast.topic.refresh_from_db()
    rounds.follow_topic(question.pk)
    promised = due(question) - fresh(question).current_round.started_at
    assert timedelta(hours=58) <= promised < timedelta(hours=58, minutes=1)


def test_an_answer_that_does_not_wait_for_the_reply_is_kept_after_the_first_due_time(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=20)
    by_sms(cast, question)
    later(hours=10)
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} Ik weet het al.")
    work()
    assert (fresh(question).state, fresh(question).current_round.verdict) == ("answered", "kept")
    assert ItemCode.objects.get(item=f"clarification:{Clarification.objects.get().pk}").closed_at
    assert "breached" not in question.events.values_list("kind", flat=True)


def test_handing_back_while_waiting_lets_the_clock_run_and_asks_somebody_else(cast: Cast) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    later(hours=3)
    text(cast.bob, f"TERUG {code_of(cast.bob, offer_of(question).item)}")
    work()
    assert (fresh(question).state, offer_of(question).expert) == ("offered", cast.charlie)
    assert fresh(question).current_round.paused_at is None
    response = post(api(cast.alice), f"/clarifications/{Clarification.objects.get().pk}/reply", {"text": "Onbeperkt"})
    assert (response.status_code, response.json()["code"]) == (409, "not_waiting")


def swarmed(cast: Cast) -> Question:
    """Bob has accepted it, Charlie may answer too."""
    question = ask(cast.alice)
    text(cast.bob, f"JA {code_of(cast.bob, offer_of(question).item)}")
    work()
    later(hours=18, seconds=1)
    promise.run_due()
    assert Assignment.objects.filter(question=question, is_swarm=True).count() == 1
    return question


def test_who_asked_lets_go_and_a_colleague_still_holds_it(cast: Cast) -> None:
    question = swarmed(cast)
    bobs = Assignment.objects.get(question=question, expert=cast.bob)
    post(api(cast.bob), f"/assignments/{bobs.pk}/ask-back", {"text": WHAT}, key="ask-back-1")
    post(api(cast.bob), f"/assignments/{bobs.pk}/hand-back")
    assert fresh(question).state == "offered"
    assert fresh(question).current_round.paused_at is None
    later(hours=73)
    work()
    assert fresh(question).close_reason == ""


def test_a_colleague_who_lets_go_does_not_end_the_waiting(cast: Cast) -> None:
    question = swarmed(cast)
    bobs = Assignment.objects.get(question=question, expert=cast.bob)
    charlies = Assignment.objects.get(question=question, expert=cast.charlie)
    post(api(cast.bob), f"/assignments/{bobs.pk}/ask-back", {"text": WHAT}, key="ask-back-1")
    post(api(cast.charlie), f"/assignments/{charlies.pk}/decline", {"reason": "no_time"})
    assert fresh(question).state == "waiting_for_asker"
    assert fresh(question).current_round.paused_at is not None
    reply(cast)
    assert fresh(question).state == "accepted"


@pytest.mark.parametrize("why", ["left", "absent"])
def test_an_expert_who_goes_while_waiting(cast: Cast, why: str) -> None:
    question = ask(cast.alice)
    by_sms(cast, question)
    at = fresh(question).current_round.paused_at
    assert at is not None
    if why == "left":
        cast.bob.left_on = at.date() - timedelta(days=1)
        cast.bob.save()
        lifecycle.left(cast.bob)
    else:
        Absence.objects.create(person=cast.bob, starts_at=at, ends_at=at + timedelta(days=9))
    work()
    assert (fresh(question).state, offer_of(question).expert) == ("offered", cast.charlie)
    assert fresh(question).current_round.paused_at is None


def test_what_the_asker_replies_is_masked_for_the_expert(cast: Cast) -> None:
    question = ask(cast.alice)
    by_mail(cast, question)
    reply(cast, "Bel haar op 06 12345678")
    assert "12345678" not in mails(cast.bob)[-1]
    assert "12345678" not in api(cast.bob).get(f"/api/v1/assignments/{offer_of(question).pk}").content.decode()
    assert "12345678" in api(cast.alice).get(f"/api/v1/questions/{question.pk}").content.decode()


def test_the_asker_replies_by_mail(cast: Cast) -> None:
    cast.alice.email = "alice@vonkmobiel.example"
    cast.alice.save()
    body = {"text": "Waarom is de rekening van mijn zus zo hoog?", "topic": "billing"}
    made = post(api(cast.alice), "/questions", body, key="question-1").json()
    work()
    question = Question.objects.get(pk=made["id"])
    by_mail(cast, question)
    assert WHAT in mails(cast.alice)[-1]
    code = ItemCode.objects.get(person=cast.alice, item=f"clarification:{Clarification.objects.get().pk}")
    mail("alice@vonkmobiel.example", f"{code.reply_key}@{settings.MAIL_DOMAIN}", "Onbeperkt 5G")
    work()
    assert Clarification.objects.get().reply == "Onbeperkt 5G"
    assert not Answer.objects.exists()
