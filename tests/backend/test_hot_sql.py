"""What hot paths lean on: statements that are really prepared, a sign of life that costs no query, rows that are whole."""

import time
from uuid import uuid4

import pytest
from django.db import DataError, connection, connections

from backend import clock, prepared, rows
from people.models import AccessToken
from questions import receiving
from questions.models import Event, Question
from tests.conftest import Cast, api

LIVE = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%people_accesstoken%'"


def test_a_token_is_looked_up_by_a_statement_that_was_prepared(cast: Cast) -> None:
    AccessToken.find("nobody's", clock.real())
    with connection.cursor() as cursor:
        cursor.execute(LIVE)
        assert cursor.fetchone()[0] == 1


def test_a_connection_that_the_server_closed_is_seen_without_a_query(db: None) -> None:
    other = connections.create_connection("default")
    other.connect()
    try:
        assert other.is_usable()
        assert other.connection is not None
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [other.connection.info.backend_pid])
        for _wait in range(100):
            if not other.is_usable():
                break
            time.sleep(0.05)
        assert not other.is_usable()
    finally:
        other.close()


def test_a_reference_that_is_taken_is_drawn_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["7F3K", "7F3K", "7F3M"])
    monkeypatch.setattr(receiving, "clear_code", lambda length: next(drawn))
    body = {"text": "Waarom is mijn rekening zo hoog?"}
    asked = [
        api(cast.alice).post(
            "/api/v1/questions", body, "application/json", headers={"Idempotency-Key": f"reference-{number}"}
        )
        for number in range(2)
    ]
    assert [response.json()["reference"] for response in asked] == ["Q-7F3K", "Q-7F3M"]
    assert Event.objects.filter(kind="received").count() == 2


def test_what_is_too_long_for_its_column_is_refused_and_not_cut(cast: Cast) -> None:
    question = Question(id=uuid4(), asker=cast.alice, text="?", language="nederlands", reference="Q-1", friend_key="k")
    question.current_round_id, question.received_at = uuid4(), clock.now()
    with pytest.raises(DataError), prepared.cursor() as cursor:
        cursor.execute(rows.inserting(Question, ""), rows.values(question))
