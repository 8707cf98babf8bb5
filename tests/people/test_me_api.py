"""My profile and my absences."""

from datetime import timedelta
from typing import Any

from backend import clock
from people.models import Absence
from tests.conftest import Cast, api, post


def test_me_costs_few_queries(quiet_cast: Cast, django_assert_num_queries: Any) -> None:
    client = api(quiet_cast.alice)
    with django_assert_num_queries(1):  # token and person in one; Alice has no team
        assert client.get("/api/v1/me").json()["employee_number"] == "E1"


def test_language_and_zone_can_be_changed_and_nothing_else(quiet_cast: Cast) -> None:
    client = api(quiet_cast.alice)
    body = {"language": "en", "time_zone": "Europe/London", "name": "Queen"}
    changed = client.patch("/api/v1/me", body, "application/json").json()
    assert (changed["language"], changed["time_zone"], changed["name"]) == ("en", "Europe/London", "Alice Achterberg")
    assert client.patch("/api/v1/me", {"time_zone": "Mars/Base"}, "application/json").status_code == 422


def test_an_absence_is_added_once_and_may_not_overlap(cast: Cast) -> None:
    client, now = api(cast.bob), clock.now()
    body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=2)).isoformat(), "stand_in": None}
    for _twice in range(2):
        assert post(client, "/me/absences", body, key="absence-1").status_code == 201
    assert Absence.objects.count() == 1
    again = post(client, "/me/absences", body, key="absence-2")
    assert (again.status_code, again.json()["code"]) == (409, "absence_overlaps")
    [listed] = client.get("/api/v1/me/absences").json()
    assert api(cast.alice).delete(f"/api/v1/me/absences/{listed['id']}").status_code == 404
    assert client.delete(f"/api/v1/me/absences/{listed['id']}").status_code == 204
    assert not Absence.objects.exists()


def test_an_absence_in_the_past_or_with_a_strange_stand_in_is_refused(cast: Cast) -> None:
    client, now = api(cast.bob), clock.now()
    past = {"starts_at": (now - timedelta(days=2)).isoformat(), "ends_at": (now - timedelta(days=1)).isoformat()}
    assert post(client, "/me/absences", past, key="absence-3").status_code == 422
    own = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=1)).isoformat(), "stand_in": str(cast.bob.pk)}
    assert post(client, "/me/absences", own, key="absence-4").status_code == 422
