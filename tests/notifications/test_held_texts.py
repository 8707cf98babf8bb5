"""What is held is asked about once more, then ends with a notice: nothing typed goes by in silence."""

import pytest
from django.conf import settings

from notifications.models import InboundMessage
from questions.models import Answer, Question
from tests.conftest import Cast, ask, in_parallel, later, letters, mail, mails, text, texts, work


def heard(cast: Cast, who: object) -> list[str]:
    work()
    return texts(who)  # type: ignore[arg-type]


def hold_an_answer(cast: Cast) -> Question:
    ask(cast.alice)
    second = ask(cast.alice, "Waarom is zijn rekening zo hoog?")
    text(cast.bob, "Dat is een dubbele maand.")
    work()
    assert InboundMessage.objects.get(state="held").text == "Dat is een dubbele maand."
    return second


def test_an_unanswered_menu_is_shown_once_more_and_the_choice_still_counts(cast: Cast) -> None:
    second = hold_an_answer(cast)
    before = len(texts(cast.bob))
    later(minutes=14)
    assert len(heard(cast, cast.bob)) == before
    later(minutes=1)
    reminded = heard(cast, cast.bob)
    assert len(reminded) == before + 1
    assert "Dat is een dubbele maand." in reminded[-1]
    assert "1 = " in reminded[-1]
    assert "2 = " in reminded[-1]
    later(minutes=30)
    assert len(heard(cast, cast.bob)) == before + 1
    text(cast.bob, "2")
    work()
    assert Answer.objects.get().question == second


def test_after_a_day_it_ends_with_a_notice_and_a_late_choice_does_nothing(cast: Cast) -> None:
    hold_an_answer(cast)
    later(minutes=15)
    work()
    later(hours=24)
    assert any("niets gedaan" in body and "dubbele maand" in body for body in heard(cast, cast.bob))
    message = InboundMessage.objects.get(text="Dat is een dubbele maand.")
    assert (message.state, message.reason) == ("refused", "no_choice")
    before = Answer.objects.filter(text="Dat is een dubbele maand.").count()
    text(cast.bob, "2")
    work()
    assert Answer.objects.filter(text="Dat is een dubbele maand.").count() == before == 0
    told = [body for body in texts(cast.bob) if "niets gedaan" in body]
    assert len(told) == 1


@pytest.mark.parametrize(("typed", "word"), [("Waarom is haar rekening zo hoog?", "VRAAG"), ("SALDP", "SALDO")])
def test_every_kind_of_held_text_is_reminded_of(cast: Cast, typed: str, word: str) -> None:
    text(cast.alice, typed)
    work()
    before = len(texts(cast.alice))
    later(minutes=15)
    reminded = heard(cast, cast.alice)
    assert len(reminded) == before + 1
    assert typed in reminded[-1]
    assert word in reminded[-1]


def test_only_what_was_held_last_is_reminded_of_because_a_number_means_the_last_menu(cast: Cast) -> None:
    hold_an_answer(cast)
    later(minutes=10)
    text(cast.bob, "En dit hoort erbij.")
    work()
    before = len(texts(cast.bob))
    later(minutes=5)
    assert len(heard(cast, cast.bob)) == before
    later(minutes=10)
    assert "En dit hoort erbij." in heard(cast, cast.bob)[-1]


def test_workers_at_once_remind_once(cast: Cast) -> None:
    from notifications import holding

    hold_an_answer(cast)
    before = len(texts(cast.bob))
    later(minutes=15)
    assert sum(in_parallel(4, lambda _: holding.run_due())) == 1
    assert len(heard(cast, cast.bob)) == before + 1


def test_after_stop_no_reminder_goes_out(cast: Cast) -> None:
    hold_an_answer(cast)
    text(cast.bob, "STOP")
    work()
    before = len(texts(cast.bob))
    later(minutes=15)
    assert len(heard(cast, cast.bob)) == before


def test_by_mail_too_a_menu_holds_the_text_until_the_choice(cast: Cast) -> None:
    ask(cast.alice)
    second = ask(cast.alice, "Waarom is zijn rekening zo hoog?")
    to_us = f"doe@{settings.MAIL_DOMAIN}"
    mail(str(cast.bob.email), to_us, "Dat is een dubbele maand.")
    work()
    assert "2 = " in mails(cast.bob)[-1]
    assert letters(cast.bob.email, "email")[-1].other == to_us
    mail(str(cast.bob.email), to_us, "2\n\nGroet,\nBob")
    work()
    answer = Answer.objects.get()
    assert (answer.question, answer.text) == (second, "Dat is een dubbele maand.")
