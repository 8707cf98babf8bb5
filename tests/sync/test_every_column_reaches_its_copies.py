# ruff: noqa: S608 — the names come from our own models
"""Whatever column of whatever table stands behind a copy: when it changes, all phones hold what a new one would.

The tables are those that a full read's own queries name, so a copy that is made of another table some day is in it.
"""

import re
from contextlib import suppress
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from tests.conftest import Cast
from tests.sync.mirror import whole
from tests.sync.world import World, make_world

NAMES = re.compile(r"\b(?:people|questions|rewards|notifications)_[a-z]+\b")
NOT_DATA = {"people_accesstoken"}  # who may ask at all
STAYS = {  # rows of who holds a phone in this test keep these, or they could not ask any more
    ("people_person", "left_on"),
    ("people_person", "gone_at"),
}
LEAST_CHANGED = 200  # columns really changed (229 today): below it the world has become too small to tell


def tables(world: World) -> list[type[models.Model]]:
    """The models that full reads of all these people read."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for client, _phone in world.phones.values():
            whole(client)
    named = set().union(*(NAMES.findall(query["sql"]) for query in queries)) - NOT_DATA
    known = {model._meta.db_table: model for model in apps.get_models()}
    return [known[name] for name in sorted(named) if name in known]


TEXT = ("COALESCE({0}, '') || 'x'", "left({0}, -1)", "'en'")
NUMBER = ("COALESCE({0}, 0) + 1", "{0} - 1")
OTHERS = {
    "BooleanField": ("{0} IS DISTINCT FROM true",),
    "DateTimeField": ("COALESCE({0} + interval '1 minute', now())", "COALESCE({0} - interval '1 minute', now())"),
    "DateField": ("COALESCE({0} - 1, current_date)", "COALESCE({0} + 1, current_date)"),
    "TimeField": ("COALESCE({0}, '12:00') + interval '1 minute'",),
    "JSONField": ("""CASE jsonb_typeof({0}) WHEN 'object' THEN '{{"": ["sms"]}}' ELSE '[]' END::jsonb""",),
    "ArrayField": (
        "(SELECT array_agg(id) FROM questions_topic WHERE {0}::text LIKE '%-%' OR {0} = '{{}}')",
        *("{0}[2:]", "'{{employee}}'", "'{{gift_claimed}}'"),
    ),
    **dict.fromkeys(("CharField", "TextField", "SlugField", "EmailField", "URLField"), TEXT),
    **dict.fromkeys(("IntegerField", "PositiveIntegerField", "PositiveSmallIntegerField", "BigIntegerField"), NUMBER),
    "FloatField": NUMBER,
}


def others(field: Any) -> list[str]:
    """SQL for another value of this column, to be tried in turn."""
    column = connection.ops.quote_name(field.column)
    if field.is_relation:
        pk, table = field.related_model._meta.pk.column, field.related_model._meta.db_table
        another = f"(SELECT t.{pk} FROM {table} t WHERE t.{pk} IS DISTINCT FROM {column} ORDER BY t.{pk}"
        return [f"{another} LIMIT 1)", f"{another} DESC LIMIT 1)"]
    if field.choices:
        return [f"'{value}'" for value, _label in field.flatchoices]
    return [sql.format(column) for sql in OTHERS.get(field.get_internal_type(), ())]


def change(model: type[models.Model], field: Any, world: World) -> list[tuple[Any, Any]]:
    """Another value in as many rows as the database's own rules let; returns (key, value before) of each."""
    table, column, key = model._meta.db_table, field.column, str(model._meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{key}", "{column}"::text FROM {table} ORDER BY "{key}" LIMIT 12')
        rows = cursor.fetchall()
    theirs = [(pk, before) for pk, before in rows if (table, column) not in STAYS or pk == world.passer_by.pk]
    return [(pk, before) for pk, before in theirs if any(_changed(table, column, key, pk, sql) for sql in others(field))]


def _changed(table: str, column: str, key: str, pk: Any, sql: str) -> bool:
    with suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        wanted = f'UPDATE {table} SET "{column}" = {sql} WHERE "{key}" = %s AND "{column}" IS DISTINCT FROM {sql}'
        cursor.execute(wanted.replace("%-%", "%%-%%"), [pk])
        return bool(cursor.rowcount)
    return False


def put_back(model: type[models.Model], field: Any, rows: list[tuple[Any, Any]]) -> None:
    table, key = model._meta.db_table, model._meta.pk.column
    kind = field.db_type(connection).split(" GENERATED")[0]
    with connection.cursor() as cursor:
        for pk, before in reversed(rows):
            with suppress(DatabaseError), transaction.atomic():
                cursor.execute(f'UPDATE {table} SET "{field.column}" = %s::{kind} WHERE "{key}" = %s', [before, pk])


@pytest.mark.heavy
def test_every_column_behind_a_copy_reaches_every_phone(cast: Cast) -> None:
    world = make_world(cast)
    assert world.behind() == []
    missed, changed = {}, 0
    for model in tables(world):
        for field in model._meta.concrete_fields:
            rows = [] if field.primary_key else change(model, field, world)
            if not rows:
                continue
            changed += 1
            wrong = world.behind()
            if wrong:
                missed[f"{model._meta.db_table}.{field.column}"] = wrong[:4]
            put_back(model, field, rows)
            if wrong:  # begin anew, so that one gap does not show at the next column
                world.read_anew()
    assert missed == {}
    assert changed >= LEAST_CHANGED
