"""kill -9 while a hand-out is under way: nothing of it stays, and the same key afterwards does it once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection, transaction

from backend import embedded
from people.models import AccessToken
from rewards.models import Account, Gift, Hold
from tests.conftest import Cast
from tests.rewards.conftest import Mall, available, earn

READY_SECONDS = 60.0


@contextmanager
def web(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """The product's web server on the test's own database, in a process group of its own."""
    database = connection.settings_dict
    address = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{address}"
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "backend.wsgi:application"]
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: requests.get(f"http://127.0.0.1:{port}/api/v1/health", timeout=2).ok)
        yield process
    finally:
        kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(look: Any) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if look():
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@pytest.mark.heavy
def test_a_hand_out_that_was_killed_is_not_there_and_the_retry_does_it_once(cast: Cast, mall: Mall) -> None:
    earn(cast.alice, 10)
    headers = {"Authorization": f"Bearer {AccessToken.issue(cast.alice)}", "Idempotency-Key": "gift-0001"}
    port = embedded.free_port()

    def ask() -> requests.Response:
        body = {"offer_id": str(mall.coffee.pk)}
        return requests.post(f"http://127.0.0.1:{port}/api/v1/gifts", json=body, headers=headers, timeout=30)

    with web(port) as server, ThreadPoolExecutor(1) as client:
        with transaction.atomic():  # the last lock that a hand-out takes: all its other writes are done then
            Account.objects.select_for_update().get(pk=mall.campaign.budget_id)
            answer = client.submit(ask)
            until(waiting_for_a_lock)
            kill(server)
        with pytest.raises(requests.RequestException):
            answer.result()
    until(lambda: not waiting_for_a_lock())
    assert (Gift.objects.count(), Hold.objects.count(), available(cast.alice)) == (0, 0, 10)
    with web(port):
        first, second = ask(), ask()
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert (Gift.objects.count(), available(cast.alice)) == (1, 0)
