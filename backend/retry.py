"""Work that lost against a parallel worker is done once more: PostgreSQL ends one of two that wait for each other.

Nothing of it has happened then, so the whole transaction may run again. Only for the outermost call: inside a transaction
the error must reach whoever opened it.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

log = logging.getLogger(__name__)

TRIES = 4
PAUSE_SECONDS = 0.05
LOST = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, a lock that took too long
P = ParamSpec("P")
R = TypeVar("R")


def until_done(act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `act`, a whole transaction, again when it lost against another; four times at most, then the error is raised."""
    for attempt in range(1, TRIES + 1):
        try:
            return act(*args, **kwargs)
        except OperationalError as error:
            if attempt == TRIES or connection.in_atomic_block or not is_lost_race(error):
                raise
            log.info("again after a lost race attempt=%s error=%s", attempt, type(error.__cause__).__name__)
            time.sleep(PAUSE_SECONDS * attempt * random.uniform(0.5, 1.5))  # noqa: S311 — not a secret
    raise AssertionError("unreachable")


def is_lost_race(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", None) in LOST
