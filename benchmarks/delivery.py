"""How fast one worker process drains the queue of SMS: the product's own code, Twilio's client, a real PostgreSQL, and a
Twilio look-alike in a process of its own that answers after 50 ms.

A fan-out of `messages` is drained as a ring does it. Meanwhile, four a second, somebody asks for a sign-in code:
`urgent_p99_s` is from its row to the look-alike's log. `doubled` and `lost` are counted from that log alone.
`claim_only_per_s` takes and notes rows of the same table in the same way without a provider; `client_only_per_s` is what
Twilio's client does alone with as many threads, so the two tell where the time goes. `one_by_one_per_s` is a worker that
waits for each answer.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks import report

LATENCY_SECONDS = 0.05
URGENT_PAUSE_SECONDS = 0.25
ONE_BY_ONE = 40


def measure(options: argparse.Namespace) -> dict[str, Any]:
    from backend import embedded

    port = embedded.free_port()
    os.environ["SANDBOX_TWILIO_PORT"] = str(port)
    with report.own_database(), tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        asked: dict[str, float] = {}
        with _look_alike(port, log):
            figures = _measure(options.messages, asked)
        seen = _arrivals(log)
        waits = sorted(seen[code][0] - at for code, at in asked.items() if code in seen)
        wanted = [*asked, *(f"send {one}" for one in range(options.messages))]
        return figures | {
            "urgent": len(asked),
            "urgent_p99_s": round(waits[ceil(0.99 * len(waits)) - 1], 3),
            "doubled": sum(len(seen[body]) > 1 for body in wanted if body in seen),
            "lost": sum(body not in seen for body in wanted),
        }


@contextmanager
def _look_alike(port: int, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.lookalike", "--port", str(port), "--log", str(log)]
    with subprocess.Popen([*command, "--latency", str(LATENCY_SECONDS)], stdout=subprocess.PIPE) as server:  # noqa: S603
        assert server.stdout is not None  # noqa: S101 — for the type checker: it was asked for
        server.stdout.readline()
        try:
            yield
        finally:
            time.sleep(0.5)  # its log is written out a few times a second
            server.terminate()


def _measure(messages: int, asked: dict[str, float]) -> dict[str, Any]:
    from notifications import delivery

    fill("warm", 500)
    delivery.drain()
    claims = messages / _seconds(lambda: _without_provider(messages))
    client = _client_only(min(messages, 3000))
    fill("one", ONE_BY_ONE)
    one_by_one = ONE_BY_ONE / _seconds(lambda: [delivery.send_due(1) for _number in range(ONE_BY_ONE)])
    fill("send", messages)
    done = threading.Event()
    people = threading.Thread(target=_ask_for_codes, args=(asked, done))
    people.start()
    cpu = time.process_time()
    seconds = _seconds(delivery.drain)
    cpu = time.process_time() - cpu
    done.set()
    people.join()
    delivery.drain()
    return {
        "messages": messages,
        "deliveries_per_s": round((messages + len(asked)) / seconds),
        "cpu_ms_each": round(1000 * cpu / (messages + len(asked)), 2),
        "client_only_per_s": round(client),
        "claim_only_per_s": round(claims),
        "one_by_one_per_s": round(one_by_one),
    }


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def number(one: int) -> str:
    """Everybody has a phone of their own: one number hears one thing after the other."""
    return f"+316{one:08}"


def fill(name: str, messages: int) -> None:
    """A fan-out: so many rows at once, not urgent."""
    from backend import clock
    from notifications.models import Delivery
    from notifications.outbox import LIFETIME

    at = clock.real()
    Delivery.objects.bulk_create(
        (
            Delivery(
                key=f"{name}:{one}",
                channel="sms",
                to=number(one),
                body=f"{name} {one}",
                created_at=at,
                due_at=at,
                expires_at=at + LIFETIME,
            )
            for one in range(messages)
        ),
        batch_size=1000,
    )


def _without_provider(messages: int) -> None:
    """Claim and note as the drain does, with an answer at once."""
    from notifications import delivery

    fill("claim", messages)
    while taken := delivery.claim_lanes({("sms", False): 40}):
        sendable = delivery._sendable(taken)
        delivery.note([(row, uuid.uuid4().hex) for row in sendable])


def _client_only(messages: int) -> float:
    from notifications import delivery
    from notifications.channels import sms
    from notifications.models import Delivery

    rows = [Delivery(channel="sms", to=number(one), body=f"client {one}") for one in range(messages)]
    with ThreadPoolExecutor(delivery.AT_ONCE["sms", False]) as threads:
        return messages / _seconds(lambda: list(threads.map(sms.send, rows)))


def _ask_for_codes(asked: dict[str, float], done: threading.Event) -> None:
    """People sign in while the fan-out leaves."""
    from django.db import connection

    from notifications import outbox

    while not done.wait(URGENT_PAUSE_SECONDS):
        code = f"code {uuid.uuid4().hex}"
        asked[code] = time.monotonic()
        outbox.enqueue(key=code, channel="sms", to=number(len(asked) + 10**7), body=code, is_secret=True)
    connection.close()


def _arrivals(log: Path) -> dict[str, list[float]]:
    """When each message came in at the look-alike, by its text."""
    seen: dict[str, list[float]] = defaultdict(list)
    for line in log.read_text().splitlines():
        at, body = line.split("\t", 1)
        seen[body].append(float(at))
    return dict(seen)


if __name__ == "__main__":
    report.run(__doc__ or "", measure, messages=10_000)
