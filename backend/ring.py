"""The doorbell to Celery: rows are the queue, a ring only says "look now".

A ring that is lost is found by the sweep; a ring that comes twice finds nothing to do. So ringing may fail, and it must
never fail or slow the request that rings: plain `delay()` on a dead broker blocks for seconds and raises after the commit.
"""

import logging
import threading
import time
from functools import cache

from django.conf import settings
from django.db import transaction
from kombu import Connection, pools

from backend.celery import app

log = logging.getLogger(__name__)

BROKEN_FOR_SECONDS = 1.0
# A broker that hangs is worse than a dead one. The worker's own connection waits longer: it listens.
PUBLISH_OPTIONS = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2, "retry_on_timeout": False, "max_retries": 0}
_broken_until = 0.0
_lock = threading.Lock()
lost = 0  # rings that did not reach the broker since this process started


def ring(task: str, *args: object) -> None:
    """Ask a worker to run the task of this name once the transaction that is open now has committed.

    By name, because tasks stand above what rings for them; a test knows that each name rung is a task's.
    """
    transaction.on_commit(lambda: _publish(task, args), robust=True)


@cache
def _bell() -> Connection:
    """What rings go through: the broker, with little patience."""
    return Connection(settings.CELERY_BROKER_URL, transport_options=PUBLISH_OPTIONS)


def _publish(task: str, args: tuple[object, ...]) -> None:
    """Publish without retries; after a failure stay silent for a second, so that a dead broker costs one time-out."""
    global _broken_until, lost
    if time.monotonic() < _broken_until:
        lost += 1
        return
    try:
        with pools.producers[_bell()].acquire(block=True, timeout=PUBLISH_OPTIONS["socket_timeout"]) as producer:
            app.send_task(task, args, retry=False, ignore_result=True, producer=producer)
    except Exception as error:  # noqa: BLE001 — whatever the broker's trouble is, the sweep will find the row
        with _lock:
            lost += 1
            _broken_until = time.monotonic() + BROKEN_FOR_SECONDS
        log.warning("ring lost task=%s error=%s", task, error)
