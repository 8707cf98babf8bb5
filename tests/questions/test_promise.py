"""Steps once a round, the highest after an outage, a breach at its true time and none while an answer waits."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from backend import clock
from notifications.models import Notification
from questions import promise, rounds
from questions.models import Event, Question, Round
from tests.conftest import Cast, api, ask, in_parallel, later, mail, offer_of, reply_to, text, texts, work

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DUE = START + timedelta(hours=24)


@pytest.mark.parametrize(
    ("hours", "done", "reached", "following"),
    [
        (0, 0, 0, 12),
        (11.99, 0, 0, 12),
        (12, 0, 1, 18),
        (13, 1, 0, 18),
        (18, 1, 2, 21.6),
        (23, 0, 3, 24),
        (24, 3, 0, 24),
        (24.001, 3, 4, None),
        (100, 0, 4, None),
        (100, 4, 0, None),
    ],
)
def test_the_highest_step_reached_and_when_to_look_again(
    hours: float, done: int, reached: int, following: float | None
) -> None:
    steps_at = [START + timedelta(hours=step) for step in (12, 18, 21.6)]
    found = promise.next_step(steps_at, DUE, done, START + timedelta(hours=hours))
    assert found == (reached, None if following is None else START + timedelta(hours=following))


def _kinds(question: Question) -> list[str]:
    return list(question.events.values_list("kind", flat=True))


def test_each_step_happens_once_however_often_the_sweep_runs(cast: Cast) -> None:
    question = ask(cast.alice)
    for _hour in range(30):
        later(hours=1)
        in_parallel(3, lambda _n: promise.run_due())
    work()
    steps = [kind for kind in _kinds(question) if kind in rounds.NAMES.values()]
    assert sorted(steps) == sorted(rounds.NAMES.values())
    assert Notification.objects.filter(event="promise_broken").count() == 1


def test_a_worker_that_was_away_speaks_once_with_the_highest_step(cast: Cast) -> None:
    question = ask(cast.alice)
    due_at = question.current_round.due_at
    before = len(texts(cast.alice))
    later(hours=25)
    work()
    round_ = Round.objects.get()
    assert (round_.verdict, round_.settled_at) == ("breached", due_at)
    skipped = Event.objects.filter(question=question, data__skipped=True).values_list("kind", flat=True)
    assert set(skipped) == {"reminded", "swarmed", "desk_told"}
    assert Event.objects.get(question=question, kind="breached").at == due_at
    assert len(texts(cast.alice)) == before + 1
    assert not Notification.objects.filter(event__in=["question_reminder", "question_nearly_due"]).exists()
    work()
    assert len(texts(cast.alice)) == before + 1


def test_no_breach_for_an_answer_that_was_waiting_in_the_queue(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=23)
    text(cast.bob, "ANTW " + _code(cast, question) + " Op tijd gestuurd, te laat gelezen.")
    later(hours=2)
    promise.run_due()
    assert Round.objects.get().verdict == ""
    assert "breached" not in _kinds(question)
    later(minutes=1)
    work()
    round_ = Round.objects.get()
    assert round_.verdict == "kept"
    assert "breached" not in _kinds(question)


def _code(cast: Cast, question: Question) -> str:
    from tests.conftest import code_of

    return code_of(cast.bob, offer_of(question).item)


def test_a_mailed_answer_that_waits_holds_the_breach_back_too(cast: Cast) -> None:
    question = ask(cast.alice)
    assignment = offer_of(question)
    later(hours=23)
    mail(str(cast.bob.email), reply_to(assignment), "Op tijd.")
    later(hours=2)
    promise.run_due()
    assert Round.objects.get().verdict == ""
    later(minutes=1)
    work()
    assert Round.objects.get().verdict == "kept"


def test_an_answer_exactly_at_the_due_time_is_kept_and_later_is_breached_for_ever(cast: Cast) -> None:
    from questions import answering

    question = ask(cast.alice)
    due_at = question.current_round.due_at
    answering.answer(cast.bob, offer_of(question).pk, "Precies.", received_at=due_at, source="api")
    assert Round.objects.get().verdict == "kept"
    other = ask(cast.alice, "Waarom is de rekening van mijn broer zo hoog?")
    late = other.current_round.due_at + timedelta(microseconds=1)
    answering.answer(offer_of(other).expert, offer_of(other).pk, "Te laat.", received_at=late, source="api")
    round_ = Round.objects.get(question=other)
    assert (round_.verdict, round_.settled_at) == ("breached", other.current_round.due_at)


def test_overdue_shows_on_reads_while_no_worker_runs(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=25)
    shown = api(cast.alice).get(f"/api/v1/questions/{question.pk}").json()
    assert shown["promise"]["status"] == "overdue"
    assert Round.objects.get().verdict == ""


def test_the_promise_counts_from_receipt_and_not_from_handling(cast: Cast) -> None:
    received = clock.now()
    text(cast.alice, "VRAAG Waarom is de rekening zo hoog?")
    later(hours=3)
    work()
    started = Round.objects.get().started_at
    assert abs(started - received) < timedelta(minutes=1)


def test_a_row_that_breaks_does_not_keep_the_others_waiting(cast: Cast) -> None:
    first, second = ask(cast.alice), ask(cast.alice, "Nog een rekening vraag?")
    with connection.cursor() as cursor:  # poison: reminding the holder of the first one fails in the database
        cursor.execute(
            f"CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.question_id = '{first.pk}'"
            " THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER poison BEFORE INSERT ON questions_event FOR EACH ROW EXECUTE FUNCTION poison()"
        )
    later(hours=12, minutes=1)
    promise.run_due()
    assert "reminded" not in _kinds(first)
    assert "reminded" in _kinds(second)


@pytest.mark.parametrize("hours", [4, 48])
def test_a_topic_that_promises_other_hours_is_held_to_them(cast: Cast, hours: int) -> None:
    cast.topic.promise_hours = hours
    cast.topic.save()
    question = ask(cast.alice)
    round_ = Round.objects.get()
    assert round_.due_at - round_.started_at == timedelta(hours=hours)
    later(hours=hours / 2, seconds=1)
    work()
    assert "reminded" in _kinds(question)
    assert "swarmed" not in _kinds(question)
