"""The kept-rate by topic and week, with and without pauses."""

from datetime import UTC, date, datetime, timedelta

from django.test import Client

from questions import intake, reports
from questions.models import Question, Round
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, person

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
H = timedelta(hours=1)


def settled(
    cast: Cast, number: int, due_at: datetime, verdict: str, *, answered: timedelta, paused: timedelta = 0 * H
) -> None:
    """A round due at `due_at`, of which `paused` was waiting, answered this long before it was due."""
    question = intake.submit(
        cast.alice, f"Vraag {number}", request_key=f"q{number}", source="api", received_at=due_at - 24 * H - paused
    )
    Question.objects.filter(pk=question.pk).update(topic=cast.topic if number % 2 == 0 else None)
    Round.objects.filter(question=question).update(
        due_at=due_at,
        unpaused_due_at=due_at - paused,
        verdict=verdict,
        settled_at=None if not verdict else due_at - answered if verdict == "kept" else due_at,
    )


def test_by_topic_and_week_with_and_without_pauses(quiet_cast: Cast) -> None:
    settled(quiet_cast, 0, MONDAY, "kept", answered=H)
    settled(quiet_cast, 2, MONDAY + 24 * H, "kept", answered=H, paused=10 * H)  # without its pause it had been late
    settled(quiet_cast, 4, MONDAY + 48 * H, "kept", answered=11 * H, paused=10 * H)
    settled(quiet_cast, 6, MONDAY + 72 * H, "breached", answered=0 * H)
    settled(quiet_cast, 8, MONDAY + 96 * H, "", answered=0 * H)  # still runs
    settled(quiet_cast, 10, MONDAY + 96 * H, "void", answered=0 * H)
    settled(quiet_cast, 1, MONDAY, "breached", answered=0 * H)
    settled(quiet_cast, 12, MONDAY - 24 * H, "kept", answered=H)  # Sunday: the week before
    found = reports.kept_rates(MONDAY - timedelta(days=20), MONDAY + timedelta(days=20))
    rows = [(one.week, one.topic, one.settled, one.kept, one.kept_without_pauses) for one in found]
    assert rows == [
        (date(2026, 3, 2), "", 1, 0, 0),
        (date(2026, 3, 2), "billing", 4, 3, 2),
        (date(2026, 2, 23), "billing", 1, 1, 1),
    ]
    assert (found[1].rate, found[1].rate_without_pauses) == (0.75, 0.5)


def test_a_round_from_before_pauses_were_kept_counts_by_its_due_time(quiet_cast: Cast) -> None:
    settled(quiet_cast, 0, MONDAY, "kept", answered=H)
    Round.objects.update(unpaused_due_at=None)
    [row] = reports.kept_rates(MONDAY - H, MONDAY + H)
    assert (row.kept, row.kept_without_pauses) == (1, 1)


def test_the_back_office_shows_the_last_weeks_to_those_who_run_it(quiet_cast: Cast) -> None:
    from backend import clock

    settled(quiet_cast, 0, clock.now() - H, "kept", answered=H)
    page = signed_in(person("E12", "Petra Prins", "programme_manager")).get("/admin/").content.decode()
    assert "Promises kept" in page
    assert "100 %" in page
    assert Client().get("/admin/").status_code == 302
