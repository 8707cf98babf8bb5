"""Hundreds of open apps cost the database what one costs: one connection, and no query for who hears nothing."""

import time
from typing import Any

import pytest
import requests
from django.db import connection

from people.models import AccessToken, Person
from questions.models import Topic
from tests.conftest import Cast, ask
from tests.sync.test_events import Stream, states
from tests.sync.test_events import events as events

APPS = 300
WATCHED_SECONDS = 2.0
CONNECTIONS = 2  # the one thread that asks, and the pulse


def people(count: int) -> list[Person]:
    made = [Person(employee_number=f"S{number}", name=f"Stream {number}") for number in range(count)]
    return Person.objects.bulk_create(made)


def one(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def transactions() -> int:
    """Of everybody in this database so far: each query of the live process is one."""
    one("SELECT pg_stat_force_next_flush()::text")
    time.sleep(1.2)  # the others write down what they did at most once a second
    return int(one("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"))


def connections() -> int:
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return int(one(f"{others} AND backend_type = 'client backend'"))


@pytest.mark.heavy
def test_three_hundred_apps_cost_what_one_costs(cast: Cast, events: str) -> None:
    alice = Stream(events, AccessToken.issue(cast.alice))
    assert alice.next().name == "ready"
    before = transactions()
    time.sleep(WATCHED_SECONDS)
    with_one = transactions() - before
    crowd = [Stream(events, AccessToken.issue(person)) for person in people(APPS)]
    assert {stream.next().name for stream in crowd} == {"ready"}
    assert connections() <= CONNECTIONS
    before = transactions()
    time.sleep(WATCHED_SECONDS)
    with_all = transactions() - before
    assert with_all < with_one + APPS / 10, "no query for each open app"
    before = transactions()
    ask(cast.alice)
    assert alice.until(lambda data: "offered" in states(data))
    assert transactions() - before < with_one + APPS, "and none for those whom it does not concern"
    Topic.objects.filter(slug="billing").update(name_nl="Rekeningen", name_en="Bills")
    for stream in crowd:  # and nothing of Alice's before it
        told = stream.next()
        assert set(told.data) == {"cursor", "has_more", "starts_over", "topics", "colleagues"}
    assert connections() <= CONNECTIONS
    for stream in (alice, *crowd):
        stream.close()


def test_a_database_that_is_gone_for_a_moment_loses_no_movement(cast: Cast, events: str) -> None:
    token = AccessToken.issue(cast.alice)
    stream = Stream(events, token)
    begun = stream.next()
    one(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    ask(cast.alice)
    try:
        heard = stream.until(lambda data: "offered" in states(data))
    except (AssertionError, requests.RequestException):  # it ended early: the app comes back with what it has
        heard = Stream(events, token, **{"Last-Event-ID": begun.id}).until(lambda data: "offered" in states(data))
    assert heard.data["cursor"] != begun.id
