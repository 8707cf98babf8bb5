"""HULP tells in one message what this person can do now: open items first, then the verbs of their roles."""

import pytest

from notifications import segments
from people.models import Person
from tests.conftest import Cast, ask, code_of, offer_of, text, texts, work


def say(who: Person, body: str) -> str:
    text(who, body)
    work()
    return texts(who)[-1]


@pytest.mark.parametrize("word", ["HULP", "help", "Info", "hulp!"])
def test_an_asker_without_items_hears_what_an_employee_can_do(cast: Cast, word: str) -> None:
    told = say(cast.alice, word)
    for verb in ("VRAAG", "STATUS", "ZOEK", "SALDO", "GEEF", "BEDANK", "WEG", "TAAL", "WIE"):
        assert verb in told.split(), verb
    for verb in ("KEN", "BALIE", "DIENST", "EXPERTS", "ANTW", "JA", "MEEDOEN"):
        assert verb not in told.split(), verb


def test_an_expert_hears_their_open_items_first_with_codes(cast: Cast) -> None:
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    first, *rest = say(cast.bob, "HULP").splitlines()
    assert first.startswith(f"{code} Mijn zus vraagt")
    assert first.endswith("ANTW JA NEE")
    assert "KEN" in rest[0].split()


def test_the_desk_hears_of_the_desk_and_english_speaks_english(cast: Cast) -> None:
    assert {"BALIE", "DIENST"} <= set(say(cast.dana, "HULP").split())
    told = say(cast.mallory, "HELP").split()
    assert {"ASK", "AWAY", "BALANCE"} <= set(told)
    assert "VRAAG" not in told


def test_it_is_two_segments_at_most_and_plain_also_with_many_items_and_every_role(cast: Cast) -> None:
    cast.bob.roles = ["employee", "expert", "duty_desk", "topic_lead"]
    cast.bob.save()
    for number in range(6):
        ask(
            cast.bob if number % 2 else cast.alice,
            f"Waarom is de rekening van €{number} voor mijn zus in \u2018s-Hertogenbosch zo hoog?",
        )
    told = say(cast.bob, "HULP")
    assert segments.is_gsm(told)
    assert segments.count(told) <= 2
    assert "STATUS" in told
    assert told.splitlines()[-1].startswith("HULP + woord")


def test_a_word_or_a_code_is_explained_with_an_example(cast: Cast) -> None:
    assert say(cast.alice, "HULP saldo") == "SALDO: je credits. Voorbeeld: SALDO"
    assert "GIVE coffee" in say(cast.mallory, "help give")
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    told = say(cast.bob, f"HULP {code}")
    for verb in ("JA", "NEE", "DOOR", "CORRECTIE", "MEER"):
        assert verb in told.replace(".", "").split()
    assert segments.count(told) <= 2
    assert offer_of(question).state == "offered"


def test_every_explanation_is_plain_and_short_in_both_languages(cast: Cast) -> None:
    from django.utils import translation

    from notifications import guide, verbs

    for language in ("nl", "en"):
        with translation.override(language):
            for name in verbs.VERBS:
                told = guide.explain(cast.bob, name)
                assert segments.is_gsm(told), told
                assert segments.count(told) == 1, told
