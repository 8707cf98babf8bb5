"""`python -m benchmarks.api` serves the product and its twin on one database and counts the rows they say they wrote."""

import json
import subprocess
import sys

import pytest
from django.conf import settings

KEYS = {"vs_plain", "vs_same_sql", "cpu_vs_plain", "vs_helpdesk", "vs_pgbench", "p99_ms", "by_clients"}
OF_A_TURN = {"per_s", "p50_ms", "p99_ms", "cpu_ms", "postgres_cpu_ms"}


@pytest.mark.heavy
def test_a_small_run_gives_every_figure_without_an_error() -> None:
    command = [sys.executable, "-m", "benchmarks.api", "--clients", "2", "--seconds", "0.5", "--rounds", "1", "--json"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("errors") == 0
    assert set(found) == {"post_question", "list_questions", "post_gift"}
    for figures in found.values():
        assert set(figures) >= KEYS
        assert figures["vs_plain"] > 0
        assert figures["cpu_vs_plain"] > 0
        assert set(figures["by_clients"]["2"]["ours"]) == set(figures["by_clients"]["2"]["plain"]) == OF_A_TURN
