"""The second clock: an answer that nobody passed on is reminded of after 24 and 72 hours, and then closed."""

import pytest
from django.conf import settings

from notifications.models import ItemCode
from questions.models import Question
from tests.conftest import Cast, api, ask, code_of, later, mail, offer_of, post, reply_to, text, texts, work
from tests.questions.test_ask_back import fresh


@pytest.fixture
def answered(cast: Cast) -> Question:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Een dubbele maand.")
    work()
    return question


def reminders(cast: Cast) -> int:
    return sum("DOORGEGEVEN" in body for body in texts(cast.alice))


def test_after_24_and_72_hours_and_then_it_closes(cast: Cast, answered: Question) -> None:
    for hours, count, state in ((23.9, 0, "answered"), (0.2, 1, "answered"), (47.8, 1, "answered"), (0.2, 2, "answered")):
        later(hours=hours)
        work()
        assert (reminders(cast), fresh(answered).state) == (count, state)
    later(hours=23.8)
    work()
    assert fresh(answered).state == "answered"
    later(hours=0.5)
    work()
    assert (fresh(answered).state, fresh(answered).close_reason) == ("closed", "time_out")
    assert reminders(cast) == 2
    assert fresh(answered).current_round.verdict == "kept"


def test_once_it_was_passed_on_nobody_is_reminded(cast: Cast, answered: Question) -> None:
    later(hours=25)
    work()
    text(cast.alice, f"DOORGEGEVEN {code_of(cast.alice, answered.subject_key)}")
    work()
    later(hours=100)
    work()
    assert reminders(cast) == 1
    assert fresh(answered).state == "relayed"


def test_after_an_outage_they_do_not_come_in_a_heap(cast: Cast, answered: Question) -> None:
    later(hours=100)
    work()
    assert (reminders(cast), fresh(answered).state) == (1, "answered")
    later(hours=24, minutes=1)
    work()
    assert (reminders(cast), fresh(answered).state) == (2, "answered")
    later(hours=24, minutes=1)
    work()
    assert fresh(answered).close_reason == "time_out"


def test_thanks_neither_reopens_nor_restarts_anything(cast: Cast, answered: Question) -> None:
    cast.alice.email = "alice@vonkmobiel.example"
    cast.alice.save()
    before = list(answered.events.values_list("kind", flat=True)), fresh(answered).follow_up_at
    key = ItemCode.objects.get(person=cast.alice, item=answered.subject_key).reply_key
    mail("alice@vonkmobiel.example", f"{key}@{settings.MAIL_DOMAIN}", "Dank je wel!")
    text(cast.alice, "Dank je wel!")
    mail(str(cast.bob.email), reply_to(offer_of(answered)), "Graag gedaan!")
    work()
    after = [kind for kind in answered.events.values_list("kind", flat=True) if kind != "answer_refused"]
    assert (after, fresh(answered).follow_up_at) == before
    assert Question.objects.count() == 1
    assert "Graag gedaan" not in "".join(texts(cast.alice))


def not_yet_by_api(cast: Cast, question: Question) -> None:
    assert post(api(cast.alice), f"/questions/{question.pk}/rating", {"helped": False}).json() == {"result": "reopened"}


def not_yet_by_sms(cast: Cast, question: Question) -> None:
    text(cast.alice, "NIETGELUKT")


def not_yet_by_mail(cast: Cast, question: Question) -> None:
    cast.alice.email = "alice@vonkmobiel.example"
    cast.alice.save()
    key = ItemCode.objects.get(person=cast.alice, item=question.subject_key).reply_key
    mail("alice@vonkmobiel.example", f"{key}@{settings.MAIL_DOMAIN}", "NIETGELUKT")


@pytest.mark.parametrize("saying", [not_yet_by_api, not_yet_by_sms, not_yet_by_mail])
def test_not_yet_reopens_once_to_the_same_expert_with_a_code_of_its_own(
    cast: Cast, answered: Question, saying: object
) -> None:
    old = offer_of(answered)
    saying(cast, answered)  # type: ignore[operator]
    work()
    again = offer_of(answered)
    assert (fresh(answered).state, again.expert, again.pk == old.pk) == ("offered", cast.bob, False)
    assert code_of(cast.bob, again.item) != code_of(cast.bob, old.item)
    later(hours=100)
    assert fresh(answered).follow_up_at is None  # the old round's reminders are over


def test_a_reply_to_the_first_rounds_mail_answers_the_second(cast: Cast, answered: Question) -> None:
    old = offer_of(answered)
    not_yet_by_sms(cast, answered)
    work()
    mail(str(cast.bob.email), reply_to(old), "Een toeslag dus.")
    work()
    assert "Een toeslag dus." in texts(cast.alice)[-1]
    assert answered.answers.get(text="Een toeslag dus.").round_id == fresh(answered).current_round_id
    not_yet_by_sms(cast, answered)
    work()
    assert fresh(answered).state == "answered"
    assert answered.rounds.count() == 2
