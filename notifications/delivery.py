"""The outgoing queue: take what is due, send it, note the outcome.

A row is leased before anything is sent. Whoever finds a lease that ran out knows that a worker died around the moment of
sending: the outcome is unknown. A mail goes out again under the same Message-ID; an SMS only after the provider, asked
for what it has, does not know it. Times are real time here (leases, provider queues), not the product's clock.
"""

import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q

from backend import clock
from notifications import addresses, planning
from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.channels import email as email_channel
from notifications.channels import sms as sms_channel
from notifications.models import Channel, Delivery

log = logging.getLogger(__name__)

State = Delivery.State
BATCH = 20
ATTEMPTS_MAX = 8
BACKOFF_FIRST_SECONDS = 5
BACKOFF_MAX_SECONDS = 900

SEND: dict[str, Callable[[Delivery], str]] = {Channel.EMAIL: email_channel.send, Channel.SMS: sms_channel.send}


def send_due(limit: int = BATCH) -> int:
    """Send up to `limit` due messages; returns how many were taken. Safe to run in any number of workers."""
    reclaim_lost()
    taken = claim(limit)
    for delivery in taken:
        _attempt(delivery)
    return len(taken)


def claim(limit: int) -> list[Delivery]:
    """Lease due rows, oldest first. SKIP LOCKED: two workers never wait for, or get, the same row."""
    at = clock.real()
    lease_until = at + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH mine AS (SELECT id FROM notifications_delivery WHERE state = 'due' AND due_at <= %s"
            " ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE notifications_delivery d SET state = 'leased', lease_until = %s, attempts = attempts + 1,"
            " attempted_at = %s FROM mine WHERE d.id = mine.id RETURNING d.id",
            [at, limit, lease_until, at],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Delivery.objects.filter(pk__in=ids).select_related("person").order_by("due_at"))


def _attempt(delivery: Delivery) -> None:
    """Send one leased row. Nothing here holds a transaction open while the provider is asked."""
    at = clock.real()
    if delivery.expires_at <= at:
        finish(delivery, State.EXPIRED, error="too_old")
    elif not _may_send(delivery):
        finish(delivery, State.SUPPRESSED, error="stopped")
    else:
        _send(delivery)


def _may_send(delivery: Delivery) -> bool:
    known = addresses.owner(delivery.channel, delivery.to)
    return known is None or known.stopped_at is None


def _send(delivery: Delivery) -> None:
    try:
        provider_id = SEND[delivery.channel](delivery)
    except TryLater as trouble:
        _try_later(delivery, str(trouble))
    except Undeliverable as trouble:
        if trouble.address_is_dead:
            addresses.stop(delivery.channel, delivery.to)
        finish(delivery, State.FAILED, error=str(trouble))
    except Unknown as trouble:
        _mark_unknown(delivery, str(trouble))
    except Exception:
        log.exception("delivery broke id=%s", delivery.pk)
        _mark_unknown(delivery, "broke")
    else:
        mark_sent(delivery.pk, provider_id)


def _held(delivery: Delivery) -> Any:
    """This attempt's row, if it is still ours: the attempt's number is the fence against a worker that woke up late."""
    return Delivery.objects.filter(pk=delivery.pk, state=State.LEASED, attempts=delivery.attempts)


def _try_later(delivery: Delivery, error: str) -> None:
    if delivery.attempts >= ATTEMPTS_MAX:
        finish(delivery, State.FAILED, error=error)
        return
    wait = min(BACKOFF_FIRST_SECONDS * 2 ** (delivery.attempts - 1), BACKOFF_MAX_SECONDS)
    wait *= random.uniform(0.75, 1.25)  # noqa: S311 — jitter, not a secret
    due_at = clock.real() + timedelta(seconds=wait)
    _held(delivery).update(state=State.DUE, due_at=due_at, lease_until=None, error=error[:200])


def _mark_unknown(delivery: Delivery, error: str) -> None:
    """A mail may simply go again (same Message-ID); an SMS waits for the provider's word."""
    if delivery.channel == Channel.EMAIL:
        _try_later(delivery, f"unknown: {error}")
        return
    due_at = clock.real() + timedelta(seconds=settings.DELIVERY_UNKNOWN_SECONDS)
    _held(delivery).update(state=State.UNKNOWN, due_at=due_at, lease_until=None, error=error[:200])


def mark_sent(delivery_id: UUID, provider_id: str) -> bool:
    """The provider has it. False when that was known already (its callback was faster than its answer)."""
    with transaction.atomic():
        sent = Delivery.objects.filter(
            pk=delivery_id, state__in=[State.LEASED, State.UNKNOWN, State.DUE], sent_at__isnull=True
        ).update(state=State.SENT, provider_id=provider_id, sent_at=clock.real(), lease_until=None, error="")
        Delivery.objects.filter(pk=delivery_id, provider_id="").update(provider_id=provider_id)
        Delivery.objects.filter(pk=delivery_id, is_secret=True, state=State.SENT).update(body="", subject="")
    return bool(sent)


def finish(delivery: Delivery, state: str, *, error: str = "") -> None:
    """The end of a leased row that will not be sent any more."""
    done = _held(delivery).update(state=state, error=error[:200], finished_at=clock.real(), lease_until=None)
    if done:
        _wipe_secret(delivery)
        planning.after_failure(delivery)


def note_status(delivery_id: UUID, provider_id: str, status: str, error: str = "") -> bool:
    """A provider's callback. Only ever moves forward, in whatever order callbacks arrive.

    `status` is Twilio's: queued, sending, sent, delivered, undelivered, failed. Returns whether anything moved.
    """
    if status in {"queued", "accepted", "scheduled", "sending", "sent"}:
        return mark_sent(delivery_id, provider_id)
    if status not in {"delivered", "undelivered", "failed"}:
        return False
    open_states = [State.LEASED, State.UNKNOWN, State.DUE, State.SENT]
    rows = Delivery.objects.filter(Q(provider_id="") | Q(provider_id=provider_id), pk=delivery_id, state__in=open_states)
    at = clock.real()
    moved = rows.update(
        state=status, provider_id=provider_id, error=error[:200], finished_at=at, lease_until=None, sent_at=at
    )
    if moved:
        delivery = Delivery.objects.get(pk=delivery_id)
        _wipe_secret(delivery)
        if status != "delivered":
            planning.after_failure(delivery)
    return bool(moved)


def _wipe_secret(delivery: Delivery) -> None:
    if delivery.is_secret:
        Delivery.objects.filter(pk=delivery.pk).update(body="", subject="")


def reclaim_lost() -> int:
    """Rows whose worker died while it held the lease: outcome unknown."""
    at = clock.real()
    lost = Delivery.objects.filter(state=State.LEASED, lease_until__lte=at)
    wait = timedelta(seconds=settings.DELIVERY_UNKNOWN_SECONDS)
    sms = lost.filter(channel=Channel.SMS).update(
        state=State.UNKNOWN, due_at=F("attempted_at") + wait, lease_until=None, error="lease ran out"
    )
    mail = lost.filter(channel=Channel.EMAIL).update(state=State.DUE, due_at=at, lease_until=None, error="lease ran out")
    return sms + mail


def resolve_unknown(limit: int = BATCH) -> int:
    """Ask the provider about SMS of unknown outcome: known → sent, unknown to it → due again. Returns how many."""
    at = clock.real()
    with transaction.atomic():
        rows = list(
            Delivery.objects.select_for_update(skip_locked=True)
            .filter(state=State.UNKNOWN, due_at__lte=at)
            .order_by("due_at")[:limit]
        )
        # Pushed ahead before asking, so that nobody else asks meanwhile and a death here only delays.
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
            due_at=at + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
        )
    for delivery in rows:
        _resolve(delivery)
    return len(rows)


def _resolve(delivery: Delivery) -> None:
    try:
        provider_id = sms_channel.look_up(delivery)
    except TryLater as trouble:
        log.warning("unknown outcome stays unknown id=%s %s", delivery.pk, trouble)
        return
    if provider_id:
        mark_sent(delivery.pk, provider_id)
    else:
        Delivery.objects.filter(pk=delivery.pk, state=State.UNKNOWN).update(state=State.DUE, due_at=clock.real())
