"""However transactions overlap and whenever the app asks between: in the end it holds what a full read holds."""

import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backend.sync import KINDS
from tests.conftest import Cast, answered, api
from tests.sync.mirror import Mirror, whole
from tests.sync.world import make_world, steady

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
    assert "inbox" not in phone.ask().json()
    assert phone.copies == whole(api(cast.alice))


def test_what_is_rolled_back_is_never_told(cast: Cast) -> None:
    _told_once(cast)
    phone = Mirror(api(cast.alice)).sync()
    with _connect() as other:
        other.execute(*_told(cast.alice.pk, "never happened"))
        other.rollback()
    assert "inbox" not in phone.ask().json()


def test_a_transaction_under_way_during_the_whole_full_read_is_told_after_it(cast: Cast) -> None:
    _told_once(cast)
    with _connect() as slow:
        slow.execute(*_told(cast.alice.pk, "slow"))
        phone = Mirror(api(cast.alice), limit=1).sync()
        assert "slow" not in {line["title"] for line in phone.of("inbox")}
        slow.commit()
    assert "slow" in {line["title"] for line in phone.sync().of("inbox")}


# One change of each kind of copy. Each is made by one writer alone: none waits for another's transaction.
CHANGES = {
    "me": "UPDATE people_person SET name = 'Alice ' || %s WHERE employee_number = 'E1'",
    "absences": "UPDATE people_absence SET ends_at = ends_at + interval '1 second' WHERE %s > ''",
    "wallet": "UPDATE rewards_account SET is_frozen = NOT is_frozen WHERE kind = 'earned' AND %s > ''",
    "badges": "UPDATE rewards_badgerule SET name_nl = %s WHERE id = (SELECT min(id) FROM rewards_badgerule)",
    "offer": "UPDATE rewards_offer SET text_nl = %s WHERE slug = 'koffie'",
    "gift": "UPDATE rewards_gift SET note = %s",
    "topic": "UPDATE questions_topic SET name_nl = %s WHERE slug = 'billing'",
    "card": "UPDATE questions_topiccard SET is_current = NOT is_current WHERE %s > ''",
    "colleague": "UPDATE people_person SET name = 'Zoe ' || %s WHERE employee_number = 'E21'",
    "question": "UPDATE questions_question SET text = %s WHERE state = 'answered'",
    "assignment": "UPDATE questions_assignment SET expires_at = expires_at + interval '1 second' WHERE %s > ''",
    "approval": "UPDATE questions_answer SET internal_note = %s WHERE state = 'draft'",
    "desk": "UPDATE questions_question SET text = %s WHERE state IN ('triage', 'unstaffed')",
    "inbox": "UPDATE notifications_notification SET title = %s WHERE event = 'question_answered'",
    "preferences": "UPDATE notifications_preference SET silent_until = now() WHERE %s > ''",
}
ENDS = ["commit", "rollback"]
STEP = st.tuples(st.sampled_from([*CHANGES, *ENDS, *ENDS, "page", "page", "page"]), st.integers(0, 11))


def test_there_is_a_change_for_each_kind_of_copy() -> None:
    assert set(CHANGES) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("limit", [1, 3])
def test_random_writes_of_every_kind_and_random_reads_end_at_a_full_read(cast: Cast, limit: int) -> None:
    world = make_world(cast)
    phones = [Mirror(client, limit=limit) for client, _phone in world.phones.values()]
    writers = [_connect() for _ in range(WRITERS)]
    kinds = list(CHANGES)

    def act(what: str, number: int) -> None:
        if what == "page":
            phones[number % len(phones)].step()
        elif what in CHANGES:
            writers[kinds.index(what) % WRITERS].execute(CHANGES[what], [uuid.uuid4().hex[:8]])
        else:
            getattr(writers[number % WRITERS], what)()

    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEP, min_size=10, max_size=40))
    def run(steps: list[tuple[str, int]]) -> None:
        for what, number in steps:
            act(what, number)
        for writer in writers:
            writer.commit()
        for phone in phones:
            assert steady(phone.sync().copies) == steady(whole(phone.client))

    try:
        run()
    finally:
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_a_change_that_commits_late_is_told_late_whatever_it_is_of(cast: Cast, kind: str) -> None:
    world = make_world(cast)
    with _connect() as early, _connect() as late:
        assert early.execute(CHANGES[kind], ["nieuw"]).rowcount > 0
        late.execute("UPDATE people_person SET name = 'Mallory M' WHERE employee_number = 'E5'")
        late.commit()
        assert world.behind() == []
        before = {who: steady(phone.copies) for who, (_client, phone) in world.phones.items()}
        early.commit()
        assert world.behind() == []
    assert before != {who: steady(phone.copies) for who, (_client, phone) in world.phones.items()}, "somebody sees it"
