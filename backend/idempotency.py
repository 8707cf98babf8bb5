"""`Idempotency-Key`: the same request twice does its work once and answers the same.

The key is inserted in the transaction that does the work. A second request with the key waits at the unique constraint
until the first has committed, and then reads its answer; when the first rolled back (a crash, a 5xx) the key is free again.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from backend.manners import Schema, problem
from backend.models import RequestKey

KEEP = timedelta(days=7)


class KeyReused(Refusal):
    """The key came before, with another request."""

    code = "idempotency_key_reused"
    status = 422


def once(request: HttpRequest, key: str, work: Callable[[], tuple[int, Schema]]) -> HttpResponse:
    """Run `work` for this person's `key` at most once; a repetition gets the first response, byte for byte.

    Refusals of the core are remembered like successes; anything else rolls back and frees the key.
    Raises KeyReused when the same key came with another method, path or body.
    """
    person: Any = request.auth  # type: ignore[attr-defined]
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).digest()
    with transaction.atomic():
        if not _claim(person.pk, key, digest):
            return _replay(person.pk, key, digest)
        status, body, content_type = _run(work)
        RequestKey.objects.filter(person=person, key=key).update(status=status, body=body)
    return HttpResponse(body, status=status, content_type=content_type)


def _claim(person_id: Any, key: str, digest: bytes) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backend_requestkey (person_id, key, request_digest, status, body, created_at)"
            " VALUES (%s, %s, %s, 0, '', %s) ON CONFLICT (person_id, key) DO NOTHING",
            [person_id, key, digest, clock.real()],
        )
        return bool(cursor.rowcount == 1)


def _replay(person_id: Any, key: str, digest: bytes) -> HttpResponse:
    first = RequestKey.objects.get(person_id=person_id, key=key)
    if bytes(first.request_digest) != digest:
        raise KeyReused(_("This Idempotency-Key was already used for another request."))
    content_type = "application/json" if first.status < 400 else "application/problem+json"
    return HttpResponse(
        bytes(first.body), status=first.status, content_type=content_type, headers={"Idempotent-Replayed": "true"}
    )


def _run(work: Callable[[], tuple[int, Schema]]) -> tuple[int, bytes, str]:
    try:
        with transaction.atomic():
            status, result = work()
    except Refusal as refusal:
        response = problem(refusal.status, refusal.code, refusal.message)
        return refusal.status, response.content, response["Content-Type"]
    return status, orjson.dumps(result.model_dump(mode="json", by_alias=True)), "application/json"


def purge() -> int:
    """Forget keys older than a week; returns how many."""
    return RequestKey.objects.filter(created_at__lt=clock.real() - KEEP).delete()[0]
