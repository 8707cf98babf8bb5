"""Without an app: the confirmation says “maybe this is it”, and one word uses it."""

import pytest
from django.conf import settings

from backend import clock
from questions import answering, corrections, knowledge
from questions.models import Event, Question, Reuse
from tests.conftest import Cast, answered, ask, code_of, letters, mail, mails, text, texts, work

BILL = "Waarom is mijn rekening deze maand zo hoog?"
BECAUSE = "Er staat een eenmalige aansluiting op."


@pytest.fixture(autouse=True)
def _encoder() -> None:
    knowledge.warm_up()


def test_the_same_question_by_sms_gets_the_answer_and_hergebruik_closes_it(cast: Cast) -> None:
    answered(cast, BILL, BECAUSE)
    question = ask(cast.alice, BILL)
    code = code_of(cast.alice, question.subject_key)
    [confirmation] = texts(cast.alice)
    assert question.reference in confirmation
    assert BECAUSE in confirmation
    assert f"HERGEBRUIK {code}" in confirmation
    text(cast.alice, f"hergebruik {code}")
    work()
    question.refresh_from_db()
    assert (question.state, question.close_reason) == ("closed", "reused")
    assert f"/q/{question.friend_key}" in texts(cast.alice)[-1]
    assert Reuse.objects.get().person == cast.alice


def test_a_confirmation_with_a_long_answer_takes_two_messages_and_more_reads_on(cast: Cast) -> None:
    from notifications import segments

    answered(cast, BILL, "Er staat een eenmalige aansluiting op. " * 12 + "Einde.")
    question = ask(cast.alice, BILL)
    [confirmation] = texts(cast.alice)
    assert segments.count(confirmation) <= 2
    assert "..." in confirmation
    code = code_of(cast.alice, question.subject_key)
    for _page in range(2):
        text(cast.alice, f"MEER {code}")
        work()
    assert "Einde." in texts(cast.alice)[-1]


def test_what_is_only_near_is_not_suggested(cast: Cast) -> None:
    answered(cast, BILL, BECAUSE)
    question = ask(cast.alice, "Waarom kreeg ik deze maand geen rekening?")
    assert BECAUSE not in texts(cast.alice)[0]
    text(cast.alice, "HERGEBRUIK")
    work()
    question.refresh_from_db()
    assert question.state == "offered"
    assert not Reuse.objects.exists()
    assert "geen antwoord" in texts(cast.alice)[-1]


@pytest.mark.parametrize("encoder", ["loaded", "not loaded"])
def test_with_nothing_answered_or_no_encoder_the_confirmation_is_as_ever(
    encoder: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    if encoder == "not loaded":
        answered(cast, BILL, BECAUSE)
        monkeypatch.setattr(knowledge, "_vector_now", lambda text: None)
    question = ask(cast.alice, BILL)
    [confirmation] = texts(cast.alice)
    assert question.reference in confirmation
    assert "HERGEBRUIK" not in confirmation
    assert not Event.objects.filter(kind="suggested").exists()


def test_a_search_that_breaks_costs_nobody_a_question(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answered(cast, BILL, BECAUSE)
    monkeypatch.setattr(knowledge, "_SEARCH", "SELECT broken")
    question = ask(cast.alice, BILL)
    [confirmation] = texts(cast.alice)
    assert question.reference in confirmation
    assert question.state == "offered"
    assert "no suggestion" in caplog.text


def test_a_confidential_or_corrected_answer_is_not_used_by_sms(cast: Cast) -> None:
    answered(cast, BILL, "Geheim.", is_confidential=True)
    source = answered(cast, BILL, BECAUSE)
    question = ask(cast.alice, BILL)
    assert "Geheim" not in texts(cast.alice)[0]
    corrections.correct(cast.bob, source.pk, answering.Draft("Het was de boete.", clock.now(), "api"))
    text(cast.alice, "HERGEBRUIK")
    work()
    question.refresh_from_db()
    assert question.state == "offered"
    assert not Reuse.objects.exists()


def test_a_word_in_a_sentence_is_no_command(cast: Cast) -> None:
    answered(cast, BILL, BECAUSE)
    question = ask(cast.alice, BILL)
    text(cast.alice, "Hergebruik van mijn oude toestel, kan dat?")
    work()
    question.refresh_from_db()
    assert question.state == "offered"


def test_by_mail_the_whole_answer_stands_in_the_confirmation_and_a_reply_uses_it(cast: Cast) -> None:
    long = "Er staat een eenmalige aansluiting op. " * 12 + "Einde."
    answered(cast, BILL, long)
    mail(str(cast.mallory.email), f"vraag@{settings.MAIL_DOMAIN}", BILL, subject="Vraag")
    work()
    question = Question.objects.get(asker=cast.mallory)
    [confirmation] = mails(cast.mallory)
    assert "Einde." in confirmation
    assert "REUSE" in confirmation
    reply_to = letters(cast.mallory.email, "email")[-1].other
    mail(str(cast.mallory.email), reply_to, "Reuse\n\nThanks!")
    work()
    question.refresh_from_db()
    assert (question.state, question.close_reason) == ("closed", "reused")
    assert f"/q/{question.friend_key}" in mails(cast.mallory)[-1]
