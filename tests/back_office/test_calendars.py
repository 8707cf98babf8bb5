"""Administrators keep the calendars; what is saved reaches the promises that run, and no promise becomes endless."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from questions import rounds, tasks
from questions.models import Calendar, CalendarSlot, Closure, Round, Topic
from tests.back_office.conftest import make_question
from tests.back_office.test_topics import save as save_topic
from tests.conftest import Cast

PATH = "/admin/questions/calendar/"
OFFICE = [(day, "09:00", "17:00") for day in range(5)]


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were rung for."""
    found: list[str] = []
    monkeypatch.setattr("questions.calendar_admin.ring", lambda task, *_args: found.append(task))
    return found


def form_of(slots: list[tuple[int, str, str]], closures: list[tuple[str, str]] = (), **changes: Any) -> dict[str, Any]:  # type: ignore[assignment]
    form: dict[str, Any] = {"name": "Office", "time_zone": "Europe/Amsterdam", "country": "nl", "subdivision": ""}
    for prefix, rows in (("slots", slots), ("closures", closures)):
        form |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
    for number, (day, opens, closes) in enumerate(slots):
        form |= {f"slots-{number}-weekday": day, f"slots-{number}-opens": opens, f"slots-{number}-closes": closes}
    for number, (first, last) in enumerate(closures):
        form |= {f"closures-{number}-first_day": first, f"closures-{number}-last_day": last}
    return form | changes


def refused(response: Any, sentence: str) -> bool:
    return response.status_code == 200 and sentence in response.content.decode()


def test_a_calendar_is_written_as_people_write_times(office: dict[str, Client], rung: list[str]) -> None:
    slots = [(0, "9:00", "12:30"), (0, "13:00", "24:00"), (6, "22:00", "06:00")]
    response = office["administrator"].post(PATH + "add/", form_of(slots, [("2026-12-28", "2026-12-31")]))
    assert response.status_code == 302, response.context["errors"]
    made = CalendarSlot.objects.values_list("weekday", "starts_minute", "ends_minute")
    assert list(made) == [(0, 540, 750), (0, 780, 1440), (6, 1320, 1800)]
    assert Calendar.objects.get().country == "NL"
    assert Closure.objects.count() == 1
    shown = office["administrator"].get(f"{PATH}{Calendar.objects.get().pk}/change/").content.decode()
    assert 'value="22:00"' in shown
    assert 'value="06:00"' in shown


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (form_of([]), "would never be due"),
        (form_of(OFFICE, [("2026-01-01", "2036-01-01")]), "would never be due"),
        (form_of(OFFICE, country="XX"), "The national holidays of XX are not known."),
        (form_of(OFFICE, subdivision="BY"), "NL has no BY."),
        (form_of(OFFICE, time_zone="Europe/Nowhere"), "is not an IANA time zone"),
        (form_of([(0, "9 uur", "17:00")]), "Write a time as 09:00, up to 24:00."),
        (form_of([(0, "09:00", "24:30")]), "Write a time as 09:00, up to 24:00."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    office: dict[str, Client], rung: list[str], form: dict[str, Any], sentence: str
) -> None:
    assert refused(office["administrator"].post(PATH + "add/", form), sentence)
    assert not Calendar.objects.exists()
    assert rung == []


def test_a_calendar_in_use_keeps_enough_opening_time_for_its_promises(
    office: dict[str, Client], quiet_cast: Cast, rung: list[str]
) -> None:
    calendar = Calendar.objects.create(name="Office")
    Topic.objects.filter(pk=quiet_cast.topic.pk).update(calendar=calendar, promise_hours=500)
    one_hour_a_week = form_of([(0, "09:00", "10:00")])
    response = office["administrator"].post(f"{PATH}{calendar.pk}/change/", one_hour_a_week)
    assert refused(response, "a promise of 500 working hours would never be due")
    assert not calendar.slots.exists()


def test_a_topic_that_promises_by_a_calendar_that_never_opens_is_refused(
    office: dict[str, Client], quiet_cast: Cast, rung: list[str]
) -> None:
    never = Calendar.objects.create(name="Never")
    response = save_topic(office["administrator"], quiet_cast.topic, calendar=never.pk)
    assert refused(response, "a promise of 24 working hours would never be due")
    quiet_cast.topic.refresh_from_db()
    assert quiet_cast.topic.calendar is None
    assert rung == []


def test_a_question_under_a_calendar_that_never_opens_is_not_lost(quiet_cast: Cast) -> None:
    quiet_cast.topic.calendar = Calendar.objects.create(name="Never")
    quiet_cast.topic.save()
    round_ = make_question(quiet_cast, topic=quiet_cast.topic).current_round
    assert round_.due_at - round_.started_at == timedelta(hours=24)


def test_a_saved_topic_and_a_saved_calendar_reach_the_promises_that_run(
    office: dict[str, Client], quiet_cast: Cast, rung: list[str]
) -> None:
    make_question(quiet_cast, topic=quiet_cast.topic)
    assert save_topic(office["administrator"], quiet_cast.topic, promise_hours=12).status_code == 302
    assert rung == ["questions.tasks.adopt_policies"]
    tasks.adopt_policies()
    round_ = Round.objects.get()
    assert round_.due_at - round_.started_at == timedelta(hours=12)

    calendar = Calendar.objects.create(name="Office", country="")
    slot = CalendarSlot.objects.create(calendar=calendar, weekday=0, starts_minute=540, ends_minute=1440)
    assert save_topic(office["administrator"], quiet_cast.topic, promise_hours=12, calendar=calendar.pk).status_code == 302
    tasks.adopt_policies()
    monday = Round.objects.get().due_at
    assert monday.astimezone(rounds.week_of(calendar).zone).weekday() == 0

    form = form_of([(2, "09:00", "24:00")], country="") | {"slots-INITIAL_FORMS": 1, "slots-0-id": slot.pk}
    response = office["administrator"].post(f"{PATH}{calendar.pk}/change/", form)
    assert response.status_code == 302, response.context["errors"]
    assert rung == ["questions.tasks.adopt_policies"] * 3
    tasks.adopt_policies()
    wednesday = Round.objects.get().due_at
    assert wednesday.astimezone(rounds.week_of(calendar).zone).weekday() == 2


def test_what_says_nothing_about_the_promise_rings_for_nothing(
    office: dict[str, Client], quiet_cast: Cast, rung: list[str]
) -> None:
    assert save_topic(office["administrator"], quiet_cast.topic, name_en="Bills").status_code == 302
    assert rung == []


def test_the_desk_only_looks_at_calendars(office: dict[str, Client]) -> None:
    assert office["duty_desk"].post(PATH + "add/", form_of(OFFICE)).status_code == 403
    assert not Calendar.objects.exists()
