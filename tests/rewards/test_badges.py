"""Badges count facts, come once, are told, and are shown to the team only by who wants that."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.models import Notification
from people.models import Person, Team
from rewards import earning, tasks
from rewards.models import Badge, BadgeRule
from tests.conftest import Cast, api, ask, code_of, in_parallel, offer_of, post, text, texts, work


def of(who: Person) -> list[str]:
    return list(Badge.objects.filter(person=who).order_by("id").values_list("rule__slug", flat=True))


def mine(who: Person) -> dict[str, Any]:
    return {item["slug"]: item for item in api(who).get("/api/v1/badges").json()}


def team_of(who: Person) -> list[Any]:
    return list(api(who).get("/api/v1/team/badges").json()["items"])


def test_a_first_answer_earns_a_badge_that_is_told_once(cast: Cast) -> None:
    question = ask(cast.alice)
    offer = offer_of(question)
    text(offer.expert, f"ANTW {code_of(offer.expert, offer.item)} Er zat een dubbele maand in.")
    work()
    assert of(offer.expert) == ["first-answer"]
    assert of(cast.alice) == ["first-question"]
    assert [body for body in texts(cast.alice) if "badge" in body] == [
        "Je hebt een badge verdiend: Eerste vraag beantwoord."
    ]
    tasks.award_badges()
    work()
    assert Notification.objects.filter(event="badge_awarded").count() == 2


def test_the_tenth_fact_brings_it_and_the_eleventh_nothing_more(quiet_cast: Cast) -> None:
    bob = quiet_cast.bob
    for number in range(9):
        earning.record(bob, "answered", f"round:{number}")
    earning.record(bob, "answered", "round:8")
    assert of(bob) == ["first-answer"]
    assert mine(bob)["ten-answers"]["have"] == 9
    for number in (9, 10):
        earning.record(bob, "answered", f"round:{number}")
    assert of(bob) == ["first-answer", "ten-answers"]
    assert mine(bob)["ten-answers"]["awarded_at"]
    assert Notification.objects.filter(person=bob, event="badge_awarded").count() == 2


def test_a_withdrawn_fact_does_not_count_and_a_badge_stays(quiet_cast: Cast) -> None:
    bob = quiet_cast.bob
    for number in range(9):
        earning.record(bob, "answered", f"round:{number}")
    earning.withdraw(bob, "answered", "round:0")
    earning.record(bob, "answered", "round:9")
    assert of(bob) == ["first-answer"]
    for number in range(1, 10):
        earning.withdraw(bob, "answered", f"round:{number}")
    assert of(bob) == ["first-answer"]
    assert mine(bob)["first-answer"]["have"] == 0


def test_facts_that_come_at_once_bring_each_badge_once(cast: Cast) -> None:
    results = in_parallel(12, lambda number: earning.record(cast.bob, "answered", f"round:{number}"))
    assert not [result for result in results if isinstance(result, Exception)]
    tasks.award_badges()
    assert sorted(of(cast.bob)) == ["first-answer", "ten-answers"]


def test_a_new_rule_finds_what_was_done_before_it_but_not_who_has_left(quiet_cast: Cast) -> None:
    for who in (quiet_cast.bob, quiet_cast.charlie):
        for number in range(3):
            earning.record(who, "sang_a_song", f"song:{number}")
    Person.objects.filter(pk=quiet_cast.charlie.pk).update(left_on="2026-01-01")
    BadgeRule.objects.create(slug="singer", kind="sang_a_song", count=3, name_nl="Zanger", name_en="Singer")
    BadgeRule.objects.create(slug="off", kind="sang_a_song", count=1, name_nl="Uit", name_en="Off", is_active=False)
    for _time in range(2):
        tasks.award_badges()
    assert (of(quiet_cast.bob), of(quiet_cast.charlie)) == (["singer"], [])


def test_the_team_sees_only_who_opted_in_by_name_and_without_figures(quiet_cast: Cast) -> None:
    cast, team = quiet_cast, Team.objects.create(name="Winkel")
    Person.objects.filter(pk__in=[cast.alice.pk, cast.bob.pk, cast.charlie.pk]).update(team=team)
    for who, count in ((cast.alice, 1), (cast.bob, 10), (cast.charlie, 2)):
        for number in range(count):
            earning.record(who, "answered", f"{who.pk}:{number}")
    assert team_of(cast.alice) == []
    for who in (cast.bob, cast.alice, cast.dana):
        assert api(who).patch("/api/v1/me", {"shows_badges": True}, "application/json").status_code == 200
    assert [mate["name"] for mate in team_of(cast.charlie)] == ["Alice Achterberg", "Bob Bakker"]
    assert team_of(cast.charlie)[1]["badges"] == [
        {"slug": "first-answer", "name": "Eerste antwoord"},
        {"slug": "ten-answers", "name": "Vraagbaak"},
    ]
    assert set(team_of(cast.charlie)[1]) == {"id", "name", "badges"}
    api(cast.bob).patch("/api/v1/me", {"shows_badges": False}, "application/json")
    assert [mate["name"] for mate in team_of(cast.charlie)] == ["Alice Achterberg"]
    assert team_of(cast.dana) == []


def test_reading_badges_costs_few_queries(quiet_cast: Cast) -> None:
    team = Team.objects.create(name="Winkel")
    Person.objects.update(team=team, shows_badges=True)
    quiet_cast.bob.refresh_from_db()
    for number in range(10):
        earning.record(quiet_cast.bob, "answered", f"round:{number}")
    costs = []
    for path in ("badges", "team/badges"):
        with CaptureQueriesContext(connection) as queries:
            assert api(quiet_cast.bob).get(f"/api/v1/{path}").status_code == 200
        costs.append(len(queries) - 1)  # issuing the token
    assert costs == [2, 3]
    assert post(api(quiet_cast.bob), "/badges").status_code == 405
