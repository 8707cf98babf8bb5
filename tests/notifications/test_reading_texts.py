"""A verb is recognised however it is typed; a letter off is asked about and never done by itself."""

import pytest

from notifications.models import Address, InboundMessage
from questions.models import Answer, Question
from rewards.models import Gift
from tests.conftest import Cast, ask, code_of, later, offer_of, text, texts, work


def say(who: object, body: str) -> str:
    text(who, body)  # type: ignore[arg-type]
    work()
    return texts(who)[-1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "typed",
    [
        *("saldo", " Saldo. ", "SALDO\u00a0", "SALDO!!", "\U0001f4b0 saldo \U0001f44d\U0001f3fd", "saldo\u200b", "*Saldo*"),
        *("\uff33\uff21\uff2c\uff24\uff2f", "\u201csaldo\u201d", "\r\nSaldo\r\n", "#saldo", "Balance?"),
    ],
)
def test_a_verb_is_known_however_it_is_typed(cast: Cast, typed: str) -> None:
    assert say(cast.alice, typed).startswith("Je kunt 0 credits weggeven")


@pytest.mark.parametrize(
    "typed", ["ja {code}", "JA, {code}!", "Ja\u00a0{code}", "\U0001f44d ja ({code})", "JA {a} {seven}"]
)
def test_a_code_is_known_however_it_is_typed(cast: Cast, typed: str) -> None:
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    say(cast.bob, typed.format(code=code.lower(), a=code[0], seven=code[1:]))
    assert offer_of(question).state == "accepted"


def test_niet_gelukt_may_be_written_apart(cast: Cast) -> None:
    question = ask(cast.alice)
    say(cast.bob, "Zo zit het.")
    say(cast.alice, f"Niet gelukt {code_of(cast.alice, question.subject_key)}")
    question.refresh_from_db()
    assert question.is_unanswered


def test_what_is_typed_behind_the_verb_stays_as_it_is(cast: Cast) -> None:
    say(cast.alice, "Vraag: waarom is \u201czijn\u201d rekening (2x) zo hoog \U0001f62e?")
    assert Question.objects.get().text == "waarom is \u201czijn\u201d rekening (2x) zo hoog \U0001f62e?"


@pytest.mark.parametrize("typed", ["SALDP", "SALD", "SALDOO", "SADLO", "saldp!"])
def test_a_letter_off_is_asked_about_and_done_at_ja(cast: Cast, typed: str) -> None:
    assert say(cast.alice, typed).startswith("Bedoelde je SALDO? Antwoord JA.")
    assert InboundMessage.objects.get(state="held").reason == "typo:SALDO"
    assert say(cast.alice, "Ja \U0001f44d").startswith("Je kunt 0 credits weggeven")
    assert not InboundMessage.objects.filter(state="held").exists()


def test_a_mistyped_question_keeps_its_text_and_its_time(cast: Cast) -> None:
    assert "VRAAG" in say(cast.alice, "VRAGG Waarom is haar rekening zo hoog?")
    assert not Question.objects.exists()
    later(hours=2)
    say(cast.alice, "ja")
    question = Question.objects.select_related("current_round").get()
    held = InboundMessage.objects.get(text__startswith="VRAGG")
    assert question.text == "Waarom is haar rekening zo hoog?"
    assert question.received_at == held.received_at


def test_nee_to_a_guess_declines_no_offer_and_takes_the_text_as_it_is(cast: Cast) -> None:
    question = ask(cast.alice)
    assert "Bedoelde je SALDO" in say(cast.bob, "Saldp")
    say(cast.bob, "nee")
    assert Answer.objects.get().text == "Saldp"
    assert offer_of(question).state == "answered"


def test_ja_answers_what_was_asked_last(cast: Cast) -> None:
    say(cast.bob, "SALDP")
    later(minutes=5)
    question = ask(cast.alice)
    say(cast.bob, "ja")
    assert offer_of(question).state == "accepted"
    assert InboundMessage.objects.filter(person=cast.bob, state="held").exists()


@pytest.mark.parametrize(
    "body", ["Geen kosten, dat is gratis.", "Geef de klant een nieuwe sim.", "Ik weet het zeker.", "Weg is weg."]
)
def test_an_answer_that_begins_like_a_verb_is_the_answer(cast: Cast, body: str) -> None:
    ask(cast.alice)
    say(cast.bob, body)
    assert Answer.objects.get().text == body
    assert not Gift.objects.exists()


@pytest.mark.parametrize("typed", ["STOPP", "stpo", "SSTOP", "STAR", "UNSUBSCRIB"])
def test_nearly_a_carriers_word_is_neither_that_nor_an_answer(cast: Cast, typed: str) -> None:
    ask(cast.alice)
    heard = say(cast.bob, typed)
    assert heard.startswith("Geen berichten meer? Sms STOP.")
    assert Address.objects.get(person=cast.bob, channel="sms").stopped_at is None
    assert not Answer.objects.exists()
    assert not InboundMessage.objects.filter(state="held").exists()


def test_a_held_text_is_not_swallowed_by_a_verb_that_needs_none(cast: Cast) -> None:
    say(cast.alice, "Waarom is haar rekening zo hoog?")
    say(cast.alice, "saldo")
    assert InboundMessage.objects.filter(state="held").count() == 1
    say(cast.alice, "vraag")
    assert Question.objects.get().text == "Waarom is haar rekening zo hoog?"


def test_a_verb_with_thanks_behind_it_is_asked_about_before_it_acts(cast: Cast) -> None:
    question = ask(cast.alice)
    say(cast.bob, "Zo zit het.")
    assert "Bedoelde je GELUKT" in say(cast.alice, "Gelukt, dank je wel!")
    question.refresh_from_db()
    assert question.state == "answered"
    say(cast.alice, "ja")
    question.refresh_from_db()
    assert (question.state, question.close_reason) == ("closed", "helped")
