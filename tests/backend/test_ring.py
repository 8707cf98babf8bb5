"""A broker that is dead or hangs never fails a request; the sweep finds what was not rung."""

import re
import socket
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from backend import embedded, ring
from backend.celery import app
from questions.models import Question
from tests.conftest import Cast, api, post, work


@pytest.fixture
def broker_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Point the bell at another address."""

    def point(port: int) -> None:
        monkeypatch.setattr(settings, "CELERY_BROKER_URL", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setattr(ring, "_broken_until", 0.0)
        monkeypatch.setattr(ring, "lost", 0)
        ring._bell.cache_clear()

    yield point
    ring._bell.cache_clear()


def _ask(cast: Cast) -> None:
    response = post(api(cast.alice), "/questions", {"text": "Waarom is de rekening zo hoog?"}, key="dead-broker")
    assert response.status_code == 201
    assert ring.lost > 0
    work()
    assert Question.objects.get().state == "offered"


def test_with_a_dead_broker_questions_are_accepted_and_handled(cast: Cast, broker_at: Callable[[int], None]) -> None:
    broker_at(embedded.free_port())
    _ask(cast)


def test_with_a_hanging_broker_questions_are_accepted_and_handled(cast: Cast, broker_at: Callable[[int], None]) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        broker_at(deaf.getsockname()[1])
        _ask(cast)


def test_a_ring_waits_for_the_commit(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    rung: list[object] = []
    monkeypatch.setattr(ring, "_publish", lambda task, args: rung.append(args))
    with transaction.atomic():
        ring.ring("questions.tasks.route_one", "one")
        assert rung == []
    assert rung == [("one",)]


def test_a_ring_reaches_the_broker(cast: Cast) -> None:
    import redis

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete("celery")
    ring._broken_until = 0.0
    ring._publish("questions.tasks.route_one", ("x",))
    assert client.llen("celery") == 1
    client.close()


def test_every_name_that_is_rung_or_timed_is_a_task() -> None:
    app.loader.import_default_modules()
    code = [path.read_text() for path in settings.BASE_DIR.glob("[npqr]*/**/*.py")]
    rung = {name for text in code for name in re.findall(r'ring\("([\w.]+)"', text)}
    timed = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert rung
    assert rung | timed <= set(app.tasks)
