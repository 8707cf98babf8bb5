"""Colleagues are found by name and topic, in alphabetical pages, and are reached only when they want to be."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from people.models import Person
from questions.models import Topic
from tests.conftest import Cast, api, person


def found(who: Person, **query: Any) -> list[str]:
    return [item["name"].split()[0] for item in api(who).get("/api/v1/directory", query).json()["items"]]


def test_colleagues_are_found_by_name_and_by_what_they_know(quiet_cast: Cast) -> None:
    alice = quiet_cast.alice
    assert found(alice) == ["Alice", "Bob", "Charlie", "Dana", "Mallory"]
    assert found(alice, q="aKK") == ["Bob"]
    assert found(alice, topic="billing") == ["Bob", "Charlie"]
    assert found(alice, q="reken") == ["Bob", "Charlie"]
    assert found(alice, q="coh", topic="billing") == ["Charlie"]
    assert found(alice, q="%") == []
    assert found(alice, topic="roaming") == []
    Topic.objects.filter(slug="billing").update(is_active=False)
    assert found(alice, topic="billing") == []


def test_contact_is_shown_only_of_who_opted_in_and_no_longer_when_they_opt_out(quiet_cast: Cast) -> None:
    alice, bob = api(quiet_cast.alice), api(quiet_cast.bob)

    def shown() -> list[tuple[Any, Any]]:
        items = alice.get("/api/v1/directory").json()["items"]
        return [(item["email"], item["mobile"]) for item in items if item["email"] or item["mobile"]]

    assert shown() == []
    assert bob.patch("/api/v1/me", {"shows_contact": True}, "application/json").json()["shows_contact"] is True
    assert shown() == [("bob@vonkmobiel.example", quiet_cast.bob.mobile)]
    bob.patch("/api/v1/me", {"language": "en"}, "application/json")
    assert len(shown()) == 1
    bob.patch("/api/v1/me", {"shows_contact": False}, "application/json")
    assert shown() == []


def test_pages_follow_the_alphabet_and_show_everybody_once(quiet_cast: Cast) -> None:
    for number, name in enumerate(("bea Zwart", "Bea Zwart", "Bea zwart", "Émile Ezel")):
        person(f"E{30 + number}", name, mail=False)
    alice, seen, cursor = api(quiet_cast.alice), [], None
    while True:
        page = alice.get("/api/v1/directory", {"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len({item["id"] for item in seen}) == 9
    assert [item["name"].lower() for item in seen[1:4]] == ["bea zwart"] * 3
    for wrong in ("x", "0" * 32):
        assert alice.get(f"/api/v1/directory?cursor={wrong}").status_code == 400


def test_leavers_and_strangers_are_not_in_it(quiet_cast: Cast) -> None:
    Person.objects.filter(pk=quiet_cast.bob.pk).update(left_on="2026-01-01")
    assert "Bob" not in found(quiet_cast.alice)
    assert found(quiet_cast.alice, topic="billing") == ["Charlie"]


def test_nothing_in_it_says_how_good_somebody_is(quiet_cast: Cast) -> None:
    [bob, _charlie] = api(quiet_cast.alice).get("/api/v1/directory?topic=billing").json()["items"]
    assert set(bob) == {"id", "name", "team", "topics", "email", "mobile"}
    assert bob["topics"] == [{"slug": "billing", "name": "Rekening"}]


def test_a_page_costs_three_queries_and_the_next_one_four(quiet_cast: Cast) -> None:
    alice = api(quiet_cast.alice)
    with CaptureQueriesContext(connection) as first:
        page = alice.get("/api/v1/directory?limit=2").json()
    with CaptureQueriesContext(connection) as second:
        alice.get(f"/api/v1/directory?limit=2&cursor={page['next_cursor']}")
    assert (len(first), len(second)) == (3, 4)
