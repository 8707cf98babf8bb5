"""A whole working life by SMS alone: from the code on paper to coming back after STOP; the webhook and nothing else."""

import re

from django.test import Client

from people import roster
from rewards import tasks
from tests.conftest import Cast, later, letters, text, work
from tests.rewards.conftest import Mall, mall, path_of  # noqa: F401 — a fixture

NINA, OTTO = "+31687654321", "+31687654322"
FILE = """employee_number,name,email,mobile,roles,working_hours,join_code
N1,Nina Nieuw,,,expert,mon-sun 00:00-24:00,QRTV-3467
N2,Otto Oost,,,expert,mon-sun 00:00-24:00,QRTV-3476"""
LONG = " ".join(f"stap{number}" for number in range(90))


def say(number: str, body: str) -> str:
    """Text, let the worker work, and return what came in on that phone last."""
    assert text(number, body).status_code == 200
    return heard(number)[-1]


def heard(number: str) -> list[str]:
    work()
    return [letter.body for letter in letters(number, "sms")]


def code_in(body: str) -> str:
    found = re.search(r"\b([A-Z][34679])\b", body)
    assert found, body
    return found.group(1)


def test_a_working_life_by_sms_alone(cast: Cast, mall: Mall) -> None:  # noqa: F811
    assert roster.import_csv(FILE).created == 2

    # Join.
    assert say(NINA, "MEEDOEN QRTV-3467").startswith("Welkom Nina!")
    assert say(OTTO, "meedoen qrtv3476").startswith("Welkom Otto!")
    assert "VRAAG" in say(NINA, "HULP")

    # Ask, except somebody, and follow up.
    told = say(NINA, "VRAAG BEHALVE Bob: Waarom is de rekening van mijn zus zo hoog?")
    assert told.startswith("Doorgegeven: Q-")
    asked = code_in(told.split("STATUS")[-1])
    assert "Q-" in say(NINA, f"STATUS {asked}")
    assert "billing" not in say(OTTO, "KEN")

    # Become an expert, and answer as one: a question of Otto's own goes elsewhere, Nina's may come.
    assert "Rekening 2" in say(OTTO, "KEN rekening 2")
    later(hours=23, minutes=59)
    for number in (str(cast.charlie.mobile), OTTO):
        offers = [body for body in heard(number) if "ANTW" in body]
        if offers:
            break
    else:
        raise AssertionError("nobody was asked")
    code = code_in(offers[-1])
    assert "zus" in say(number, f"MEER {code}")
    say(number, f"ANTW {code} {LONG}")

    # Read the long answer, page by page, and say that it helped.
    answer = next(body for body in reversed(heard(NINA)) if body.startswith("Antwoord op"))
    assert "stap0" in answer
    pages = " ".join(say(NINA, f"MEER {asked}") for _ in range(5))
    assert all(f"stap{step}" in pages for step in range(90))
    assert "doorgegeven" in say(NINA, f"DOORGEGEVEN {asked}").lower()
    assert "gesloten" in say(NINA, f"GELUKT {asked}")

    # Answer as an expert.
    assert "Buitenland 2" in say(NINA, "KEN buitenland 2")
    say(OTTO, "VRAAG Wat kost internet in Turkije?")
    offer = next(body for body in reversed(heard(NINA)) if "Turkije" in body)
    assert "aangenomen" in (took := say(NINA, f"ja {code_in(offer)}")) or "van jou" in took
    assert say(NINA, "Tien euro per dag, zet het uit bij de grens.")
    assert any("Tien euro per dag" in body for body in heard(OTTO))

    # Hand out a gift, and look at one's credits.
    tasks.sweep()
    assert "koffie" in say(NINA, "GEEF")
    digits = re.search(r"GEEF (\d{4})", say(NINA, "GEEF koffie Geniet ervan!"))
    assert digits
    link = re.search(r"http\S+/g/[\w-]+", say(NINA, f"GEEF {digits.group(1)}"))
    assert link
    assert "Geniet ervan!" in Client().get(path_of(link.group())).content.decode()
    listed = say(NINA, "GIFTEN")
    assert "nog niet opgehaald" in listed
    again = re.search(r"http\S+/g/[\w-]+", say(NINA, f"LINK {code_in(listed)}"))
    assert again
    assert again.group() != link.group()
    assert "ingetrokken" in say(NINA, f"INTREKKEN {code_in(listed)}")
    assert "weggeven" in say(NINA, "SALDO")
    assert "maandtegoed" in say(NINA, "AFSCHRIFT")

    # Go on leave, and be left alone.
    assert "Otto Oost vervangt je." in say(NINA, "WEG vandaag Otto")
    quiet = len(heard(NINA))
    say(OTTO, "VRAAG Kan ik in Spanje bellen?")
    assert len(heard(NINA)) == quiet
    say(NINA, "AANWEZIG")
    back, waited = heard(NINA)[quiet:]
    assert back == "Welkom terug."
    assert "Spanje" in waited  # what nobody else could take is hers at once

    # Change language.
    assert say(NINA, "TAAL EN") == "We write to you in English from now on."
    assert say(NINA, "BALANCE").startswith("You can give")

    # Opt out, and return.
    quiet = len(heard(NINA))
    text(NINA, "STOP")
    text(NINA, "BALANCE")
    assert len(heard(NINA)) == quiet
    text(NINA, "START")
    assert say(NINA, "BALANCE").startswith("You can give")
