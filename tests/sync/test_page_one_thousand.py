# ruff: noqa: S608 — the names come from our own models
"""With a million questions: page 1,000 of a list reads what page 1 reads, by indexes, in the same number of queries.

Counted in PostgreSQL's buffers and not in seconds, so that it says the same on every machine.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, models

from backend.manners import encode_cursor
from notifications.models import Notification
from people.models import Person
from questions.models import Answer, Assignment, Event, Question, Round
from rewards.models import Gift, Kudos, Transfer
from tests.conftest import Cast, answered, api, offer_of
from tests.rewards.conftest import earn, give, make_mall

QUESTIONS = 1_000_000
MINE = 20_100  # of them one person's: a thousand pages of twenty, and some
PAGE = 1000
ITEMS = 20
WAITING = 2_000  # at the desk, and lines of a statement: what a person can still look through
DEEP = 40  # pages of a full read
BUFFERS_A_THING = 20
LARGE = 5_000  # rows of a table that no list may read through
SLACK = 3  # times the buffers of page 1: other index pages, other leaves
FLOOR = 400  # below so many buffers nothing is compared


@dataclass
class Cost:
    """What one request asked of the database."""

    queries: int
    buffers: int
    scanned: list[str]  # large tables that were read through


def number(kind: int) -> str:
    """A key for row `g`. Those of one person lie among everybody else's, as they do when people ask in turn."""
    return f"('{kind:08x}-0000-7000-8000-' || lpad(to_hex(g::bigint * 49 %% 1000003), 12, '0'))::uuid"


def multiply(model: type[models.Model], sample: Any, count: int, **other: str) -> None:
    """`count` rows like `sample`, with SQL for what differs by `g`."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    if "id" not in other:
        columns.remove("id")  # counted by the database
    shown = ", ".join(other.get(column, f's."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        table = model._meta.db_table
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {shown} FROM {table} s, generate_series(1, {count}) g WHERE s.id = %s",
            [sample.pk],
        )


@contextmanager
def unguarded() -> Iterator[None]:
    """Without triggers and foreign keys: a million rows in a minute."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET statement_timeout = 0")
        yield
        cursor.execute("RESET session_replication_role")
        cursor.execute("ANALYZE")


def cost_of(client: Any, path: str, field: str = "items") -> Cost:
    """Answers the request, then asks PostgreSQL how it answered each of its queries."""
    asked: list[tuple[str, Any]] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        response = client.get(f"/api/v1{path}")
    assert response.status_code == 200, response.content
    assert len(response.json()[field]) >= ITEMS - 1, path
    plans = [_plan(sql, params) for sql, params in asked]
    nodes = [node for plan in plans for node in _nodes(plan)]
    scanned = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan" and _read(node) > LARGE]
    buffers = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    return Cost(len(asked), buffers, scanned)


def _plan(sql: str, params: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        found = cursor.fetchone()[0]
    return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def _nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


def _read(node: Any) -> float:
    return float((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])


def fill(cast: Cast) -> None:
    """Alice asked, was told and gave twenty thousand things, Bob was asked as many, the rest is other people's."""
    known = answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)
    assignment, others = offer_of(known), [cast.charlie.pk, cast.mallory.pk, cast.dana.pk]
    mall = make_mall()
    earn(cast.alice, 50)
    gift = Gift.objects.get(pk=give(cast.alice, mall.coffee)["id"])
    told = Notification.objects.filter(person=cast.alice).earliest("created_at")
    line = Transfer.objects.filter(credit__person=cast.alice, reason="correction").latest("id")
    kudos = Kudos.objects.create(giver=cast.bob, receiver=cast.alice, note="Dank", created_at=known.received_at)
    who = f"CASE WHEN g <= {MINE} THEN '{{}}'::uuid ELSE (ARRAY{others!r}::uuid[])[1 + g %% 3] END".replace("UUID", "")
    mine, hers = who.format(cast.alice.pk), who.format(cast.bob.pk)
    earlier = "s.{} - g * interval '1 second'"
    state = f"CASE WHEN g > {MINE} AND g <= {MINE + WAITING} THEN 'triage' ELSE 'answered' END"
    with unguarded():
        multiply(
            Question,
            known,
            QUESTIONS,
            id=number(1),
            reference="'M-' || g",
            friend_key="md5('f' || g)",
            asker_id=mine,
            state=state,
            received_at=earlier.format("received_at"),
            current_round_id=number(2),
        )
        multiply(
            Round,
            known.current_round,
            QUESTIONS,
            id=number(2),
            question_id=number(1),
            started_at=earlier.format("started_at"),
            due_at=earlier.format("due_at"),
        )
        multiply(
            Assignment,
            assignment,
            QUESTIONS,
            id=number(3),
            question_id=number(1),
            round_id=number(2),
            expert_id=hers,
            offered_at=earlier.format("offered_at"),
        )
        multiply(
            Answer,
            known.answers.get(),
            QUESTIONS // 10,
            id=number(4),
            question_id=number(1),
            round_id=number(2),
            assignment_id=number(3),
        )
        multiply(Event, Event.objects.latest("id"), QUESTIONS // 10, question_id=number(1))
        multiply(
            Notification,
            told,
            QUESTIONS // 4,
            id=number(5),
            key="'m' || g",
            person_id=mine,
            created_at=earlier.format("created_at"),
        )
        multiply(
            Gift,
            gift,
            QUESTIONS // 10,
            id=number(6),
            giver_id=mine,
            account_id="-g",
            request_key="'m' || g",
            handed_out_at=earlier.format("handed_out_at"),
            **{
                str(field.column): "decode(md5(g::text), 'hex')"
                for field in Gift._meta.concrete_fields
                if field.get_internal_type() == "BinaryField"
            },
        )
        multiply(Transfer, line, WAITING, key="'m' || g")
        multiply(
            Kudos,
            kudos,
            QUESTIONS // 10,
            id=number(7),
            receiver_id=mine,
            giver_id=hers.replace("g %% 3", "(g + 1) %% 3"),
            request_key="'m' || g",
            created_at=earlier.format("created_at"),
        )


LISTS = {
    "/questions": (Question, "asker", "received_at"),
    "/assignments": (Assignment, "expert", "offered_at"),
    "/inbox": (Notification, "person", "created_at"),
    "/gifts": (Gift, "giver", "handed_out_at"),
    "/kudos/received": (Kudos, "receiver", "created_at"),
    "/kudos/given": (Kudos, "giver", "created_at"),
}
QUERIES_MAX = {"/questions": 3, "/assignments": 4, "/inbox": 2, "/gifts": 2, "/kudos/received": 2, "/kudos/given": 2}


@pytest.mark.heavy
def test_page_one_thousand_costs_what_page_one_costs(cast: Cast) -> None:
    fill(cast)
    readers: dict[str, Person] = {"expert": cast.bob}
    for path, (model, owner, at) in LISTS.items():
        reader = cast.bob if path in {"/assignments", "/kudos/given"} else readers.get(owner, cast.alice)
        before = model._default_manager.filter(**{owner: reader}).order_by(f"-{at}", "-id")[(PAGE - 1) * ITEMS - 1]
        client = api(reader)
        first = cost_of(client, path)
        last = cost_of(client, f"{path}?cursor={encode_cursor(getattr(before, at), before.pk)}")
        _same(path, [first, last], QUERIES_MAX[path])
    line = Transfer.objects.order_by("-id")[WAITING - ITEMS]
    statement = [cost_of(api(cast.alice), f"/wallet/statement{cursor}") for cursor in ("", f"?cursor={line.pk}")]
    _same("/wallet/statement", statement, 2)
    waiting = Question.objects.filter(state="triage").select_related("current_round").order_by("-current_round__due_at")
    before = waiting[ITEMS]
    cursor = encode_cursor(before.current_round.due_at, before.pk)
    desk = [cost_of(api(cast.dana), f"/desk/items{at}") for at in ("", f"?cursor={cursor}")]
    _same("/desk/items", desk, 3)


@pytest.mark.heavy
def test_a_page_of_a_full_read_and_a_delta_cost_the_same_at_any_depth(cast: Cast) -> None:
    fill(cast)
    client = api(cast.alice)
    body = client.get("/api/v1/sync?limit=100").json()
    while "questions" not in body:
        body = client.get(f"/api/v1/sync?limit=100&cursor={body['cursor']}").json()
    costs = []
    for page in range(DEEP + 1):
        if page in {1, DEEP}:
            costs.append(cost_of(client, f"/sync?limit=100&cursor={body['cursor']}", "questions"))
        body = client.get(f"/api/v1/sync?limit=100&cursor={body['cursor']}").json()
    _same("/sync", costs, 16)
    assert costs[0].buffers < 100 * BUFFERS_A_THING, "its own rows, not everybody's between them"


def _same(path: str, costs: list[Cost], queries: int) -> None:
    first, last = costs
    assert (first.scanned, last.scanned) == ([], []), path
    assert first.queries == last.queries <= queries, path
    assert last.buffers <= max(FLOOR, SLACK * first.buffers), (path, first, last)
