"""What I am told, how and when: chosen in the app, by SMS or by mail."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.conf import settings

from backend import clock
from notifications import events, preferences
from notifications.models import Delivery, Notification, Preference
from people.models import Person
from tests.conftest import Cast, api, ask, later, mail, mails, text, texts, work
from tests.notifications.phones import deliveries, phone, tell
from tests.notifications.test_quiet_hours import at


def patch(who: Person, **body: Any) -> Any:
    return api(who).patch("/api/v1/me/preferences", body, "application/json")


def tell_of(who: Person, event: str, key: str = "") -> Notification:
    from notifications.notify import notify

    return notify(who, key=key or event, event=event, title="Titel", body="Tekst", sms="Kort")


def test_without_a_choice_everything_is_the_companys(cast: Cast) -> None:
    found = api(cast.bob).get("/api/v1/me/preferences").json()
    assert (found["channels"], found["has_own_quiet_hours"], found["quiet_hours"]) == ([], False, None)
    assert {row["event"] for row in found["events"]} == set(events.EVENTS)
    offered = next(row for row in found["events"] if row["event"] == "question_offered")
    assert offered == {
        "event": "question_offered",
        "label": "Een vraag voor mij",
        "is_urgent": False,
        "is_mandatory": True,
        "is_off": False,
        "mail_is_off": False,
        "channels": [],
    }
    assert not Preference.objects.exists()


def test_quiet_hours_from_the_app_hold_what_comes(cast: Cast) -> None:
    chosen = patch(cast.bob, quiet="own", quiet_hours={"starts": "22:00", "ends": "07:00"})
    assert (chosen.status_code, chosen.json()["quiet_hours"]) == (200, {"starts": "22:00:00", "ends": "07:00:00"})
    at("23:00")
    told = tell(cast.bob)
    work()
    assert deliveries(told) == {"email": "due"}
    assert patch(cast.bob, quiet="none").json()["quiet_hours"] is None
    work()
    assert deliveries(told) == {"email": "sent"}  # what was held goes at once


def test_half_a_choice_is_refused_and_changes_nothing(cast: Cast) -> None:
    assert patch(cast.bob, quiet="own", mails_off=["kudos_received"]).status_code == 422
    same = {"starts": "22:00", "ends": "22:00"}
    assert patch(cast.bob, quiet="own", quiet_hours=same, mails_off=["kudos_received"]).status_code == 422
    assert not Preference.objects.exists()


def test_news_can_be_switched_off_and_stays_in_the_inbox(cast: Cast) -> None:
    assert patch(cast.bob, events_off=["kudos_received"]).status_code == 200
    told = tell_of(cast.bob, "kudos_received")
    helped = tell_of(cast.bob, "answer_helped")
    work()
    assert (deliveries(told), deliveries(helped)) == ({}, {"email": "sent"})
    told.refresh_from_db()
    assert told.state == "waiting"  # not `exhausted`: the person is in reach
    assert [item["event"] for item in api(cast.bob).get("/api/v1/inbox").json()["items"]] == [
        "answer_helped",
        "kudos_received",
    ]


@pytest.mark.parametrize("field", ["events_off", "mails_off"])
def test_what_is_mandatory_cannot_be_switched_off(cast: Cast, field: str) -> None:
    refused = patch(cast.bob, **{field: ["kudos_received", "question_offered"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "event_is_mandatory")
    assert patch(cast.bob, **{field: ["no_such_thing"]}).status_code == 422
    assert not Preference.objects.exists()
    assert deliveries(tell_of(cast.bob, "question_offered")) == {"email": "due"}


def test_an_order_of_ones_own_is_followed_link_by_link(cast: Cast) -> None:
    phone(cast.bob)
    assert patch(cast.bob, channels=["sms", "email"]).json()["channels"] == ["sms", "email"]
    told = tell_of(cast.bob, "question_closed")
    work()
    assert deliveries(told) == {"sms": "sent"}
    later(minutes=events.EVENTS["question_closed"].sms_minutes - 1)
    work()
    assert deliveries(told) == {"sms": "sent"}
    later(minutes=1)
    work()
    assert deliveries(told) == {"sms": "sent", "email": "sent"}


def test_one_event_may_have_another_order(cast: Cast) -> None:
    patch(cast.bob, channels=["sms"], event_channels={"badge_awarded": ["email"]})
    assert deliveries(tell_of(cast.bob, "badge_awarded")) == {"email": "due"}
    assert deliveries(tell_of(cast.bob, "question_closed")) == {"sms": "due"}
    patch(cast.bob, event_channels={"badge_awarded": []})
    assert deliveries(tell_of(cast.bob, "badge_awarded", "again")) == {"sms": "due"}


def test_an_order_that_reaches_nobody_gives_way_to_the_companys(cast: Cast) -> None:
    patch(cast.alice, channels=["email", "push"])  # she has neither
    assert deliveries(tell_of(cast.alice, "question_closed")) == {"sms": "due"}


def test_when_the_only_wished_channel_fails_another_one_is_used(cast: Cast) -> None:
    patch(cast.bob, channels=["sms"])
    cast.bob.mobile = "+05"
    cast.bob.save()
    told = tell_of(cast.bob, "question_closed")
    work()
    assert deliveries(told) == {"sms": "failed", "email": "sent"}


@pytest.mark.parametrize("body", [{"channels": ["fax"]}, {"channels": ["sms", "sms"]}, {"event_channels": {"x": ["sms"]}}])
def test_rubbish_is_refused(cast: Cast, body: dict[str, Any]) -> None:
    assert patch(cast.bob, **body).status_code == 422
    assert not Preference.objects.exists()


# --- STIL / SILENT -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("STIL 22-7", (time(22), time(7))),
        ("stil 22:30 - 07.15", (time(22, 30), time(7, 15))),
        ("Stil van 23 tot 8 uur.", (time(23), time(8))),
        ("SILENT 22 to 7", (time(22), time(7))),
        ("STIL 22-24", (time(22), time(0))),
    ],
)
def test_quiet_hours_by_sms(cast: Cast, words: str, hours: tuple[time, time]) -> None:
    text(cast.alice, words)
    work()
    chosen = Preference.objects.get(person=cast.alice)
    assert (chosen.has_own_quiet, chosen.quiet_starts, chosen.quiet_ends) == (True, *hours)
    assert f"{hours[0]:%H:%M}-{hours[1]:%H:%M}" in texts(cast.alice)[-1]


@pytest.mark.parametrize("words", ["STIL 25-7", "STIL 22-22", "STIL graag", "STIL 22-7 8"])
def test_what_is_no_time_of_day_is_explained_and_changes_nothing(cast: Cast, words: str) -> None:
    text(cast.alice, words)
    work()
    assert not Preference.objects.exists()
    assert "STIL 22-7" in texts(cast.alice)[-1]


def test_stil_alone_is_until_the_next_morning_and_only_once(cast: Cast) -> None:
    at("20:00")
    text(cast.alice, "STIL")
    work()
    assert "07:30" in texts(cast.alice)[-1]
    told = tell(cast.alice)
    work()
    assert deliveries(told) == {"sms": "due"}
    later(hours=11, minutes=31)
    work()
    assert deliveries(told) == {"sms": "sent"}
    at("20:00")
    assert deliveries(tell(cast.alice, "next evening")) == {"sms": "due"}
    work()
    assert Delivery.objects.filter(notification__key="next evening", state="sent").exists()


def test_stil_in_the_early_morning_is_not_over_in_a_moment(cast: Cast) -> None:
    at("07:00")
    text(cast.alice, "STIL")
    work()
    assert Preference.objects.get().silent_until - clock.now() > timedelta(hours=20)  # type: ignore[operator]


def test_stil_uit_lets_everything_come(cast: Cast, settings: Any) -> None:
    settings.QUIET_HOURS = "21:00-07:30"
    at("23:00")
    told = tell(cast.alice)
    work()
    assert deliveries(told) == {"sms": "due"}
    text(cast.alice, "STIL UIT")
    work()
    assert deliveries(told) == {"sms": "sent"}
    text(cast.alice, "STIL AAN")
    work()
    assert "21:00-07:30" in texts(cast.alice)[-1]


def test_urgent_messages_and_answers_to_ones_own_words_still_come(cast: Cast) -> None:
    at("20:00")
    text(cast.alice, "STIL")
    work()
    told = tell(cast.alice, urgent=True)
    text(cast.alice, "STATUS")
    work()
    assert deliveries(told) == {"sms": "sent"}
    assert len(texts(cast.alice)) == 3


@pytest.mark.parametrize(("subject", "body"), [("STIL 22-7", "groet"), ("Silent 22-7", "x"), ("", "STIL 22-7\n\nGroet")])
def test_quiet_hours_by_mail(cast: Cast, subject: str, body: str) -> None:
    mail(str(cast.bob.email), f"stil@{settings.MAIL_DOMAIN}", body, subject=subject)
    work()
    assert preferences.hours_of(preferences.of(cast.bob.pk)) == preferences.Hours(time(22), time(7))
    assert "22:00-07:00" in mails(cast.bob)[-1]


def test_the_sentence_comes_in_ones_own_language(cast: Cast) -> None:
    text(cast.mallory, "SILENT 22-7")
    work()
    assert texts(cast.mallory)[-1].startswith("Quiet from 22:00-07:00.")


def test_silence_does_not_stop_a_question_of_ones_own(cast: Cast) -> None:
    text(cast.alice, "STIL 22-7")
    question = ask(cast.alice)
    assert question.asker == cast.alice
