"""kill -9 of any program at any moment loses nothing and repeats no effect."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stack import Stack

pytestmark = pytest.mark.heavy
QUESTIONS = 12
SANNE = "+31612340000"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # A provider that takes its time, so that a kill falls between taking a message and saying so.
    made = Stack(tmp_path_factory.mktemp("stack"), SANDBOX_TWILIO_DELAY_SECONDS="0.3")
    made.var.chmod(0o755)
    for parent in made.var.parents[:2]:
        parent.chmod(0o755)  # pytest's folders are private; PostgreSQL's account must walk through
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("victim", ["worker", "web", "beat", "valkey", "mail-in"])
def test_killing_it_loses_nothing_and_repeats_nothing(stack: Stack, victim: str) -> None:
    rng = random.Random(victim)
    for number in range(QUESTIONS):
        sid = f"SM{victim.encode().hex():0<20}{number:012}"[:34]
        stack.text(SANNE, f"VRAAG {victim} {number}: waarom is haar rekening zo hoog?", sid)
        if number % 4 == 1:
            time.sleep(rng.uniform(0.2, 0.9))
            stack.kill(victim)
    stack.until(lambda: _questions(stack, victim) == QUESTIONS, f"{QUESTIONS} questions")
    stack.until(lambda: _settled(stack), "every delivery to be settled", 90)
    receipts = stack.sql(
        "SELECT q.reference, count(l.id) FROM questions_question q LEFT JOIN sandbox_letter l ON l.direction = 'to_person'"
        " AND l.address = %s AND l.body LIKE '%%' || q.reference || '.%%' WHERE q.text LIKE %s GROUP BY 1",
        SANNE,
        f"{victim} %",
    )
    assert [count for _reference, count in receipts] == [1] * QUESTIONS
    assert stack.sql("SELECT count(*) FROM notifications_inboundmessage WHERE state = 'received'") == [(0,)]


def _questions(stack: Stack, victim: str) -> int:
    return int(stack.sql("SELECT count(*) FROM questions_question WHERE text LIKE %s", f"{victim} %")[0][0])


def _settled(stack: Stack) -> bool:
    """All but news that waits some minutes for more of it."""
    waiting = "SELECT count(*) FROM notifications_delivery WHERE state IN ('due', 'leased', 'unknown')"
    return stack.sql(f"{waiting} AND held_until IS NULL") == [(0,)]


def test_the_parent_killed_leaves_no_orphans_and_starts_again(tmp_path: Path) -> None:
    import os
    import signal

    stack = Stack(tmp_path / "var")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    stack.start()
    assert stack.up is not None
    os.kill(stack.up.pid, signal.SIGKILL)
    stack.up.wait()
    programs = ("worker", "beat", "web", "mail-in", "sandbox")
    stack.until(lambda: not any(stack.pids(name) for name in programs), "the children to end with their parent")
    stack.start()
    stack.stop()
    assert not any(stack.pids(name) for name in (*programs, "valkey"))
