"""kill -9 of the worker: the health endpoint shows it; the operator hears it by mail, once, and once that it is over."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.faults.stack import Stack

pytestmark = pytest.mark.heavy
OPERATOR = "operator@vonkmobiel.example"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("health"), OPERATOR_EMAIL=OPERATOR, PULSE_SECONDS="0.5")
    made.var.chmod(0o755)
    for parent in made.var.parents[:2]:
        parent.chmod(0o755)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("victim", ["worker", "beat"])
def test_a_killed_process_shows_and_the_operator_hears_it_once(stack: Stack, victim: str) -> None:
    stack.until(lambda: _stale(stack) == set(), "everything to live")
    stack.until(lambda: not stack.sql("SELECT 1 FROM backend_incident"), "no incident")
    before = _subjects(stack)
    stack.kill(victim)
    stack.until(lambda: victim in _stale(stack), f"{victim} to be stale")
    stack.until(lambda: f"Let op: {victim}" in _subjects(stack)[len(before) :], "the operator's mail")
    stack.until(lambda: f"Alles weer goed: {victim}" in _subjects(stack)[len(before) :], "the all-clear")
    assert _subjects(stack)[len(before) :].count(f"Let op: {victim}") == 1


def _stale(stack: Stack) -> set[str]:
    response = requests.get(f"{stack.base}/api/v1/health", timeout=5)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    assert (body["status"] == "ok") is not any(one["stale"] for one in (*body["parts"], *body["queues"]))
    return {part["name"] for part in body["parts"] if part["stale"]}


def _subjects(stack: Stack) -> list[str]:
    rows = stack.sql("SELECT subject FROM sandbox_letter WHERE address = %s ORDER BY id", OPERATOR)
    return [subject for (subject,) in rows]
