"""`python -m benchmarks.ledger` hands out real gifts by the product's own code, beside pgbench, and proves the books."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

from benchmarks import ledger as benchmark
from rewards import issuing

KEYS = {"spread_vs_pgbench", "hot_vs_pgbench", "hot_vs_spread", "p99_ms", "spread_per_s", "hot_per_s", "meaning"}


def run(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ledger", *options, "--json"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.heavy
def test_a_small_run_gives_every_figure_and_leaves_the_books_clean() -> None:
    found = run("--givers", "40", "--campaigns", "5", "--clients", "3", "--seconds", "1", "--rounds", "1")
    assert set(found) >= KEYS
    assert all(found[key] > 0 for key in KEYS - {"meaning"})
    assert "3 clients hand out" in found["meaning"]
    assert found["ledger_check"].startswith("clean: the ledger is right")


def test_pgbench_sends_the_products_own_statement() -> None:
    drawn = dict.fromkeys(benchmark.EXPRESSIONS, "DRAWN")
    same = dict.fromkeys(
        ("ends_at", "at", "note", "language", "price", "value", "team", "count", "today", "limits_version")
    )
    parameters: dict[str, Any] = {**same, **drawn, "scopes": [], "limits": []}
    line = benchmark.one_line(issuing.ISSUE, parameters, drawn)
    assert line.startswith("WITH known AS ( SELECT FROM rewards_gift WHERE giver_id = DRAWN AND request_key = DRAWN )")
    assert "%(" not in line
    assert line.count("\n") == 0
