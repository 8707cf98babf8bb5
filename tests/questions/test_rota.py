"""Only the person on duty is woken; with nobody on duty work waits for the next, and the asker hears when."""

from datetime import timedelta
from typing import Any

import pytest

from backend import clock
from notifications.models import Notification
from people.models import Absence, Person
from questions import duty
from questions.models import DutyShift, Question
from tests.conftest import Cast, api, ask, later, mails, person, post, text, texts, work
from tests.questions.test_ask_back import fresh
from tests.questions.test_duty_desk import STRANGE


@pytest.fixture
def erik(cast: Cast) -> Person:
    return person("E6", "Erik Evers", "duty_desk")


def on_duty(who: Person, hours_from: float, hours_to: float) -> DutyShift:
    now = clock.now()
    return DutyShift.objects.create(
        person=who, starts_at=now + timedelta(hours=hours_from), ends_at=now + timedelta(hours=hours_to)
    )


def heard(who: Person) -> int:
    return sum(STRANGE in body for body in mails(who))


def test_only_who_is_on_duty_hears_of_it(cast: Cast, erik: Person) -> None:
    on_duty(erik, -1, 1)
    on_duty(cast.dana, 1, 9)
    ask(cast.alice, STRANGE)
    assert (heard(erik), heard(cast.dana)) == (1, 0)


def test_without_any_rota_all_of_the_desk_does(cast: Cast, erik: Person) -> None:
    ask(cast.alice, STRANGE)
    assert (heard(erik), heard(cast.dana)) == (1, 1)


def test_between_duties_it_waits_and_the_asker_hears_until_when(cast: Cast, erik: Person) -> None:
    on_duty(cast.dana, 5, 9)
    before = len(texts(cast.alice))
    question = ask(cast.alice, STRANGE)
    assert (heard(erik), heard(cast.dana)) == (0, 0)
    [_received, told] = texts(cast.alice)[before:]
    assert "Een collega kijkt eerst naar" in told
    expected = fresh(question).expected_at
    assert expected is not None
    assert expected > clock.now() + timedelta(hours=5)
    work()
    assert len(texts(cast.alice)) == before + 2
    later(hours=5, seconds=1)
    work()
    assert (heard(erik), heard(cast.dana)) == (0, 1)
    assert Notification.objects.filter(event="question_waits_for_duty").count() == 1


def test_somebody_on_duty_who_is_away_does_not_swallow_it(cast: Cast, erik: Person) -> None:
    on_duty(cast.dana, -1, 5)
    now = clock.now()
    Absence.objects.create(person=cast.dana, starts_at=now - timedelta(hours=2), ends_at=now + timedelta(days=2))
    ask(cast.alice, STRANGE)
    assert (heard(erik), heard(cast.dana)) == (1, 0)


def test_a_new_earlier_duty_gets_what_waits(cast: Cast, erik: Person) -> None:
    on_duty(cast.dana, 40, 48)
    ask(cast.alice, STRANGE)
    now = clock.now()
    body = {"person": str(erik.pk), "starts_at": str(now + timedelta(hours=1)), "ends_at": str(now + timedelta(hours=3))}
    assert post(api(cast.dana), "/desk/rota", body, key="shift-new-1").status_code == 201
    later(hours=1, seconds=1)
    work()
    assert (heard(erik), heard(cast.dana)) == (1, 0)


def test_a_company_without_a_desk_does_not_spin(cast: Cast) -> None:
    Person.objects.filter(pk=cast.dana.pk).update(roles=["employee"])
    question = ask(cast.alice, STRANGE)  # comes to rest
    due = fresh(question).desk_due_at
    assert due is not None
    assert due > clock.now() + timedelta(minutes=30)
    assert duty.due_ids(10) == []


def test_who_took_it_and_is_off_duty_does_not_keep_it_from_who_is_on(cast: Cast, erik: Person) -> None:
    on_duty(cast.dana, -1, 1)
    on_duty(erik, 1, 9)
    question = ask(cast.alice, STRANGE)
    assert post(api(cast.dana), f"/desk/items/{question.pk}/take").status_code == 200
    assert post(api(erik), f"/desk/items/{question.pk}/take").json()["code"] == "taken"
    later(hours=2)
    assert post(api(erik), f"/desk/items/{question.pk}/take").status_code == 200
    assert post(api(cast.dana), f"/desk/items/{question.pk}/take").json()["code"] == "taken"
    assert fresh(question).desk_holder == erik


def shift(who: Person, first: float = 1, last: float = 9, **other: Any) -> dict[str, Any]:
    at = clock.now()
    times = {"starts_at": str(at + timedelta(hours=first)), "ends_at": str(at + timedelta(hours=last))}
    return {"person": str(who.pk), **times, **other}


def test_the_rota_is_kept_by_the_desk(cast: Cast, erik: Person) -> None:
    made = post(api(cast.dana), "/desk/rota", shift(erik), key="shift-0001").json()
    assert made["name"] == "Erik Evers"
    assert [one["id"] for one in api(erik).get("/api/v1/desk/rota").json()] == [made["id"]]
    text(erik, "DIENST")
    work()
    assert len(texts(erik)[-1].splitlines()) == 1
    assert " - " in texts(erik)[-1]
    for _once_more, status in ((0, 204), (1, 404)):
        assert api(erik).delete(f"/api/v1/desk/rota/{made['id']}").status_code == status
    text(erik, "DUTY")
    work()
    assert "geen dienst" in texts(erik)[-1]


def test_the_same_beginning_again_is_the_same_duty_with_another_end(cast: Cast, erik: Person) -> None:
    body = shift(erik)
    post(api(cast.dana), "/desk/rota", body, key="shift-0001")
    longer = {**body, "ends_at": shift(erik, last=12)["ends_at"]}
    post(api(cast.dana), "/desk/rota", longer, key="shift-0002")
    row = DutyShift.objects.get()
    assert row.ends_at - row.starts_at > timedelta(hours=10)


@pytest.mark.parametrize("wrong", ["naive", "backwards", "a fortnight", "not of the desk"])
def test_what_is_no_duty(cast: Cast, erik: Person, wrong: str) -> None:
    body = {
        "naive": shift(erik, starts_at="2030-01-01T08:00:00", ends_at="2030-01-01T12:00:00"),
        "backwards": shift(erik, 9, 1),
        "a fortnight": shift(erik, 1, 24 * 14),
        "not of the desk": shift(cast.bob),
    }[wrong]
    response = post(api(cast.dana), "/desk/rota", body, key="shift-wrong-1")
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert not DutyShift.objects.exists()
    assert post(api(cast.bob), "/desk/rota", shift(erik), key="shift-bob-1").status_code == 403


def test_each_occasion_of_a_round_is_told_after_a_night(cast: Cast) -> None:
    on_duty(cast.dana, 5, 6)
    on_duty(cast.dana, 10, 11)
    question = ask(cast.alice, STRANGE)
    later(hours=5, seconds=1)
    work()
    assert heard(cast.dana) == 1
    post(api(cast.dana), f"/desk/items/{question.pk}/topic", {"topic": "billing"})
    work()
    later(hours=2)  # off duty again
    post(api(cast.bob), f"/assignments/{question.assignments.get().pk}/decline", {"reason": "not_my_topic"})
    work()
    assert Question.objects.get(pk=question.pk).state == "triage"
    later(hours=3, seconds=1)
    work()
    assert heard(cast.dana) == 2
