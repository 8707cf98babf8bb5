"""A broker that is dead or hangs never fails a request; the sweep finds what was not rung."""

import socket
from collections.abc import Iterator

import pytest

from backend import embedded, ring
from backend.celery import app
from questions.models import Question
from tests.conftest import Cast, api, post, work


@pytest.fixture
def broker_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Point the bell at another address."""

    def point(port: int) -> None:
        monkeypatch.setattr(app.conf, "broker_url", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setattr(app.conf, "broker_write_url", f"redis://127.0.0.1:{port}/0")
        ring._bell.cache_clear()
        monkeypatch.setattr(ring, "_broken_until", 0.0)
        monkeypatch.setattr(ring, "lost", 0)

    yield point
    ring._bell.cache_clear()


def _ask(cast: Cast) -> None:
    response = post(api(cast.alice), "/questions", {"text": "Waarom is de rekening zo hoog?"}, key="dead-broker")
    assert response.status_code == 201
    assert ring.lost > 0
    work()
    assert Question.objects.get().state == "offered"


def test_with_a_dead_broker_questions_are_accepted_and_handled(cast: Cast, broker_at: object) -> None:
    broker_at(embedded.free_port())  # type: ignore[operator]
    _ask(cast)


def test_with_a_hanging_broker_questions_are_accepted_and_handled(cast: Cast, broker_at: object) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        broker_at(deaf.getsockname()[1])  # type: ignore[operator]
        _ask(cast)


def test_a_ring_waits_for_the_commit(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    from questions.tasks import route_one

    rung: list[object] = []
    monkeypatch.setattr(ring, "_publish", lambda task, args: rung.append(args))
    with transaction.atomic():
        ring.ring(route_one, "one")
        assert rung == []
    assert rung == [("one",)]


def test_a_ring_reaches_the_broker(cast: Cast) -> None:
    import redis
    from django.conf import settings

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete("celery")
    from questions.tasks import route_one

    ring._bell.cache_clear()
    ring._publish(route_one, ("x",))
    assert client.llen("celery") == 1
    client.close()
