"""Leave, language, what colleagues see, messages, phones and safety: by SMS, as by the app."""

from datetime import timedelta
from uuid import uuid4

import pytest

from backend import clock
from notifications.models import Device, Notification
from notifications.notify import notify
from people.models import Absence, AccessToken, Person
from tests.conftest import Cast, api, ask, text, texts, work


def say(who: Person, body: str) -> str:
    text(who, body)
    work()
    return texts(who)[-1]


def day(person: Person, after: int) -> str:
    local = clock.now().astimezone(person.zone) + timedelta(days=after)
    return f"{local.day}-{local.month}"


def test_leave_runs_from_the_first_day_through_the_last_in_ones_own_time(cast: Cast) -> None:
    told = say(cast.bob, f"WEG {day(cast.bob, 2)} t/m {day(cast.bob, 4)} Charlie")
    assert day(cast.bob, 4) in told
    assert "Charlie Cohen vervangt je." in told
    absence = Absence.objects.get(person=cast.bob)
    starts, ends = (at.astimezone(cast.bob.zone) for at in (absence.starts_at, absence.ends_at))
    assert (starts.hour, ends.hour) == (0, 0)
    assert (ends.date() - starts.date()).days == 3
    assert absence.stand_in == cast.charlie
    assert day(cast.bob, 2) in say(cast.bob, "WEG")


def test_leave_of_today_begins_at_once_and_ends_with_present(cast: Cast) -> None:
    say(cast.bob, "Weg vandaag")
    assert Absence.objects.get(person=cast.bob).begun_at
    assert say(cast.bob, "aanwezig!") == "Welkom terug."
    assert Absence.objects.get(person=cast.bob).ends_at <= clock.now()
    assert say(cast.bob, "AANWEZIG") == "Je bent niet weg."


def test_coming_leave_is_shortened_or_taken_back(cast: Cast) -> None:
    say(cast.bob, f"WEG {day(cast.bob, 2)} {day(cast.bob, 6)}")
    assert day(cast.bob, 4) in say(cast.bob, f"AANWEZIG {day(cast.bob, 4)}")
    absence = Absence.objects.get(person=cast.bob)
    assert absence.ends_at - absence.starts_at < timedelta(days=3)
    assert "toch niet weg" in say(cast.bob, "AANWEZIG")
    assert not Absence.objects.exists()


@pytest.mark.parametrize("body", ["WEG 31-2", "WEG 45-45", "WEG morgen Zoltan", "WEG 1-1-2020", "AANWEZIG 31-2"])
def test_a_day_or_colleague_that_does_not_exist_is_said_and_nothing_is_written(cast: Cast, body: str) -> None:
    assert len(say(cast.bob, body)) > 10
    assert not Absence.objects.exists()


def test_language_time_zone_and_opt_ins(cast: Cast) -> None:
    assert "Europe/Lisbon" in say(cast.bob, "TIJDZONE Europe/Lisbon")
    assert "IANA" in say(cast.bob, "TIJDZONE Maan")
    assert "badges: ja" in say(cast.bob, "TOON BADGES AAN")
    assert "contact: ja" in say(cast.bob, "toon contact aan")
    assert "contact: nee" in say(cast.bob, "TOON CONTACT UIT")
    assert "TAAL NL" in say(cast.bob, "TAAL FR")
    assert say(cast.bob, "TAAL EN").startswith("We write to you in English")
    assert say(cast.bob, "ME").startswith("Bob Bakker, no team. Mail bob@")
    cast.bob.refresh_from_db()
    assert (cast.bob.language, cast.bob.time_zone) == ("en", "Europe/Lisbon")
    assert (cast.bob.shows_badges, cast.bob.shows_contact) == (True, False)


def test_messages_are_read_a_few_at_a_time_and_count_as_read(cast: Cast) -> None:
    for number in range(5):
        notify(cast.mallory, key=f"n{number}", event="test", title=f"T{number}", body="-", sms=f"Message {number}.")
    assert say(cast.mallory, "INBOX").splitlines() == ["Message 0.", "Message 1.", "Message 2.", "INBOX: the next ones."]
    assert Notification.objects.filter(person=cast.mallory, read_at__isnull=True).count() == 2
    assert say(cast.mallory, "INBOX").splitlines() == ["Message 3.", "Message 4."]
    assert say(cast.mallory, "INBOX") == "You have read everything."


def test_phones_are_listed_and_one_is_ended(cast: Cast) -> None:
    body = {"token": "t" * 40, "platform": "ios", "app_version": "1.4", "locale": "nl-NL"}
    device = uuid4()
    assert api(cast.bob).put(f"/api/v1/devices/{device}", body, "application/json").status_code == 200
    assert "1 = ios 1.4" in say(cast.bob, "TELEFOONS")
    assert "Er is geen telefoon 2" in say(cast.bob, "TELEFOONS WEG 2")
    assert Device.objects.exists()
    say(cast.bob, "TELEFOONS WEG 1")
    assert not Device.objects.exists()


def test_signing_out_ends_every_sign_in_of_mine_and_nobody_elses(cast: Cast) -> None:
    mine, other = api(cast.bob), api(cast.charlie)
    assert "1" in say(cast.bob, "UITLOGGEN")
    assert mine.get("/api/v1/me").status_code == 401
    assert other.get("/api/v1/me").status_code == 200
    assert AccessToken.objects.filter(revoked_at__isnull=True).count() == 1


def test_i_do_not_know_is_an_answer_and_no_verb(cast: Cast) -> None:
    from questions.models import Answer

    ask(cast.alice)
    say(cast.bob, "Ik weet het: dubbele maand.")
    assert Answer.objects.get().text == "Ik weet het: dubbele maand."
