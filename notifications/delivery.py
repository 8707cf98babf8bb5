"""The outgoing queue: take what is due, send it, note the outcome.

A row is leased before anything is sent. Whoever finds a lease that ran out knows that a worker died around the moment of
sending: the outcome is unknown. A mail goes out again under the same Message-ID, a push under the same collapse key; an
SMS only after the provider, asked for what it has, does not know it. Times are real time here (leases, provider queues),
not the product's clock.
"""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from backend import clock
from notifications import budget, bundles, planning, providers, stops
from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Channel, Delivery, Notification, StopRecord

log = logging.getLogger(__name__)

State = Delivery.State
BATCH = 20
STARTS_WITHIN = 1 / 3  # of the lease; the rest of it is for the provider's time-outs
ATTEMPTS_MAX = 8
BACKOFF_FIRST_SECONDS = 5
BACKOFF_MAX_SECONDS = 900

OPEN = (State.LEASED, State.UNKNOWN, State.DUE, State.SENT)

SEND: dict[str, Callable[[Delivery], str]] = dict.fromkeys(Channel.values, providers.send)


def send_due(limit: int = BATCH) -> int:
    """Send up to `limit` due messages; returns how many were taken. Safe to run in any number of workers."""
    reclaim_lost()
    taken = claim(limit)
    for delivery in taken:
        if _has_time(delivery):
            _attempt(delivery)
        else:
            _give_back(delivery)
    return len(taken)


def _has_time(delivery: Delivery) -> bool:
    """Whether the lease outlasts a provider that hangs, now that those before it in the batch took their time.

    Without this a slow provider would let the lease run out, and somebody else would send the same at the same moment.
    """
    starts_within = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS) * STARTS_WITHIN
    return delivery.attempted_at is None or clock.real() < delivery.attempted_at + starts_within


def _give_back(delivery: Delivery) -> None:
    """Not tried at all: due as before."""
    _held(delivery).update(state=State.DUE, lease_until=None, attempts=F("attempts") - 1)


def claim(limit: int) -> list[Delivery]:
    """Lease due rows, oldest first. SKIP LOCKED: two workers never wait for, or get, the same row."""
    at = clock.real()
    lease_until = at + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH mine AS (SELECT id FROM notifications_delivery WHERE state = 'due' AND due_at <= %s"
            " AND held_until IS NULL ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE notifications_delivery d SET state = 'leased', lease_until = %s, attempts = attempts + 1,"
            " attempted_at = %s FROM mine WHERE d.id = mine.id RETURNING d.id",
            [at, limit, lease_until, at],
        )
        ids = [row[0] for row in cursor.fetchall()]
    rows = Delivery.objects.filter(pk__in=ids).select_related("person__preference", "notification")
    return list(rows.order_by("due_at"))


def _attempt(delivery: Delivery) -> None:
    """Send one leased row. Nothing here holds a transaction open while the provider is asked."""
    at = clock.real()
    if delivery.expires_at <= at:
        finish(delivery, State.EXPIRED, error="too_old")
    elif delivery.notification and delivery.notification.state == Notification.State.ACTED:
        finish(delivery, State.CANCELLED)
    elif not _may_send(delivery):
        finish(delivery, State.SUPPRESSED, error="stopped")
    elif until := planning.must_wait(delivery):
        _hold(delivery, until)
    elif delivery.is_bundle and not bundles.fill(delivery):
        finish(delivery, State.CANCELLED)
    elif not budget.charge(delivery):
        finish(delivery, State.SUPPRESSED, error="budget")
    else:
        _send(delivery)


def _hold(delivery: Delivery, until: datetime) -> None:
    """Quiet hours began while it waited: not tried at all, and looked at again when they end."""
    late = max(until - clock.now(), timedelta(0))
    _held(delivery).update(
        state=State.DUE,
        held_until=until,
        lease_until=None,
        attempts=F("attempts") - 1,
        expires_at=F("expires_at") + late,
    )


def _may_send(delivery: Delivery) -> bool:
    """Whether a phone with the app is still there, the channel asks."""
    return not stops.is_stopped(delivery.channel, delivery.to)


def _send(delivery: Delivery) -> None:
    try:
        provider_id = SEND[delivery.channel](delivery)
    except providers.Down as trouble:
        _postpone(delivery, str(trouble), wait_seconds=trouble.wait_seconds)
    except TryLater as trouble:
        _try_later(delivery, str(trouble), wait_seconds=trouble.wait_seconds)
    except Undeliverable as trouble:
        if trouble.address_is_dead:
            stops.stop(delivery.channel, delivery.to, word=str(trouble), source=StopRecord.Source.PROVIDER)
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


def _try_later(delivery: Delivery, error: str, *, wait_seconds: float = 0.0) -> None:
    if delivery.attempts >= ATTEMPTS_MAX:
        finish(delivery, State.FAILED, error=error)
        return
    wait = min(BACKOFF_FIRST_SECONDS * 2 ** (delivery.attempts - 1), BACKOFF_MAX_SECONDS)
    wait *= random.uniform(0.75, 1.25)  # noqa: S311 — jitter, not a secret
    due_at = clock.real() + timedelta(seconds=max(wait, wait_seconds))
    _held(delivery).update(state=State.DUE, due_at=due_at, lease_until=None, error=error[:200])


def _postpone(delivery: Delivery, error: str, *, wait_seconds: float) -> None:
    """The provider is known to be down: waits for it without using up its tries."""
    due_at = clock.real() + timedelta(seconds=max(wait_seconds, 1.0) * random.uniform(1.0, 1.25))  # noqa: S311 — jitter
    _held(delivery).update(state=State.DUE, due_at=due_at, lease_until=None, error=error[:200], attempts=F("attempts") - 1)


def _mark_unknown(delivery: Delivery, error: str) -> None:
    """A mail or a push may simply go again (same Message-ID, same collapse key); an SMS waits for the provider's word."""
    if delivery.channel != Channel.SMS:
        _try_later(delivery, f"unknown: {error}")
        return
    due_at = clock.real() + timedelta(seconds=settings.DELIVERY_UNKNOWN_SECONDS)
    _held(delivery).update(state=State.UNKNOWN, due_at=due_at, lease_until=None, error=error[:200])


def _lock_notification(delivery_id: UUID) -> None:
    """Before the delivery, as whoever acts on a notification does: the other order would be a deadlock."""
    rows = Notification.objects.filter(deliveries=delivery_id).select_for_update(of=("self",))
    list(rows.values_list("pk", flat=True))


def mark_sent(delivery_id: UUID, provider_id: str) -> bool:
    """The provider has it. False when that was known already (its callback was faster than its answer)."""
    with transaction.atomic():
        sent = Delivery.objects.filter(
            pk=delivery_id, state__in=[State.LEASED, State.UNKNOWN, State.DUE], sent_at__isnull=True
        ).update(state=State.SENT, provider_id=provider_id, sent_at=clock.real(), lease_until=None, error="")
        Delivery.objects.filter(pk=delivery_id, provider_id="").update(provider_id=provider_id)
        Delivery.objects.filter(pk=delivery_id, is_secret=True, state=State.SENT).update(body="", subject="")
    return bool(sent)


@transaction.atomic
def finish(delivery: Delivery, state: str, *, error: str = "") -> None:
    """The end of a leased row that will not be sent any more."""
    _lock_notification(delivery.pk)
    done = _held(delivery).update(state=state, error=error[:200], finished_at=clock.real(), lease_until=None)
    if done:
        _wipe_secret(delivery)
        planning.after_failure(delivery)


@transaction.atomic
def note_status(delivery_id: UUID, provider_id: str, status: str, error: str = "") -> bool:
    """A provider's callback. Only ever moves forward, in whatever order callbacks arrive.

    `status` is Twilio's: queued, sending, sent, delivered, undelivered, failed. Returns whether anything moved.
    """
    if status in {"queued", "accepted", "scheduled", "sending", "sent"}:
        return mark_sent(delivery_id, provider_id)
    if status not in {"delivered", "undelivered", "failed"}:
        return False
    _lock_notification(delivery_id)
    rows = Delivery.objects.filter(Q(provider_id="") | Q(provider_id=provider_id), pk=delivery_id, state__in=OPEN)
    at = clock.real()
    moved = rows.update(
        state=status, provider_id=provider_id, error=error[:200], finished_at=at, lease_until=None, sent_at=at
    )
    if moved:
        delivery = Delivery.objects.get(pk=delivery_id)
        _wipe_secret(delivery)
        if status == "delivered":
            planning.delivered(delivery)
        else:
            planning.after_failure(delivery)
    return bool(moved)


@transaction.atomic
def note_received(person: Any, notification_id: UUID, device_id: UUID) -> None:
    """The app says that a push came in on this phone. Moves forward only; twice is fine."""
    rows = Delivery.objects.filter(notification=notification_id, person=person, channel=Channel.PUSH, to=str(device_id))
    at = clock.real()
    list(Notification.objects.select_for_update().filter(pk=notification_id, person=person).values_list("pk"))
    if rows.filter(state__in=OPEN).update(
        state=State.DELIVERED, finished_at=at, lease_until=None, sent_at=Coalesce("sent_at", at), error=""
    ):
        planning.arrived(notification_id)


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
    again = lost.exclude(channel=Channel.SMS).update(state=State.DUE, due_at=at, lease_until=None, error="lease ran out")
    return sms + again


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
        provider_id = providers.look_up(delivery)
    except TryLater as trouble:
        log.warning("unknown outcome stays unknown id=%s %s", delivery.pk, trouble)
        return
    if provider_id:
        mark_sent(delivery.pk, provider_id)
    else:
        Delivery.objects.filter(pk=delivery.pk, state=State.UNKNOWN).update(state=State.DUE, due_at=clock.real())
