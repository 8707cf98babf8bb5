"""Texts of every kind get a result or a sentence, never silence, and nothing typed is lost."""

import pytest

from notifications.models import Address, InboundMessage
from questions import answering
from questions.models import Answer, Assignment, Question
from tests.conftest import Cast, ask, code_of, later, offer_of, text, texts, work


def say(who: object, body: str) -> str:
    """Text, let the worker work, and return the newest message on that phone."""
    text(who, body)  # type: ignore[arg-type]
    work()
    return texts(who)[-1]  # type: ignore[arg-type]


def test_a_bare_reply_answers_the_one_open_item(cast: Cast) -> None:
    ask(cast.alice)
    say(cast.bob, "Ja hoor, dat klopt: het is een dubbele maand.")
    assert Answer.objects.get().text == "Ja hoor, dat klopt: het is een dubbele maand."


def test_with_two_open_items_a_menu_comes_back_and_the_text_waits_for_the_choice(cast: Cast) -> None:
    first, second = ask(cast.alice), ask(cast.alice, "Waarom is zijn rekening zo hoog?")
    menu = say(cast.bob, "Dat is een dubbele maand.")
    assert "1 = " in menu
    assert "2 = " in menu
    assert not Answer.objects.exists()
    say(cast.bob, "2")
    answer = Answer.objects.get()
    assert (answer.question, answer.text) == (second, "Dat is een dubbele maand.")
    first.refresh_from_db()
    assert first.state == "offered"
    assert not InboundMessage.objects.filter(state="held").exists()


def test_a_held_answer_counts_from_when_it_was_sent(cast: Cast) -> None:
    question, other = ask(cast.alice), ask(cast.alice, "Waarom is zijn rekening zo hoog?")
    for one in (question, other):
        answering.accept(cast.bob, offer_of(one).pk)
    item = offer_of(question).item
    later(hours=23)
    say(cast.bob, "Op tijd geschreven.")
    later(hours=2)
    say(cast.bob, code_of(cast.bob, item))
    question.current_round.refresh_from_db()
    assert question.current_round.verdict == "kept"


def test_text_without_a_verb_from_an_asker_is_held_and_vraag_passes_it_on(cast: Cast) -> None:
    hint = say(cast.alice, "Waarom is haar rekening zo hoog?")
    assert "VRAAG" in hint
    assert not Question.objects.exists()
    say(cast.alice, "vraag")
    assert Question.objects.get().text == "Waarom is haar rekening zo hoog?"


def test_ja_and_nee_act_only_as_the_whole_message(cast: Cast) -> None:
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    say(cast.bob, f"ja {code.lower()}.")
    assert offer_of(question).state == "accepted"
    say(cast.bob, f"nee {code}")
    assert Assignment.objects.get(expert=cast.bob).state == "declined"


def test_status_tells_how_it_stands(cast: Cast) -> None:
    question = ask(cast.alice)
    assert question.reference in say(cast.alice, "Status")
    later(hours=25)
    code = code_of(cast.alice, question.subject_key)
    assert question.reference in say(cast.alice, f"STATUS {code}")


def test_a_long_answer_is_cut_and_meer_reads_on(cast: Cast) -> None:
    question = ask(cast.alice)
    whole = " ".join(f"woord{number}" for number in range(120))
    say(cast.bob, whole)
    short = texts(cast.alice)[-1]
    assert "MEER" in short
    assert question.friend_key in short
    code = code_of(cast.alice, question.subject_key)
    pages = [say(cast.alice, f"MEER {code}") for _ in range(5)]
    assert all(f"woord{number}" in " ".join(pages) for number in range(120))


def test_gelukt_closes_the_question(cast: Cast) -> None:
    question = ask(cast.alice)
    say(cast.bob, "Zo zit het.")
    say(cast.alice, "GELUKT " + code_of(cast.alice, question.subject_key))
    question.refresh_from_db()
    assert (question.state, question.close_reason) == ("closed", "helped")


@pytest.mark.parametrize(
    "rubbish", ["", "   ", "????", "\U0001f600\U0001f600", "ANTW", "ANTW Q9 tekst", "JA", "MEER A3", "1"]
)
def test_rubbish_gets_a_sentence(cast: Cast, rubbish: str) -> None:
    assert len(say(cast.mallory, rubbish)) > 10
    assert not Question.objects.exists()


def test_an_item_code_of_somebody_else_means_nothing(cast: Cast) -> None:
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    say(cast.charlie, f"ANTW {code} Ik weet het ook.")
    assert not Answer.objects.exists()


def test_a_stranger_hears_one_sentence_a_day_and_is_quarantined(cast: Cast) -> None:
    from tests.conftest import letters

    for number in range(3):
        text("+31698765432", f"VRAAG {number}?")
    work()
    assert InboundMessage.objects.filter(state="quarantined", reason="unknown_sender").count() == 3
    assert len(letters("+31698765432")) == 1
    assert not Question.objects.exists()


def test_after_stop_nothing_is_sent_and_start_undoes_it(cast: Cast) -> None:
    ask(cast.alice)
    before = len(texts(cast.alice))
    text(cast.alice, " stop ")
    work()
    text(cast.alice, "STATUS")
    work()
    assert len(texts(cast.alice)) == before
    assert Address.objects.get(person=cast.alice).stopped_at
    text(cast.alice, "START")
    work()
    assert "Q-" in say(cast.alice, "STATUS")


def test_english_speaks_english(cast: Cast) -> None:
    assert say(cast.mallory, "ASK Why is the bill so high?").startswith("Passed on:")
