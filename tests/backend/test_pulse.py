"""What stands still shows in the health endpoint, and the operator hears it once, and once that it is over."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from backend import clock, health, pulse, tasks
from backend.celery import app, timetable
from backend.models import Heartbeat, Incident
from questions.models import Round
from tests.conftest import Cast, ask, in_parallel, later, letters

OPERATOR = "operator@vonkmobiel.example"


@pytest.fixture(autouse=True)
def _operator(settings: Any) -> None:
    settings.OPERATOR_EMAIL = OPERATOR


def seen(name: str, seconds_ago: float) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": clock.real() - timedelta(seconds=seconds_ago)})


def all_live() -> None:
    for name in pulse.NEEDED:
        seen(name, 1)


def shown() -> dict[str, Any]:
    response = Client().get("/api/v1/health")
    assert response.status_code == 200  # requests are served: no load balancer shall take this server out
    found: dict[str, Any] = response.json()
    return found


def stale() -> set[str]:
    return {one["name"] for one in (*shown()["parts"], *shown()["queues"]) if one["stale"]}


def told() -> list[str]:
    return [letter.subject for letter in letters(OPERATOR)]


def watch() -> None:
    pulse.watch(health.queues_that_wait)


def test_what_is_silent_for_four_pulses_is_stale_and_requests_are_served(db: None) -> None:
    all_live()
    assert (shown()["status"], stale()) == ("ok", set())
    seen("worker", settings.PULSE_SECONDS * 4 + 1)
    assert (shown()["status"], stale()) == ("degraded", {"worker"})
    [worker] = [part for part in shown()["parts"] if part["name"] == "worker"]
    assert 60 < worker["age_seconds"] < 70


def test_a_part_that_never_came_is_missed_and_mail_in_is_not(db: None) -> None:
    pulse.expect()
    Heartbeat.objects.update(at=clock.real() - timedelta(minutes=5))
    assert stale() == set(pulse.NEEDED)


def test_a_part_that_was_taken_away_is_forgotten_after_a_week(db: None) -> None:
    all_live()
    seen("mail-in", 6 * 86400)
    assert stale() == {"mail-in"}
    seen("mail-in", 8 * 86400)
    assert stale() == set()


def test_the_timetable_lives_by_a_task_that_beat_rings_and_a_worker_runs(db: None) -> None:
    timetable(app)
    assert "backend.tasks.keep_timetable" in app.conf.beat_schedule
    tasks.keep_timetable()
    assert [part.name for part in pulse.parts(clock.real())] == [pulse.TIMETABLE]


def test_a_moved_clock_makes_nobody_stale(db: None) -> None:
    all_live()
    later(days=3)
    assert stale() == set()


def test_the_pulse_stamps_its_own_kind_and_expects_the_others(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class OnePulse(Exception):
        pass

    def stop(*_: object) -> None:
        raise OnePulse

    monkeypatch.setattr("threading.Event.wait", stop)
    monkeypatch.setattr(pulse, "close_old_connections", lambda: None)
    with pytest.raises(OnePulse):
        pulse._run("mail-in", None)
    assert set(Heartbeat.objects.values_list("name", flat=True)) == {"mail-in", *pulse.NEEDED}


def test_the_operator_hears_it_once_from_many_watchers_and_once_that_it_is_over(cast: Cast) -> None:
    all_live()
    seen("worker", 300)
    seen("beat", 300)
    for _look in range(3):
        assert in_parallel(6, lambda _n: watch()) == [None] * 6
    assert sorted(told()) == ["Let op: beat", "Let op: worker"]
    all_live()
    for _look in range(3):
        in_parallel(6, lambda _n: watch())
    assert sorted(told()) == ["Alles weer goed: beat", "Alles weer goed: worker", "Let op: beat", "Let op: worker"]
    seen("worker", 300)
    watch()
    assert told().count("Let op: worker") == 2  # a new incident is told anew


def test_a_mail_that_did_not_leave_is_tried_again(cast: Cast, settings: Any) -> None:
    all_live()
    seen("worker", 300)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    watch()
    assert not Incident.objects.exists()
    settings.EMAIL_PORT = port
    watch()
    assert told() == ["Let op: worker"]


def test_without_an_operators_address_the_log_is_told(db: None, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.OPERATOR_EMAIL = ""
    all_live()
    seen("worker", 300)
    watch()
    watch()
    assert [record.levelname for record in caplog.records if "incident worker" in record.message] == ["ERROR"]


def test_a_queue_that_waits_too_long_is_an_incident_though_everybody_lives(cast: Cast) -> None:
    question = ask(cast.alice)
    all_live()
    assert stale() == set()
    Round.objects.filter(question=question).update(next_step_at=clock.now() - timedelta(minutes=11))
    [promises] = [queue for queue in shown()["queues"] if queue["name"] == "promises"]
    assert (promises["due"], promises["stale"]) == (1, True)
    assert 660 <= promises["oldest_seconds"] < 700
    watch()
    pulse.watch()  # mail in looks at no queue: it can neither tell nor end this
    assert told() == ["Let op: queue:promises"]
    Round.objects.update(next_step_at=None)
    pulse.watch()
    assert Incident.objects.count() == 1
    watch()
    assert told()[-1] == "Alles weer goed: queue:promises"


def test_each_queue_is_looked_at_by_the_index_of_its_sweep(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for table, due, condition, _real in health.QUEUES.values():
            rows = f"SELECT {due} FROM {table} WHERE {condition} AND {due} <= now() ORDER BY {due} LIMIT 9"  # noqa: S608
            cursor.execute(f"EXPLAIN {rows}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Index" in plan, plan
            assert "Sort" not in plan, plan
