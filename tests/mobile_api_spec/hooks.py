"""Loaded by schemathesis (SCHEMATHESIS_HOOKS)."""

import re
import uuid
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Each request has a key of its own, as an app's would; one that is broken on purpose stays broken."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(r"[!-~]{8,128}", key):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
