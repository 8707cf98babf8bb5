"""A program that is told to stop ends, also when it is told many times at once."""

import os
import signal
import subprocess
import sys

from django.conf import settings

# It stays until its input is closed: a Python that is ending has given its signals back, and the last would kill it.
PROGRAM = """
import sys
from backend.stopping import Stop
stop = Stop()
print('ready', flush=True)
stop.wait()
print('over', flush=True)
sys.stdin.read()
"""
SIGNALS = 2000


def test_many_signals_at_once_end_it_and_none_makes_it_wait_for_itself() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for number in range(SIGNALS):
            os.kill(child.pid, signal.SIGINT if number % 2 else signal.SIGTERM)
        try:
            said, _nothing = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (said, child.returncode) == ("over\n", 0)
