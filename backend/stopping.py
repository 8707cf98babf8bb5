"""Told to stop: what SIGTERM and SIGINT do to a program that runs until then."""

import signal
import time

STEP_SECONDS = 0.1


class Stop:
    """Set by SIGTERM or SIGINT.

    Not a `threading.Event`: its lock is not reentrant, so a signal that comes while the main thread is in `set` or `wait`
    (two at once do: a supervisor's and the kernel's when the parent dies) would wait for itself for ever. A plain flag has
    no lock; who waits looks ten times a second.
    """

    def __init__(self) -> None:
        self._told = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())

    def set(self) -> None:
        self._told = True

    def is_set(self) -> bool:
        return self._told

    def wait(self, seconds: float | None = None) -> bool:
        """Until told to stop, or for so long; returns whether it was told."""
        ends = None if seconds is None else time.monotonic() + seconds
        while not self._told and (ends is None or time.monotonic() < ends):
            time.sleep(STEP_SECONDS)
        return self._told
