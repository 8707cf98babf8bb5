"""Is the service well? For load balancers the status code, for operators the body.

200 while requests can be served, whatever else stands still: a load balancer that took every web server out because beat
is missing would turn a delay into an outage.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import Field

from backend import clock, pulse
from backend.manners import Schema

router = Router(tags=["service"])

WAITS_TOO_LONG = timedelta(minutes=10)
COUNTED_MAX = 1000
# The due rows of each queue: table, due column, condition of its partial index, and whether real time counts.
QUEUES: dict[str, tuple[str, str, str, bool]] = {
    "deliveries": ("notifications_delivery", "due_at", "(state = 'due' AND held_until IS NULL OR state = 'unknown')", True),
    "unknown_outcomes": ("notifications_delivery", "due_at", "state = 'unknown'", True),
    "inbound": ("notifications_inboundmessage", "due_at", "state = 'received'", False),
    "offers": ("questions_assignment", "expires_at", "state = 'offered'", False),
    "promises": ("questions_round", "next_step_at", "next_step_at IS NOT NULL", False),
    "routing": ("questions_question", "route_at", "route_at IS NOT NULL", False),
}


class PartOut(Schema):
    name: str = Field(
        description="`web`, `live`, `worker`, `beat`, `mail-in`, or `timetable`: timed work gets from beat to a worker."
    )
    age_seconds: float = Field(description="Since its last sign of life.")
    stale: bool


class QueueOut(Schema):
    name: str
    due: int = Field(description=f"Rows whose time has come; counted up to {COUNTED_MAX}.")
    oldest_seconds: float = Field(description="How long the oldest of them has waited; 0 for none.")
    stale: bool


class Health(Schema):
    status: str = Field(description="`ok`, or `degraded`: requests are served, but something below stands still.")
    parts: list[PartOut]
    queues: list[QueueOut]


@router.get("/health", response=Health, auth=None, operation_id="health", summary="Can requests be served?")
def health(request: HttpRequest) -> dict[str, Any]:
    """200 while requests can be served. What stands still is in the body; 503 only when the database does not answer."""
    parts, queues = pulse.parts(clock.real()), waiting()
    well = not (any(part.stale for part in parts) or any(queue.stale for queue in queues))
    return {"status": "ok" if well else "degraded", "parts": parts, "queues": queues}


def waiting() -> list[QueueOut]:
    """What is due in each queue, in one query over the indexes that the sweeps use."""
    selects: list[str] = []
    values: list[Any] = []
    for table, due, condition, is_real in QUEUES.values():
        at = clock.real() if is_real else clock.now()
        rows = f"SELECT {due} AS due FROM {table} WHERE {condition} AND {due} <= %s ORDER BY {due} LIMIT %s"  # noqa: S608
        selects.append(f"SELECT count(*), extract(epoch FROM %s - min(due)) FROM ({rows}) AS due_rows")  # noqa: S608
        values += [at, at, COUNTED_MAX]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(selects), values)
        found = cursor.fetchall()
    return [_queue(name, count, float(age or 0)) for name, (count, age) in zip(QUEUES, found, strict=True)]


def _queue(name: str, due: int, age: float) -> QueueOut:
    return QueueOut(name=name, due=due, oldest_seconds=round(age, 1), stale=age > WAITS_TOO_LONG.total_seconds())


def queues_that_wait(at: datetime) -> dict[str, str]:
    """For the operator: the queues whose oldest row has waited too long, each with a sentence."""
    return {
        f"queue:{queue.name}": _("%(queue)s: %(due)s due, the oldest for %(minutes)s min.")
        % {"queue": queue.name, "due": queue.due, "minutes": round(queue.oldest_seconds / 60)}
        for queue in waiting()
        if queue.stale
    }
