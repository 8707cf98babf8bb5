"""Threads that wait for providers, for one thread that has the database."""

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import sleep
from typing import Generic, Self, TypeVar

from django.db import connections

MANY = 8
LINGER_SECONDS = 0.01

Job = TypeVar("Job")
Result = TypeVar("Result")


class Pool(Generic[Job, Result]):
    """At most `size` jobs at once, in threads that start when they are needed. Leaving it waits for those under way.

    Jobs of one `line` run one after the other, in the order in which they were started.
    """

    def __init__(self, size: int) -> None:
        self.busy = 0  # started and not given out by `finished` yet
        self._behind: dict[Hashable, deque[tuple[Job, Callable[[], Result]]]] = {}  # who waits, by line
        self._line_of: dict[int, Hashable] = {}  # of the jobs under way, by their identity
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="provider")
        self._done: SimpleQueue[tuple[Job, Result]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def start(self, job: Job, work: Callable[[], Result], line: Hashable) -> None:
        """`work` raises nothing: what went wrong is its result."""
        self.busy += 1
        if line in self._behind:
            self._behind[line].append((job, work))
        else:
            self._behind[line] = deque()
            self._submit(job, work, line)

    def _submit(self, job: Job, work: Callable[[], Result], line: Hashable) -> None:
        self._line_of[id(job)] = line
        self._threads.submit(self._run, job, work)

    def _next(self, job: Job) -> None:
        """The one behind this job has its turn."""
        line = self._line_of.pop(id(job))
        if self._behind[line]:
            self._submit(*self._behind[line].popleft(), line)
        else:
            del self._behind[line]

    def _run(self, job: Job, work: Callable[[], Result]) -> None:
        try:
            self._done.put((job, work()))
        finally:
            connections.close_all()  # should the work have asked the database: nobody else would use its connection

    def finished(self, wait_seconds: float | None = None) -> list[tuple[Job, Result]]:
        """What is done by now; when nothing is, waits for the first, at most so long.

        While many are under way it lingers after the first: what is noted together costs the database little more than one.
        """
        found: list[tuple[Job, Result]] = []
        with suppress(Empty):
            if self.busy:
                found.append(self._done.get(timeout=wait_seconds))
            if self.busy > MANY:
                sleep(LINGER_SECONDS)
            while True:
                found.append(self._done.get_nowait())
        self.busy -= len(found)
        for job, _result in found:
            self._next(job)
        return found
