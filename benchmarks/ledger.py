"""Hand-outs of gifts a second, beside the same SQL in pgbench.

Sixteen clients call the product's own `gifts.hand_out` (the function, not HTTP: pgbench does not speak it either), each a
process with a database connection of its own. *Spread*: 5,000 givers hand out from 500 campaigns, so that hardly two meet.
*Hot*: the same givers hand out from one campaign, and all wait for its budget. pgbench sends, with as many clients, what
the product was seen to send for one hand-out, word for word and by the same protocol; only ids, keys and digests are drawn
anew. All four take turns in every round; figures are medians of the rounds. Every gift is a real one, in a PostgreSQL that
waits for the disk, and afterwards `ledger_check` proves the books.

`spread_vs_pgbench` and `hot_vs_pgbench` are shares of pgbench's, `hot_vs_spread` is ours of ours, `p99_ms` the worse one.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import re
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import StringIO
from statistics import median
from typing import Any

from benchmarks import givers, report

TURNS = itertools.count(1)
WARM_UP = 20  # hand-outs of each client before its clock starts


@dataclass(frozen=True)
class Ran:
    """One turn: how many a second, and what each took in milliseconds (pgbench does not tell)."""

    per_s: float
    took_ms: list[float]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with report.own_database():
        first_budget = _fill(options)
        pgbench = partial(_pgbench, options, _seen(), first_budget)
        turns: dict[str, Callable[[], Ran]] = {
            "spread": partial(_ours, options, hot=False),
            "spread_pgbench": partial(pgbench, hot=False),
            "hot": partial(_ours, options, hot=True),
            "hot_pgbench": partial(pgbench, hot=True),
        }
        ran: dict[str, list[Ran]] = {name: [] for name in turns}
        for _round in range(options.rounds):
            for name, turn in turns.items():
                ran[name].append(turn())
        return _figures(options, ran) | {"ledger_check": _check()}


def _figures(options: argparse.Namespace, ran: dict[str, list[Ran]]) -> dict[str, Any]:
    per_s = {name: median(turn.per_s for turn in turns) for name, turns in ran.items()}
    p99 = {name: median(_p99(turn.took_ms) for turn in ran[name]) for name in ("spread", "hot")}
    share, hot = per_s["spread"] / per_s["spread_pgbench"], per_s["hot"] / per_s["spread"]
    return {
        "clients": options.clients,
        "givers": options.givers,
        **{f"{name}_per_s": round(value) for name, value in per_s.items()},
        "spread_vs_pgbench": round(share, 3),
        "hot_vs_pgbench": round(per_s["hot"] / per_s["hot_pgbench"], 3),
        "hot_vs_spread": round(hot, 3),
        "p99_ms": round(max(p99.values()), 1),
        "spread_p99_ms": round(p99["spread"], 1),
        "meaning": f"{options.clients} clients hand out {per_s['spread']:.0f} gifts a second, {share:.0%} of what pgbench "
        f"does with the same SQL, and {hot:.0%} of that when all draw on one budget; "
        f"99 of 100 take less than {max(p99.values()):.0f} ms.",
    }


def _p99(took_ms: list[float]) -> float:
    return sorted(took_ms)[int(len(took_ms) * 0.99)]


def _check() -> str:
    from django.core.management import call_command

    said = StringIO()
    call_command("ledger_check", stdout=said)
    return f"clean: {said.getvalue().strip()}"


# --- the company -----------------------------------------------------------------------------------------------------


def _fill(options: argparse.Namespace) -> int:
    """Givers, campaigns and offers have their number as id, the hot ones the last; returns the account of campaign 0's
    budget, from which the others count on."""
    from people.models import Person

    Person.objects.bulk_create(
        Person(id=uuid.UUID(int=number), employee_number=f"B{number}", name=f"Giver {number}", roles=["employee"])
        for number in range(options.givers)
    )
    givers.fill_wallets()
    budgets = [givers.make_campaign(number) for number in range(options.campaigns + 1)]
    assert budgets == list(range(budgets[0], budgets[0] + len(budgets)))  # noqa: S101 — what pgbench counts on
    report.run_sql("VACUUM ANALYZE")
    return budgets[0]


# --- ours ------------------------------------------------------------------------------------------------------------


def _ours(options: argparse.Namespace, *, hot: bool) -> Ran:
    """Every client a process: a fork of this one, which has everything loaded."""
    from django.db import connections

    from people.models import Person

    people = list(Person.objects.all())
    connections.close_all()  # each its own
    fork = multiprocessing.get_context("fork")
    start, done = fork.Barrier(options.clients), fork.SimpleQueue()

    def client(number: int) -> None:
        draw = random.Random(number)  # noqa: S311 — not a secret
        offers = [options.campaigns] if hot else range(options.campaigns)
        done.put(_hand_outs(lambda: (draw.choice(people), draw.choice(offers)), start.wait, options.seconds))

    clients = [fork.Process(target=client, args=(number,)) for number in range(options.clients)]
    for one in clients:
        one.start()
    took_ms = [took for _client in clients for took in done.get()]
    for one in clients:
        one.join()
    return Ran(len(took_ms) / options.seconds, took_ms)


def _hand_outs(draw: Callable[[], tuple[Any, int]], ready: Callable[[], object], seconds: float) -> list[float]:
    """What each took, in milliseconds, from when all are ready."""
    for _one in range(WARM_UP):
        _hand_out(*draw())
    ready()
    ends, took = time.monotonic() + seconds, list[float]()
    while (began := time.monotonic()) < ends:
        _hand_out(*draw())
        took.append(1000 * (time.monotonic() - began))
    return took


def _hand_out(giver: Any, offer: int) -> None:
    from rewards import gifts, ledger

    ledger.retried(lambda: gifts.hand_out(giver, uuid.UUID(int=offer), request_key=str(uuid.uuid4())))


# --- pgbench ---------------------------------------------------------------------------------------------------------


@contextmanager
def _noting(seen: list[tuple[str, Any]]) -> Iterator[None]:
    from django.db import connection

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        seen.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield


def _seen() -> list[tuple[str, Any]]:
    """What the product sends for one hand-out, with its parameters."""
    from people.models import Person

    seen: list[tuple[str, Any]] = []
    with _noting(seen):
        _hand_out(Person(id=uuid.UUID(int=0)), 0)
    return seen


DRAWN = "\\set number :number + 1\n\\set giver random(0, {last_giver})\n\\set offer {offer}\n"
NUMBER = "lpad(to_hex({turn}::bigint * 1000 + :client_id), 16, '0') || lpad(to_hex(:number::bigint), 16, '0')"
EXPRESSIONS = {  # what pgbench draws anew each time; the rest stands as the product sent it
    "id": "({number})::uuid",
    "subject": "'gift:' || ({number})::uuid",
    "key": "'gift:' || ({number})::uuid || ':' || 'value'",
    "request_key": "'pgbench:' || {number}",
    "secret_digest": "sha256(convert_to({number}, 'UTF8'))",
    "code_digest": "sha256(convert_to('code' || {number}, 'UTF8'))",
    "giver": "lpad(to_hex(:giver::bigint), 32, '0')::uuid",
    "offer": "lpad(to_hex(:offer::bigint), 32, '0')::uuid",
    "campaign": "lpad(to_hex(:offer::bigint), 32, '0')::uuid",
    "budget": "({first_budget} + :offer)",
}


def _pgbench(options: argparse.Namespace, seen: list[tuple[str, Any]], first_budget: int, *, hot: bool) -> Ran:
    """One turn of pgbench with what the product was seen to send, in its way of sending it."""
    from django.conf import settings
    from django.db import connection

    from backend import embedded

    database = connection.settings_dict
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_script(options, seen, first_budget, hot=hot))
        script.flush()
        command = [
            str(embedded.program("pgbench")),
            *("--no-vacuum", f"--client={options.clients}", "--jobs=2", f"--time={options.seconds}"),
            f"--protocol={'prepared' if settings.PREPARED_STATEMENTS else 'simple'}",
            *("--define=number=0", f"--file={script.name}"),
            *(f"--host={database['HOST']}", f"--port={database['PORT']}", f"--username={database['USER']}"),
            str(database["NAME"]),
        ]
        secret = {**os.environ, "PGPASSWORD": str(database["PASSWORD"])}
        done = subprocess.run(command, env=secret, check=True, capture_output=True, text=True)  # noqa: S603
    return Ran(float(re.findall(r"tps = ([\d.]+)", done.stdout)[0]), [])


def _script(options: argparse.Namespace, seen: list[tuple[str, Any]], first_budget: int, *, hot: bool) -> str:
    offer = str(options.campaigns) if hot else f"random(0, {options.campaigns - 1})"
    number = NUMBER.format(turn=next(TURNS))
    drawn = {name: text.format(number=number, first_budget=first_budget) for name, text in EXPRESSIONS.items()}
    lines = [one_line(sql, parameters, drawn) for sql, parameters in seen]
    return DRAWN.format(last_giver=options.givers - 1, offer=offer) + "\n".join(lines)


def one_line(sql: str, parameters: Any, drawn: dict[str, str]) -> str:
    """The statement with pgbench's expressions in place of what differs from hand-out to hand-out."""
    if not isinstance(parameters, dict):  # the offer is looked up by its id
        return " ".join(sql.split()) % drawn["offer"] + ";"
    filled = {name: drawn.get(name) or _literal(value) for name, value in parameters.items()}
    return " ".join(re.sub(r"--.*", "", sql).split()) % filled + ";"


def _literal(value: Any) -> str:
    """Without a colon, which means a variable to pgbench."""
    from psycopg import sql

    return f"to_timestamp({value.timestamp()})" if isinstance(value, datetime) else sql.quote(value)


if __name__ == "__main__":
    report.run(__doc__ or "", measure, givers=5000, campaigns=500, clients=16, seconds=5, rounds=5)
