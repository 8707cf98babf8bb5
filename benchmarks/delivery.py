"""How fast one worker drains the queue of SMS: the product's own code, a real PostgreSQL, a Twilio look-alike over HTTP.

`claim_only_per_s` takes the same rows from the same table without sending; the ratio tells what sending costs. Measured in
turn, so that a noisy machine spoils both alike. `doubled` and `lost` are counted from the look-alike's own log.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report

ROUNDS = 3


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Start everything in a folder of its own, measure, and remove it."""
    from backend import embedded

    folder = Path(tempfile.mkdtemp(prefix="ceo-benchmark-"))
    folder.chmod(0o755)
    os.environ |= {
        "VAR_DIR": str(folder),
        "SANDBOX_TWILIO_PORT": str(embedded.free_port()),
        "DJANGO_SETTINGS_MODULE": "backend.settings",
        "LOG_LEVEL": "ERROR",
    }
    embedded.start(folder)
    try:
        return _measure(options.messages)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _measure(messages: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from sandbox.models import Letter
    from sandbox.twilio import Server

    call_command("migrate", verbosity=0)
    server = Server("127.0.0.1", settings.SANDBOX_TWILIO_PORT)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    claims, sends = [], []
    for number in range(ROUNDS):
        claims.append(_claim_only(f"claim {number}", messages))
        sends.append(_send(f"send {number}", messages))
    server.shutdown()
    seen = Counter(Letter.objects.values_list("body", flat=True))
    wanted = [f"send {number} {one}" for number in range(ROUNDS) for one in range(messages)]
    return {
        "messages": messages,
        "deliveries_per_s": round(median(sends)),
        "claim_only_per_s": round(median(claims)),
        "sent_to_claimed_ratio": round(median(sends) / median(claims), 3),
        "doubled": sum(seen[body] > 1 for body in wanted),
        "lost": sum(seen[body] == 0 for body in wanted),
    }


def _fill(name: str, messages: int) -> None:
    from backend import clock
    from notifications.models import Delivery
    from notifications.outbox import LIFETIME

    at = clock.real()
    Delivery.objects.bulk_create(
        Delivery(
            key=f"{name}:{one}",
            channel="sms",
            to="+31612345678",
            body=f"{name} {one}",
            created_at=at,
            due_at=at,
            expires_at=at + LIFETIME,
        )
        for one in range(messages)
    )


def _claim_only(name: str, messages: int) -> float:
    from notifications import delivery
    from notifications.models import Delivery

    _fill(name, messages)
    began = time.perf_counter()
    while delivery.claim(delivery.BATCH):
        pass
    per_second = messages / (time.perf_counter() - began)
    Delivery.objects.all().delete()
    return per_second


def _send(name: str, messages: int) -> float:
    from notifications import delivery

    _fill(name, messages)
    began = time.perf_counter()
    while delivery.send_due():
        pass
    return messages / (time.perf_counter() - began)


if __name__ == "__main__":
    report.run(__doc__ or "", measure, messages=500)
