"""A whole working life by mail alone: from the code on paper to the return from leave, through SMTP and nothing else."""

import re

from django.conf import settings
from django.test import Client

from people import roster
from people.models import Person
from rewards import tasks
from sandbox.models import Letter
from tests.conftest import Cast, letters, mail, work
from tests.rewards.conftest import Mall, mall, path_of  # noqa: F401 — a fixture

NINA = "nina@thuis.example"
FILE = """employee_number,name,email,mobile,roles,working_hours,join_code
N1,Nina Nieuw,,,expert,mon-sun 00:00-24:00,QRTV-3467"""
GREETING = "\n\nMet vriendelijke groet,\n\nNina Nieuw"
LONG = "\n\n".join(f"Stap {number}: doe het zo." for number in range(90))


def to(local: str) -> str:
    return f"{local}@{settings.MAIL_DOMAIN}"


def inbox(address: str = NINA) -> list[Letter]:
    work()
    return letters(address, "email")


def say(body: str, *, address: str = "doe", sender: str = NINA) -> str:
    """Write a mail, let the worker work, and return the newest one in that mailbox."""
    mail(sender, to(address), body + GREETING, subject="Hallo")
    return inbox(sender)[-1].body


def reply(letter: Letter, body: str, sender: str = NINA) -> str:
    """As a mail program does: to the Reply-To, above the quoted mail."""
    quoted = "\n".join(f"> {line}" for line in letter.body.splitlines())
    mail(
        sender,
        letter.other,
        f"{body}\n\nOp wo 25 nov 2026 om 12:00 schreef Vonk:\n{quoted}",
        subject=f"Re: {letter.subject}",
    )
    return inbox(sender)[-1].body


def test_a_working_life_by_mail_alone(cast: Cast, mall: Mall) -> None:  # noqa: F811
    assert roster.import_csv(FILE).created == 1
    Person.objects.exclude(employee_number="N1").update(mobile=None)

    # Join.
    assert "Welkom Nina!" in say("MEEDOEN QRTV-3467")
    assert "VRAAG" in say("HULP")

    # Ask, and follow up.
    assert "Doorgegeven: Q-" in say("Waarom is de rekening van mijn zus zo hoog?", address="vraag")
    confirmation = inbox()[-1]
    assert "Q-" in reply(confirmation, "Hoe staat het?")
    assert "Q-" in say("STATUS")

    # Read a long answer.
    offer = inbox(str(cast.bob.email))[-1]
    reply(offer, LONG, sender=str(cast.bob.email))
    answer = next(letter for letter in reversed(inbox()) if "Stap 89" in letter.body)
    assert "Stap 0" in answer.body
    assert "doorgegeven" in reply(answer, "DOORGEGEVEN").lower()
    assert "gesloten" in reply(answer, "GELUKT")

    # Answer as an expert.
    assert "Buitenland 2" in say("KEN buitenland 2")
    say("Wat kost internet in Turkije?", address="vraag", sender=str(cast.bob.email))
    offer = next(letter for letter in reversed(inbox()) if "Turkije" in letter.body)
    reply(offer, "Tien euro per dag, zet het uit bij de grens.")
    assert any("Tien euro per dag" in letter.body for letter in inbox(str(cast.bob.email)))

    # Hand out a gift: the digits come to the mailbox that HR knows.
    tasks.sweep()
    assert "koffie" in say("GEEF")
    asked = say("GEEF koffie Geniet ervan!")
    digits = re.search(r"GEEF (\d{4})", asked)
    assert digits
    given = reply(inbox()[-1], f"GEEF {digits.group(1)}")
    link = re.search(r"http\S+/g/[\w-]+", given)
    assert link
    assert "Geniet ervan!" in Client().get(path_of(link.group())).content.decode()
    assert "nog niet opgehaald" in say("GIFTEN")
    assert "weggeven" in say("SALDO")

    # Go on leave, and be left alone.
    assert "Je bent weg" in say("WEG vandaag")
    quiet = len(inbox())
    say("Kan ik in Spanje bellen?", address="vraag", sender=str(cast.bob.email))
    assert len(inbox()) == quiet
    say("AANWEZIG")
    back, waited = inbox()[quiet:]
    assert "Welkom terug." in back.body
    assert "Spanje" in waited.body  # what nobody else could take is hers at once

    # Change language.
    assert "in English from now on" in say("TAAL EN")
    assert "You can give" in say("BALANCE")

    # Opt out, and return.
    quiet = len(inbox())
    say("STOP")
    say("BALANCE")
    assert len(inbox()) == quiet
    say("START")
    assert "You can give" in say("BALANCE")
