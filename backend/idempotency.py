"""`Idempotency-Key`: the same request twice does its work once and answers the same.

The key is inserted in the transaction that does the work. A second request with the key waits at the unique constraint
until the first has committed, and then reads its answer; when the first rolled back (a crash, a 5xx) the key is free again.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

import orjson
from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from backend import clock, prepared
from backend.errors import Invalid, Refusal
from backend.manners import PROBLEM_TYPE, Schema, problem
from backend.models import RequestKey
from backend.retry import until_done

KEEP = timedelta(days=7)
HEADER = "Idempotency-Key"
KEY = re.compile(r"[!-~]{8,128}")
TAKEN = "idempotency_key"  # the parameter of operations that take it themselves
READS = frozenset({"GET", "HEAD", "OPTIONS"})


class KeyReused(Refusal):
    """The key came before, with another request."""

    code = "idempotency_key_reused"
    status = 422


Reveal = Callable[[dict[str, Any]], dict[str, Any]]


def once(
    request: HttpRequest,
    key: str,
    work: Callable[[], tuple[int, Schema | None]],
    *,
    owner: UUID | None = None,
    reveal: Reveal | None = None,
) -> HttpResponse:
    """Run `work` at most once for this `key` of its owner (the person who asks, unless said otherwise).

    A repetition gets the first response, byte for byte. Refusals of the core are remembered like successes, unless they say
    that they are not final; anything else rolls back and frees the key. `reveal` adds to each answer what must not be
    stored; it must add the same each time.
    Raises KeyReused when the same key came with another method, path or body.
    """
    owner = owner or request.auth.pk  # type: ignore[attr-defined]
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).digest()
    try:
        with transaction.atomic():
            fresh = _claim(owner, key, digest)
            if fresh:
                status, body = _run(work)
                _remember(owner, key, status, body)
    except Refusal as refusal:  # the work is undone, and the claim with it
        if not refusal.is_final:
            raise
        status, body = refusal.status, problem(refusal.status, refusal.code, refusal.message).content
        fresh = _claim(owner, key, digest, status, body)
    if not fresh:
        status, body = _first(owner, key, digest)
    if status == 204:
        return HttpResponse(status=status, headers=_replayed(fresh))
    if status >= 400:
        return HttpResponse(body, status=status, content_type=PROBLEM_TYPE, headers=_replayed(fresh))
    if reveal:
        body = orjson.dumps(reveal(orjson.loads(body)))
    return HttpResponse(body, status=status, content_type="application/json", headers=_replayed(fresh))


def _replayed(fresh: bool) -> dict[str, str]:
    return {} if fresh else {"Idempotent-Replayed": "true"}


def _claim(owner: UUID, key: str, digest: bytes, status: int = 0, body: bytes = b"") -> bool:
    """False when it came before."""
    with prepared.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backend_requestkey (owner, key, request_digest, status, body, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (owner, key) DO NOTHING",
            [owner, key, digest, status, body, clock.real()],
        )
        return bool(cursor.rowcount == 1)


def _remember(owner: UUID, key: str, status: int, body: bytes) -> None:
    with prepared.cursor() as cursor:
        cursor.execute(
            "UPDATE backend_requestkey SET status = %s, body = %s WHERE owner = %s AND key = %s", [status, body, owner, key]
        )


def _first(owner: UUID, key: str, digest: bytes) -> tuple[int, bytes]:
    first = RequestKey.objects.get(owner=owner, key=key)
    if bytes(first.request_digest) != digest:
        raise KeyReused(_("This Idempotency-Key was already used for another request."))
    return first.status, bytes(first.body)


def _run(work: Callable[[], tuple[int, Schema | None]]) -> tuple[int, bytes]:
    status, result = work()
    return status, b"" if result is None else orjson.dumps(result.model_dump(mode="json", by_alias=True))


# --- for every operation that writes ---------------------------------------------------------------------------------


def for_every_write(operation: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that takes no key of its own takes one all the same: those that may be done twice, too, answer the
    repetition of a request with its first answer. Uploads and tills, which have their receipts, are left alone."""

    @wraps(operation)
    def keyed(request: HttpRequest, **values: Any) -> Any:
        key = request.headers.get(HEADER)
        if request.method in READS or key is None or TAKEN in values or not _may_be_kept(request):
            return operation(request, **values)
        if not KEY.fullmatch(key):
            raise Invalid(_("An Idempotency-Key has 8 to 128 printable characters."))
        return until_done(once, request, key, lambda: _outcome(operation(request, **values)))

    return keyed


def _may_be_kept(request: HttpRequest) -> bool:
    is_person = isinstance(getattr(request, "auth", None), get_user_model())
    return is_person and not (request.content_type or "").startswith("multipart/")


def _outcome(result: Any) -> tuple[int, Schema | None]:
    """Without a key of their own, operations answer with a thing or with nothing."""
    if isinstance(result, Schema):
        return 200, result
    if isinstance(result, HttpResponse) and result.status_code == 204:
        return 204, None
    raise TypeError(f"this answer cannot be kept: {type(result).__name__}; take the Idempotency-Key as a parameter")


def purge() -> int:
    """Forget keys older than a week; returns how many."""
    return RequestKey.objects.filter(created_at__lt=clock.real() - KEEP).delete()[0]
