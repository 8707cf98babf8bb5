"""An absence is made shorter or longer by who is away; nobody touches a colleague's."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from backend import clock
from people.models import Absence
from tests.conftest import Cast, api

HOUR = timedelta(hours=1)


def patch(who: Any, absence: Absence, ends_at: datetime | str) -> tuple[int, str]:
    value = ends_at if isinstance(ends_at, str) else ends_at.isoformat()
    response = api(who).patch(f"/api/v1/me/absences/{absence.pk}", {"ends_at": value}, "application/json")
    return response.status_code, response.json().get("code", "")


@pytest.fixture
def running(quiet_cast: Cast) -> Absence:
    now = clock.now()
    return Absence.objects.create(person=quiet_cast.bob, starts_at=now - HOUR, ends_at=now + 9 * HOUR, begun_at=now)


def test_back_earlier_and_later_than_said(quiet_cast: Cast, running: Absence) -> None:
    wanted = clock.now() + 2 * HOUR
    assert patch(quiet_cast.bob, running, wanted) == (200, "")
    assert patch(quiet_cast.bob, running, wanted + HOUR) == (200, "")
    running.refresh_from_db()
    assert (running.ends_at, running.over_at) == (wanted + HOUR, None)
    assert patch(quiet_cast.bob, running, clock.now()) == (200, "")
    running.refresh_from_db()
    assert running.over_at is not None
    assert patch(quiet_cast.bob, running, wanted) == (422, "invalid")  # it is over: say a new one


def test_what_cannot_be(quiet_cast: Cast, running: Absence) -> None:
    bob, now = quiet_cast.bob, clock.now()
    Absence.objects.create(person=bob, starts_at=now + 20 * HOUR, ends_at=now + 30 * HOUR)
    assert patch(bob, running, running.starts_at) == (422, "invalid")
    assert patch(bob, running, "2026-07-01T00:00:00") == (422, "invalid")
    assert patch(bob, running, now + 21 * HOUR) == (409, "absence_overlaps")
    assert patch(quiet_cast.charlie, running, now + HOUR) == (404, "not_found")
    running.refresh_from_db()
    assert running.ends_at > now + 8 * HOUR
