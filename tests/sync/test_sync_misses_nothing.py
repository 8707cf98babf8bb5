"""However transactions overlap and whenever the app asks between: in the end it holds what a full read holds."""

import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifications.models import Notification
from tests.conftest import Cast, answered, api
from tests.sync.mirror import Mirror, whole

WRITERS = 3


def _connect() -> "psycopg.Connection[Any]":
    """A connection of its own: a transaction beside everybody else's."""
    values = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return psycopg.connect(**{name: values[name] for name in names if values.get(name)})


def _told(who: uuid.UUID, title: str) -> tuple[str, list[Any]]:
    return (
        "INSERT INTO notifications_notification SELECT (jsonb_populate_record(n, jsonb_build_object("
        "'id', %s::text, 'key', %s::text, 'title', %s::text))).* FROM notifications_notification n"
        " WHERE person_id = %s LIMIT 1",
        [str(uuid.uuid4()), uuid.uuid4().hex, title, who],
    )


def _told_once(cast: Cast) -> None:
    """Alice has something in her inbox: what the others are made after."""
    answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)


def test_who_began_earlier_and_commits_later_is_not_missed(cast: Cast) -> None:
    _told_once(cast)
    phone = Mirror(api(cast.alice)).sync()
    with _connect() as early, _connect() as late:
        early.execute(*_told(cast.alice.pk, "began first"))
        late.execute(*_told(cast.alice.pk, "began second"))
        late.commit()
        assert {line["title"] for line in phone.sync().of("inbox")} >= {"began second"}
        assert "began first" not in {line["title"] for line in phone.of("inbox")}
        early.commit()
    assert {line["title"] for line in phone.sync().of("inbox")} >= {"began first", "began second"}
    assert phone.ask().json()["inbox"] == []
    assert phone.copies == whole(api(cast.alice))


def test_what_is_rolled_back_is_never_told(cast: Cast) -> None:
    _told_once(cast)
    phone = Mirror(api(cast.alice)).sync()
    with _connect() as other:
        other.execute(*_told(cast.alice.pk, "never happened"))
        other.rollback()
    assert phone.ask().json()["inbox"] == []


def test_a_transaction_under_way_during_the_whole_full_read_is_told_after_it(cast: Cast) -> None:
    _told_once(cast)
    with _connect() as slow:
        slow.execute(*_told(cast.alice.pk, "slow"))
        phone = Mirror(api(cast.alice), limit=1).sync()
        assert "slow" not in {line["title"] for line in phone.of("inbox")}
        slow.commit()
    assert "slow" in {line["title"] for line in phone.sync().of("inbox")}


ACTS = ["tell", "read", "forget", "rename", "commit", "rollback", "page"]
STEP = st.tuples(st.sampled_from(ACTS), st.integers(0, WRITERS - 1))


@pytest.mark.parametrize("limit", [1, 3])
def test_random_writes_and_random_reads_end_at_a_full_read(cast: Cast, limit: int) -> None:
    _told_once(cast)
    writers = [_connect() for _ in range(WRITERS)]
    mine: list[list[str]] = [[] for _ in range(WRITERS)]
    for owner in range(WRITERS):
        for _number in range(2):
            statement, values = _told(cast.alice.pk, "first")
            writers[owner].execute(statement, values)
            mine[owner].append(values[0])
        writers[owner].commit()
    phone = Mirror(api(cast.alice), limit=limit)

    def act(what: str, which: int) -> None:
        """Each writer has rows of its own: none waits for another's transaction."""
        writer, rows = writers[which % WRITERS], mine[which % WRITERS]
        if what == "page":
            phone.step()
        elif what == "tell":
            writer.execute(*_told(cast.alice.pk, uuid.uuid4().hex))
        elif what == "read":
            writer.execute("UPDATE notifications_notification SET read_at = created_at WHERE id = %s", [rows[0]])
        elif what == "rename":
            writer.execute("UPDATE notifications_notification SET title = %s WHERE id = %s", [uuid.uuid4().hex, rows[0]])
        elif what == "forget":
            writer.execute("DELETE FROM notifications_notification WHERE id = %s", [rows[-1]])
        else:
            getattr(writer, what)()

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEP, min_size=5, max_size=30))
    def run(steps: list[tuple[str, int]]) -> None:
        for what, which in steps:
            act(what, which)
        for writer in writers:
            writer.commit()
        phone.sync()
        assert phone.copies == whole(api(cast.alice))

    try:
        run()
    finally:
        for writer in writers:
            writer.close()
    assert Notification.objects.filter(person=cast.alice).count() > 2 * WRITERS
