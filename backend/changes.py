"""The change log: what changed for whom since a snapshot, with nothing missed however late its transaction commits.

Triggers write one row for each person and thing that a transaction changes (`backend_change`), with the transaction's
number, in that transaction. A reader remembers PostgreSQL's snapshot (`pg_current_snapshot()`: which transactions it could
see) and asks next time for what was not in it. Numbers and times would not do: a transaction that began earlier may commit
later, and a reader between would have gone past it. Nothing else reads or writes these tables.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.migrations import RunSQL

EVERYBODY = UUID(int=0)  # readers who are many and see the same stand in the log as one
DESK = UUID(int=1)
KEEP = timedelta(days=30)  # how long an app may stay away and still get a delta
SNAPSHOT_CHARACTERS = 400


@dataclass(frozen=True)
class Kind:
    """One kind of thing that the app keeps a copy of; every app lists its own in `copies.py`.

    `all_ids`: those of everything that concerns the person, for a full read, ascending and above `after`, at most `limit`.
    `show`: the things by id in a fixed number of queries, however many; what is gone or another's is left out.
    """

    name: str  # as the triggers write it
    field: str  # where they stand in the answer
    all_ids: Callable[[Any, UUID, int], Sequence[UUID]]
    show: Callable[[Any, Sequence[UUID]], dict[UUID, Any]]
    is_one: bool = False  # each person has one, under their own id; it is told whole


def one(name: str, field: str, show: Callable[[Any, Sequence[UUID]], dict[UUID, Any]]) -> Kind:
    return Kind(name, field, lambda person, above, limit: [person.pk] if person.pk > above else [], show, is_one=True)


@dataclass(frozen=True)
class Place:
    """The change that a page ended with."""

    xid: int
    person: UUID
    kind: str
    object_id: UUID


@dataclass(frozen=True)
class Batch:
    """Some changes: `upto` is what they are taken from, `last` where the next batch goes on (None: these were all)."""

    ids: dict[str, list[UUID]]
    upto: str
    last: Place | None


class TooOld(Exception):
    """What changed since this snapshot is not known any more, or it is another database's: read everything anew."""


def snapshot() -> str:
    """Which transactions can be seen now: everything later is a change since."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return _short(cursor.fetchone()[0])


def _short(text: str) -> str:
    """With very many transactions under way it would be long: then it says that the later half is not seen yet, and some
    changes are told twice."""
    return text if len(text) <= SNAPSHOT_CHARACTERS else "{0}:{0}:".format(text.split(":")[0])


_databases: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def database() -> str:
    """Of which PostgreSQL the transaction numbers are: a restored copy counts on its own. Asked once a connection."""
    connection.ensure_connection()
    known = _databases.get(connection.connection)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT system_identifier FROM pg_control_system()")
            known = _databases[connection.connection] = str(cursor.fetchone()[0])
    return known


# --- what writes it --------------------------------------------------------------------------------------------------

TRIGGER = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line {table};
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        line := OLD;
        INSERT INTO backend_change (person, kind, object_id) {tells} ON CONFLICT DO NOTHING;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        line := NEW;
        INSERT INTO backend_change (person, kind, object_id) {tells} ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER {name} AFTER {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}();
"""


def trigger(name: str, table: str, when: str, tells: str) -> RunSQL:
    """For migrations: at `when` ("INSERT OR DELETE OR UPDATE OF name") whoever `tells` names is told.

    `tells` selects person, kind and id for `line`: the row as it was and as it is, so that somebody it no longer concerns
    is told as well.
    """
    forward = TRIGGER.format(name=name, table=table, when=when, tells=tells)
    return RunSQL(forward, f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}();")


def note(kind: str, object_id: UUID, people: Sequence[UUID]) -> None:
    """For what time alone changes: these people are told about this thing once more. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backend_change (person, kind, object_id) SELECT unnest(%s::uuid[]), %s, %s ON CONFLICT DO NOTHING",
            [list(people), kind, object_id],
        )


# --- what reads it ---------------------------------------------------------------------------------------------------

# The floor is read in the statement that reads the changes: what is purged meanwhile cannot be missed.
SINCE = """
    WITH now AS (
        SELECT COALESCE(%(upto)s::pg_snapshot, pg_current_snapshot()) AS upto,
               (SELECT max(horizon) FROM backend_changemark WHERE is_floor) AS floor
    )
    SELECT now.upto::text, COALESCE(pg_snapshot_xmin(%(old)s::pg_snapshot) < now.floor, false),
           pg_snapshot_xmin(%(old)s::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()),
           change.xid::text::bigint, change.person, change.kind, change.object_id
    FROM now LEFT JOIN LATERAL (
        SELECT xid, person, kind, object_id FROM backend_change
        WHERE person = ANY(%(people)s) AND xid >= pg_snapshot_xmin(%(old)s::pg_snapshot)
          AND NOT pg_visible_in_snapshot(xid, %(old)s::pg_snapshot) AND pg_visible_in_snapshot(xid, now.upto)
          AND (%(xid)s::xid8 IS NULL
               OR (xid, person, kind, object_id) > (%(xid)s::xid8, %(person)s::uuid, %(kind)s, %(id)s::uuid))
        ORDER BY xid, person, kind, object_id LIMIT %(limit)s
    ) AS change ON true
"""


def since(readers: Sequence[UUID], old: str, *, upto: str | None = None, after: Place | None = None, limit: int) -> Batch:
    """What changed for these (a person, and what they belong to) since the snapshot `old`, up to `upto` (now, when
    missing). One query.

    Each thing once a batch, in the order of its transactions. Raises TooOld.
    """
    place: dict[str, Any] = {"xid": None, "person": None, "kind": None, "id": None}
    if after:
        place = {"xid": str(after.xid), "person": after.person, "kind": after.kind, "id": after.object_id}
    values = {**place, "old": old, "upto": upto, "people": list(readers), "limit": limit + 1}
    with connection.cursor() as cursor:
        cursor.execute(SINCE, values)
        rows = cursor.fetchall()
    seen, is_old, is_foreign = rows[0][:3]
    if is_old or is_foreign:
        raise TooOld
    places = [Place(*row[3:]) for row in rows if row[3] is not None]
    shown = places[:limit]
    ids: dict[str, dict[UUID, None]] = {}
    for change in shown:
        ids.setdefault(change.kind, {})[change.object_id] = None
    more = shown[-1] if len(places) > limit else None
    # On the way through pages the very snapshot is needed; only what is kept for later may be shortened.
    return Batch({kind: list(found) for kind, found in ids.items()}, seen if more else _short(seen), more)


def people_since(old: str) -> tuple[set[UUID], str]:
    """For whom anything changed since this snapshot, and the snapshot that this was: what the live process asks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_current_snapshot()::text, array(SELECT DISTINCT person FROM backend_change WHERE"
            " xid >= pg_snapshot_xmin(%(old)s::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, %(old)s::pg_snapshot))",
            {"old": old},
        )
        seen, people = cursor.fetchone()
    return set(people), _short(seen)


def purge(at: datetime) -> int:
    """Remember how far transactions have come by now, and forget what is older than KEEP; returns how many rows.

    Whoever still has a cursor below is told to read anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backend_changemark (horizon, at) VALUES (pg_snapshot_xmin(pg_current_snapshot()), %s)"
            " ON CONFLICT DO NOTHING",
            [at],
        )
        cursor.execute(
            "UPDATE backend_changemark SET is_floor = true WHERE horizon = (SELECT max(horizon) FROM backend_changemark"
            " WHERE at <= %s) RETURNING horizon::text",
            [at - KEEP],
        )
        floor = cursor.fetchone()
        if floor is None:
            return 0
        cursor.execute("DELETE FROM backend_changemark WHERE horizon < %s::xid8", [floor[0]])
        cursor.execute("DELETE FROM backend_change WHERE xid < %s::xid8", [floor[0]])
        return int(cursor.rowcount)
