"""A topic's policy, its topic or a calendar changes: promises that run follow, and what has happened stays."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection

from backend import clock
from notifications.models import Notification
from questions import answering, calendars, promise, rounds, tasks
from questions.models import Calendar, CalendarSlot, Closure, Event, Question, Round, Topic
from tests.conftest import Cast, ask, later, offer_of, work

H = timedelta(hours=1)


def promises(topic: Topic, hours: int, calendar: Calendar | None = None) -> None:
    """Changed past the back office: no ring. The sweep has to find it."""
    Topic.objects.filter(pk=topic.pk).update(promise_hours=hours, calendar=calendar)
    tasks.adopt_policies()


def office_hours() -> Calendar:
    calendar = Calendar.objects.create(name="Office", country="")
    CalendarSlot.objects.bulk_create(
        CalendarSlot(calendar=calendar, weekday=day, starts_minute=540, ends_minute=1020) for day in range(7)
    )
    return calendar


def length() -> timedelta:
    round_ = Round.objects.get()
    return round_.due_at - round_.started_at


def changes(question: Question) -> list[Event]:
    return list(Event.objects.filter(question=question, kind="promise_changed"))


def test_a_lost_ring_is_found_by_the_sweep_with_an_event_of_before_and_after(cast: Cast) -> None:
    question = ask(cast.alice)
    before = question.current_round.due_at
    promises(cast.topic, 48)
    round_ = Round.objects.get()
    assert round_.due_at == before + 24 * H
    assert round_.next_step_at == round_.steps_at[0] == round_.started_at + 24 * H
    [event] = changes(question)
    assert (event.data["before"], event.data["after"]) == (before.isoformat(), round_.due_at.isoformat())
    tasks.adopt_policies()
    assert len(changes(question)) == 1


def test_a_change_that_moves_nothing_is_no_event(cast: Cast) -> None:
    question = ask(cast.alice)
    tasks.adopt_policies()
    assert changes(question) == []
    assert rounds.behind(cast.topic) == []


@pytest.mark.parametrize("change", ["slot", "closure", "zone", "holidays"])
def test_every_change_of_a_calendar_reaches_its_promises(cast: Cast, change: str) -> None:
    calendar = office_hours()
    Topic.objects.filter(pk=cast.topic.pk).update(calendar=calendar, promise_hours=16)
    question = ask(cast.alice)
    before = Round.objects.get().due_at
    if change == "slot":
        calendar.slots.update(ends_minute=600)
    elif change == "closure":
        today = clock.now().date()
        Closure.objects.create(calendar=calendar, first_day=today, last_day=today + timedelta(days=9))
    elif change == "zone":
        Calendar.objects.filter(pk=calendar.pk).update(time_zone="America/New_York")
    else:  # a new edition of the holidays
        free = frozenset((clock.now().date() + timedelta(days=day)).toordinal() for day in range(7))
        Calendar.objects.filter(pk=calendar.pk).update(country="NL")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(calendars, "_national_holidays", lambda *_: free)
            calendars._hours_of.cache_clear()
            tasks.adopt_policies()
        calendars.forget()
    if change != "holidays":
        tasks.adopt_policies()
    due_at = Round.objects.get().due_at
    assert due_at != before
    assert (changes(question)[-1].data["before"], changes(question)[-1].data["after"]) == (
        before.isoformat(),
        due_at.isoformat(),
    )


def test_a_pause_survives_a_change_of_policy(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.ask_back(offer_of(question).expert, offer_of(question).pk, "Welke maand?", received_at=clock.now())
    later(hours=10)
    promises(cast.topic, 48)
    assert Round.objects.get().paused_at
    assert Round.objects.get().next_step_at is None
    answering.clarify(cast.alice, question.clarifications.get().pk, "Mei", received_at=clock.now())
    assert 58 * H <= length() < 58.1 * H
    assert 47.9 * H < Round.objects.get().unpaused_due_at - Round.objects.get().started_at <= 48 * H  # type: ignore[operator]
    promises(cast.topic, 24)
    assert 34 * H <= length() < 34.1 * H


def test_a_breach_stays_for_ever(cast: Cast) -> None:
    question = ask(cast.alice)
    due_at = question.current_round.due_at
    later(hours=25)
    work()
    promises(cast.topic, 480)
    round_ = Round.objects.get()
    assert (round_.verdict, round_.settled_at, round_.due_at) == ("breached", due_at, due_at)
    assert changes(question) == []


def test_a_breach_that_no_sweep_has_recorded_yet_is_not_healed_by_a_longer_promise(cast: Cast) -> None:
    question = ask(cast.alice)
    due_at = question.current_round.due_at
    later(hours=25)  # the worker was away
    promises(cast.topic, 480)
    assert Round.objects.get().due_at == due_at
    work()
    assert Round.objects.get().verdict == "breached"


def test_a_shorter_promise_breaks_none_by_itself(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=10)
    promises(cast.topic, 2)
    round_ = Round.objects.get()
    assert timedelta(0) <= clock.now() + rounds.LAST_HOUR - round_.due_at < timedelta(minutes=1)
    promise.run_due()
    assert Round.objects.get().verdict == ""
    assert Event.objects.filter(question=question, kind="desk_told", data__skipped__isnull=True).count() == 1
    skipped = Event.objects.filter(question=question, data__skipped=True).values_list("kind", flat=True)
    assert set(skipped) == {"reminded", "swarmed"}
    assert not Notification.objects.filter(event__in=["question_reminder", "promise_broken"]).exists()
    later(hours=1, minutes=1)
    promise.run_due()
    assert Round.objects.get().verdict == "breached"


def test_a_shorter_promise_never_leaves_more_than_was_left(cast: Cast) -> None:
    ask(cast.alice)
    later(hours=23, minutes=50)
    before = Round.objects.get().due_at
    for hours in (2, 3, 4):
        promises(cast.topic, hours)
    assert Round.objects.get().due_at == before


def test_steps_that_the_change_puts_in_the_past_speak_once_and_never_again(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=10)
    promises(cast.topic, 13)
    for _sweep in range(3):
        promise.run_due()
    kinds = list(question.events.filter(kind__in=rounds.NAMES.values()).values_list("kind", "data__skipped"))
    assert kinds == [("reminded", True), ("swarmed", None)]
    promises(cast.topic, 48)  # and back: what was said is not said again
    later(hours=14)
    promise.run_due()
    assert question.events.filter(kind="reminded").count() == 1


def test_working_hours_take_over_from_elapsed_ones(cast: Cast) -> None:
    ask(cast.alice)
    promises(cast.topic, 16, office_hours())
    due = Round.objects.get().due_at.astimezone(rounds.week_of(Calendar.objects.get()).zone)
    assert 9 <= due.hour < 17 or (due.hour, due.minute, due.second) == (17, 0, 0)
    assert length() > 24 * H


def test_one_row_that_breaks_keeps_no_other_from_following(cast: Cast) -> None:
    first, second = ask(cast.alice), ask(cast.alice, "Nog een rekening vraag?")
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.question_id = '{first.pk}'"
            " THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER poison BEFORE INSERT ON questions_event FOR EACH ROW EXECUTE FUNCTION poison()"
        )
    promises(cast.topic, 48)
    assert changes(first) == []
    assert len(changes(second)) == 1


@pytest.fixture(autouse=True)
def _holidays_as_they_are() -> Iterator[None]:
    yield
    calendars.forget()
