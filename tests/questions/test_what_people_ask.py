"""A week's questions in groups, for the programme manager."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend import clock
from people.models import Person
from questions import asked, intake, tasks
from questions.models import AskedGroup, AskedWeek, Question, Topic
from tests.conftest import Cast, api, in_parallel, person

MONDAY = datetime(2026, 11, 16, 10, tzinfo=UTC)  # of the week that is grouped
NOW = MONDAY + timedelta(days=7)
BILLS = (
    "Waarom is mijn rekening deze maand zo hoog?",
    "Waarom is de rekening van mijn broer deze maand zo hoog?",
    "Waarom is haar rekening deze maand zo hoog, zij heeft 06-12345678",
)
PAYING = ("Hoe betaal ik mijn factuur?", "Hoe kan ik mijn factuur betalen?")


@pytest.fixture
def manager(quiet_cast: Cast) -> Person:
    clock.move(NOW - clock.now())
    return person("E12", "Petra Prins", "programme_manager", language="en")


def put(cast: Cast, text: str, at: datetime, *, topic: Topic | None = None, confidential: bool = False) -> Question:
    number = Question.objects.count()
    return intake.submit(
        cast.alice,
        text,
        request_key=f"asked-{number}",
        source="sms",
        received_at=at,
        topic=topic or cast.topic,
        confidential=confidential,
    )


def read(who: Person, **query: str) -> Any:
    response = api(who).get("/api/v1/asked", query)
    assert response.status_code == 200, response.content
    return response.json()


def test_similar_questions_stand_together_with_their_share_and_change(quiet_cast: Cast, manager: Person) -> None:
    for number, text in enumerate((*BILLS, *PAYING)):
        put(quiet_cast, text, MONDAY + timedelta(hours=number))
    put(quiet_cast, "Mijn tante verhuist naar Spanje.", MONDAY)
    put(quiet_cast, BILLS[0], MONDAY - timedelta(days=7))
    tasks.group_questions()
    found = read(manager)
    assert found["week"] == "2026-11-16"
    assert [(group["count"], group["share"], group["previous_count"], group["change"]) for group in found["groups"]] == [
        (3, 0.5, 1, 2),
        (2, 0.3333, 0, 2),
    ]
    assert found["groups"][0]["topic"] == {"slug": "billing", "name": "Billing"}
    assert found["groups"][1]["text"] in PAYING
    assert "Spanje" not in str(found)  # what one person asked is that person's


def test_texts_are_masked_and_confidential_ones_left_out(quiet_cast: Cast, manager: Person) -> None:
    for number in range(2):
        put(quiet_cast, BILLS[2], MONDAY + timedelta(hours=number))
        put(quiet_cast, "Ik heb schulden en word afgesloten, wat nu?", MONDAY, confidential=True)
    nonsense = put(quiet_cast, BILLS[2], MONDAY)
    Question.objects.filter(pk=nonsense.pk).update(state="closed", close_reason="not_a_question")
    tasks.group_questions()
    [group] = read(manager)["groups"]
    assert group["count"] == 2
    assert "•••" in group["text"]
    assert "12345678" not in str(AskedGroup.objects.values_list("text", flat=True))


def test_topics_are_kept_apart_and_the_week_is_the_companys(quiet_cast: Cast, manager: Person) -> None:
    roaming = Topic.objects.get(slug="roaming")
    start = datetime(2026, 11, 15, 23, tzinfo=UTC)  # Monday 0:00 in Amsterdam
    put(quiet_cast, BILLS[0], start - timedelta(seconds=1))
    put(quiet_cast, BILLS[0], start)
    put(quiet_cast, BILLS[0], start + timedelta(days=7) - timedelta(seconds=1))
    put(quiet_cast, BILLS[0], start + timedelta(days=7))
    put(quiet_cast, BILLS[0], MONDAY, topic=roaming)
    tasks.group_questions()
    [group] = read(manager)["groups"]
    assert (group["topic"]["slug"], group["count"], group["previous_count"]) == ("billing", 2, 1)


def test_a_week_is_grouped_once(quiet_cast: Cast, manager: Person) -> None:
    put(quiet_cast, BILLS[0], MONDAY)
    put(quiet_cast, BILLS[0], MONDAY)
    assert asked.group_last_week()
    before = list(AskedGroup.objects.values())
    put(quiet_cast, BILLS[0], MONDAY)  # a message that was handled late
    with CaptureQueriesContext(connection) as captured:
        assert not asked.group_last_week()
    assert len(captured) == 1
    assert list(AskedGroup.objects.values()) == before


def test_two_workers_at_once_group_it_once(committed: None) -> None:
    from tests.conftest import make_cast

    cast = make_cast()
    clock.move(NOW - clock.now())
    for _two in range(2):
        put(cast, BILLS[0], MONDAY)
    results = in_parallel(4, lambda _number: asked.group_last_week())
    assert sorted(map(str, results)) == ["False", "False", "False", "True"]
    assert (AskedWeek.objects.count(), AskedGroup.objects.count()) == (1, 1)


def test_only_programme_managers_read_it(quiet_cast: Cast, manager: Person) -> None:
    tasks.group_questions()
    for who in (quiet_cast.alice, quiet_cast.bob, quiet_cast.dana):
        response = api(who).get("/api/v1/asked")
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed")
    assert read(manager, week="2026-11-19")["groups"] == []
    assert api(manager).get("/api/v1/asked", {"week": "2026-11-09"}).status_code == 404


def test_reading_costs_three_queries_for_any_number_of_groups(quiet_cast: Cast, manager: Person) -> None:
    for text in (*BILLS, *PAYING):
        put(quiet_cast, text, MONDAY)
    tasks.group_questions()
    client = api(manager)
    with CaptureQueriesContext(connection) as captured:
        client.get("/api/v1/asked")
    assert len(captured) == 3


def test_groups_are_the_same_in_any_run_and_every_row_is_in_one() -> None:
    rows = np.random.default_rng(3).normal(size=(60, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = asked.groups(rows, near=0.6)
    assert found == asked.groups(rows.copy(), near=0.6)
    assert sorted(member for group in found for member in group.members) == list(range(60))
    assert all(group.representative in group.members for group in found)
    assert [len(group.members) for group in found] == sorted((len(group.members) for group in found), reverse=True)
    assert all(rows[group.representative] @ rows[member] >= 0.59 for group in found for member in group.members)
    assert asked.groups(np.zeros((0, 8), np.float32)) == []
