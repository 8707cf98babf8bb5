"""Asking, listing one's questions and giving, beside the same in other hands, over HTTP on this machine.

*ours*: the product's web processes as production runs them, with everything the real endpoints do: sign-in,
Idempotency-Key, first event, change log, doorbell. *plain*: FastAPI and asyncpg as a good engineer writes them, one
statement a table, on the same tables with the same triggers, by uvicorn with uvloop, as many processes (`plain.py`). All
take turns in every round; figures are medians of the rounds. Any answer but a 2xx ends the run, and so does a contender
that did not write what it said. The load comes from a process of its own (`load.py`), on the same cores.

`vs_plain` is requests a second as a multiple of theirs at 16 clients (at the first of `clients`, where that is not among
them), `cpu_vs_plain` the web processes' CPU a request, `p99_ms` ours with the most clients; `by_clients` has all of it:
`per_s`, `p50_ms`, `p99_ms`, `cpu_ms` a request, and `postgres_cpu_ms` a request. `vs_same_sql`, `vs_helpdesk` and
`vs_pgbench` are null: those contenders are not written yet.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.api import company, load, servers

SEEDS = itertools.count(1)
USUAL_CLIENTS = 16
TABLES = {"post_question": "questions_question", "post_gift": "rewards_gift"}
Turn = dict[str, float]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    clients = [int(number) for number in options.clients.split(",")]
    endpoints = [name for name in load.DRAWS if options.only in {"", name}]
    if not endpoints:
        raise SystemExit(f"--only {options.only}: one of {', '.join(load.DRAWS)}")
    with report.own_database(), tempfile.TemporaryDirectory() as folder:
        company.fill()
        with _running(Path(folder)) as turns:
            ran = _take_turns(options, endpoints, clients, turns)
    return _figures(ran, endpoints, clients) | {"errors": 0}


Contender = Callable[[argparse.Namespace, str, int], Turn]
Ran = dict[tuple[str, int, str], list[Turn]]


@contextmanager
def _running(folder: Path) -> Iterator[dict[str, Contender]]:
    from django.conf import settings

    from backend import embedded

    where = {"DATABASE_URL": settings.DATABASE_URL, "REDIS_URL": settings.REDIS_URL}
    with ExitStack() as stack:

        def start(name: str, command: Callable[[int, str], list[str]], application: str, **more: str) -> Contender:
            port = embedded.free_port()
            server = stack.enter_context(servers.serving(name, command(port, application), port, folder, **where, **more))
            return lambda options, endpoint, clients: _asked(options, server, endpoint, clients)

        yield {
            "ours": start("ours", servers.granian, "backend.wsgi:application", **servers.PRODUCTION),
            "plain": start("plain", servers.uvicorn, "benchmarks.api.plain:app"),
        }


def _take_turns(options: argparse.Namespace, endpoints: list[str], clients: list[int], turns: dict[str, Contender]) -> Ran:
    ran: Ran = {}
    for _round in range(options.rounds):
        for endpoint, number in itertools.product(endpoints, clients):
            for name, turn in turns.items():
                ran.setdefault((endpoint, number, name), []).append(turn(options, endpoint, number))
                _empty_the_queue()
    return ran


# --- one turn --------------------------------------------------------------------------------------------------------


def _asked(options: argparse.Namespace, server: servers.Server, endpoint: str, clients: int) -> Turn:
    main, before = _postgres(), _rows(endpoint)
    command = [sys.executable, "-m", "benchmarks.api.load", f"--port={server.port}", f"--endpoint={endpoint}"]
    command += [f"--clients={clients}", f"--seconds={options.seconds}", f"--seed={next(SEEDS)}"]
    cpu: list[tuple[float, float]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None  # for the type checker: it was asked for
        for said in ("begin", "end"):
            line = running.stdout.readline().strip()
            if line != said:
                raise RuntimeError(f"{server.name}, {endpoint}, {clients} clients: the load ended early")
            cpu.append((server.cpu_s(), servers.postgres_cpu_s(main)))
        found = json.loads(running.stdout.readline())
    if found["errors"]:
        raise RuntimeError(f"{server.name}, {endpoint}, {clients} clients: {found['errors']} errors, {found['told']}")
    if endpoint in TABLES and _rows(endpoint) - before != found["answered"]:
        raise RuntimeError(f"{server.name}, {endpoint}: {found['answered']} answers, {_rows(endpoint) - before} rows")
    web, postgres = (1000 * (end - begin) / found["requests"] for begin, end in zip(*cpu, strict=True))
    return {name: found[name] for name in ("per_s", "p50_ms", "p99_ms")} | {"cpu_ms": web, "postgres_cpu_ms": postgres}


def _postgres() -> int:
    """Its main process."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(servers._stat(str(cursor.fetchone()[0]))[1])


def _rows(endpoint: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TABLES.get(endpoint, 'questions_topic')}")
        return int(cursor.fetchone()[0])


def _empty_the_queue() -> None:
    """No worker runs: what was rung for would only fill the memory."""
    import redis
    from django.conf import settings

    redis.Redis.from_url(settings.REDIS_URL).delete("celery")


# --- figures ---------------------------------------------------------------------------------------------------------


def _figures(ran: Ran, endpoints: list[str], clients: list[int]) -> dict[str, Any]:
    return {endpoint: _of_endpoint(ran, endpoint, clients) for endpoint in endpoints}


def _of_endpoint(ran: Ran, endpoint: str, clients: list[int]) -> dict[str, Any]:
    by_clients = {
        number: {
            name: {key: median(turn[key] for turn in turns) for key in turns[0]}
            for (of, clients_then, name), turns in ran.items()
            if (of, clients_then) == (endpoint, number)
        }
        for number in clients
    }
    usual = by_clients[USUAL_CLIENTS if USUAL_CLIENTS in clients else clients[0]]
    ours = usual["ours"]

    def beside(name: str, key: str = "per_s") -> float | None:
        return round(ours[key] / usual[name][key], 3) if name in usual else None

    return {
        "vs_plain": beside("plain"),
        "vs_same_sql": beside("same_sql"),
        "cpu_vs_plain": beside("plain", "cpu_ms"),
        "vs_helpdesk": beside("helpdesk"),
        "vs_pgbench": beside("pgbench"),
        "p99_ms": round(by_clients[max(clients)]["ours"]["p99_ms"], 1),
        "p99_plain_ms": round(by_clients[max(clients)]["plain"]["p99_ms"], 1),
        "by_clients": {
            str(number): {name: {key: round(value, 2) for key, value in row.items()} for name, row in rows.items()}
            for number, rows in by_clients.items()
        },
    }


if __name__ == "__main__":
    report.run(__doc__ or "", measure, seconds=2.0, rounds=3, only="", clients="1,16,64")
