"""What only the tests of channels need."""

from collections.abc import Callable

import pytest

from sandbox import fcm


@pytest.fixture
def fcm_requests(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many requests came in at the Firebase look-alike since the test began, answered or not."""
    seen: list[bytes] = []
    judge = fcm.Handler._answer

    def counted(handler: fcm.Handler, raw: bytes) -> fcm.Answer:
        seen.append(raw)
        return judge(handler, raw)

    monkeypatch.setattr(fcm.Handler, "_answer", counted)
    return lambda: len(seen)
