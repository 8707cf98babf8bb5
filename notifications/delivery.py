"""The outgoing queue: take what is due, send it, note how the attempt went. What becomes of it later is in `outcomes`.

A row is leased before anything is sent. Whoever finds a lease that ran out knows that a worker died around the moment of
sending: the outcome is unknown. A mail goes out again under the same Message-ID, a push under the same collapse key; an
SMS only after the provider, asked for what it has, does not know it. Times are real time here (leases, provider queues),
not the product's clock.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError
from django.db.models import F, prefetch_related_objects

from backend import clock
from notifications import addresses, budget, bundles, planning, providers, stops
from notifications.channels import Failed, TryLater, Undeliverable, Unknown
from notifications.models import Channel, Delivery, DeliveryEvent, Notification, StopRecord
from notifications.outcomes import finish, held, mark_all_sent, mark_sent, reclaim_lost, write
from notifications.pool import Pool

log = logging.getLogger(__name__)

State = Delivery.State
Kind = DeliveryEvent.Kind
Lane = tuple[str, bool]  # channel, is urgent
Outcome = str | Exception  # the provider's id, or why not

BATCH = 20
# How many are with a provider at once, of one process. The urgent have places of their own, so that they never wait for a
# provider that hangs over the others. Mail servers take few connections from one address.
AT_ONCE: dict[Lane, int] = {
    (Channel.SMS, True): 20,
    (Channel.SMS, False): 120,
    (Channel.PUSH, True): 8,
    (Channel.PUSH, False): 24,
    (Channel.EMAIL, True): 4,
    (Channel.EMAIL, False): 6,
}
WORTH_A_CLAIM = 1 / 4  # of a channel's places free; fewer at a time cost the database more than they gain
LOOK_SECONDS = 0.1  # how often the queue is looked at all the same, so that what is urgent waits no longer
DRAIN_SECONDS = 30.0  # then somebody else has a turn in this worker
STARTS_WITHIN = 1 / 3  # of the lease; the rest of it is for the provider's time-outs
ATTEMPTS_MAX = 8
BACKOFF_FIRST_SECONDS = 5
BACKOFF_MAX_SECONDS = 900

# --- take, send, note ------------------------------------------------------------------------------------------------


def send_due(limit: int = BATCH) -> int:
    """Send up to `limit` due messages; returns how many were taken. Safe to run in any number of workers."""
    reclaim_lost()
    taken = claim(limit)
    send(taken)
    return len(taken)


def send(taken: list[Delivery]) -> None:
    """These leased rows, and wait for what becomes of them."""
    with Pool[Delivery, Outcome](sum(AT_ONCE.values())) as pool:
        _start(pool, taken)
        while pool.busy:
            note(pool.finished())


_rung = threading.Event()
_draining = threading.Lock()


def drain() -> bool:
    """Send until nothing is due; False when its time was over before. One at a time in a process, so that its bounds hold.

    Whoever comes while another drains leaves: that one looks once more before it ends.
    """
    _rung.set()
    until = clock.real() + timedelta(seconds=DRAIN_SECONDS)
    while _rung.is_set() and _draining.acquire(blocking=False):
        try:
            _rung.clear()
            if not _drain(until):
                return False
        finally:
            _draining.release()
    return True


def _drain(until: datetime) -> bool:
    """One thread has the database: it claims what can start at once, and notes what has come back, many rows a time."""
    reclaim_lost()
    busy: Counter[Lane] = Counter()
    looked_at = 0.0
    with Pool[Delivery, Outcome](sum(AT_ONCE.values())) as pool:
        while True:
            is_late = clock.real() >= until
            taken: list[Delivery] = []
            if not is_late and (_has_room(busy) or time.monotonic() >= looked_at + LOOK_SECONDS):
                looked_at = time.monotonic()
                taken = claim_lanes({lane: size - busy[lane] for lane, size in AT_ONCE.items()})
                busy.update(map(_lane, _start(pool, taken)))
            if not pool.busy and not taken:
                return not is_late
            finished = pool.finished(LOOK_SECONDS)
            busy.subtract(_lane(delivery) for delivery, _outcome in finished)
            note(finished)


def _lane(delivery: Delivery) -> Lane:
    return delivery.channel, delivery.is_urgent


def _has_room(busy: Counter[Lane]) -> bool:
    used = [lane for lane in AT_ONCE if busy[lane]]
    return not used or any(AT_ONCE[lane] - busy[lane] >= AT_ONCE[lane] * WORTH_A_CLAIM for lane in used)


def claim(limit: int) -> list[Delivery]:
    """Lease up to `limit` due rows, the urgent first, then the oldest."""
    free = {lane: min(places, limit) for lane, places in AT_ONCE.items()}
    return claim_lanes(free, limit)


def claim_lanes(free: dict[Lane, int], limit: int | None = None) -> list[Delivery]:
    """Lease as many due rows as each lane has places. SKIP LOCKED: two workers never wait for, or get, the same row."""
    at = clock.real()
    lanes = [(channel, urgent, places) for (channel, urgent), places in free.items() if places > 0]
    found = Delivery.objects.raw(
        "WITH lane AS (SELECT * FROM unnest(%s::text[], %s::boolean[], %s::int[]) AS l(channel, is_urgent, places)),"
        " mine AS (SELECT due.id FROM lane CROSS JOIN LATERAL (SELECT id FROM notifications_delivery"
        " WHERE state = 'due' AND held_until IS NULL AND channel = lane.channel AND is_urgent = lane.is_urgent"
        " AND due_at <= %s"
        " ORDER BY due_at LIMIT lane.places FOR UPDATE SKIP LOCKED) due LIMIT %s)"
        " UPDATE notifications_delivery d SET state = 'leased', lease_until = %s, attempts = attempts + 1,"
        " attempted_at = %s FROM mine WHERE d.id = mine.id RETURNING d.*",
        [*map(list, zip(*lanes, strict=True)), at, limit, at + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS), at],
    )
    return sorted(found, key=lambda delivery: (delivery.due_at, delivery.pk))


def _start(pool: "Pool[Delivery, Outcome]", taken: list[Delivery]) -> list[Delivery]:
    """Begin to send what may be sent, and end the rest. Nothing here holds a transaction while a provider is asked."""
    started = []
    for delivery in _sendable(taken):
        try:
            way = providers.prepare(delivery)
        except Failed as trouble:
            note([(delivery, trouble)])
        except Exception as trouble:
            log.exception("delivery broke id=%s", delivery.pk)
            note([(delivery, trouble)])
        else:
            # One address hears things in the order in which they were said.
            pool.start(delivery, partial(_outcome, delivery, way), line=(delivery.channel, delivery.to))
            started.append(delivery)
    return started


def _sendable(taken: list[Delivery]) -> list[Delivery]:
    """Those that may leave now; a few queries for all. The others are ended, or held until quiet hours are over."""
    at = clock.real()
    prefetch_related_objects(taken, "person__preference", "notification")
    stopped = addresses.stopped({(row.channel, row.to) for row in taken if row.channel != Channel.PUSH})
    left = []
    for delivery in taken:
        told = delivery.notification
        if delivery.expires_at <= at:
            _guarded(partial(finish, delivery, State.EXPIRED, error="too_old"))
        elif told is not None and told.state == Notification.State.ACTED:
            _guarded(partial(finish, delivery, State.CANCELLED))
        elif (delivery.channel, delivery.to.lower()) in stopped:
            _guarded(partial(finish, delivery, State.SUPPRESSED, error=stops.STOPPED))
        elif until := planning.must_wait(delivery):
            _guarded(partial(_hold, delivery, until))
        elif delivery.is_bundle and not bundles.fill(delivery):
            _guarded(partial(finish, delivery, State.CANCELLED))
        else:
            left.append(delivery)
    return _paid(left)


def _paid(left: list[Delivery]) -> list[Delivery]:
    """Without the SMS that the budget has nothing left for."""
    refused = budget.charge(left)
    for delivery in left:
        if delivery.pk in refused:
            _guarded(partial(finish, delivery, State.SUPPRESSED, error="budget"))
    return [delivery for delivery in left if delivery.pk not in refused]


def _hold(delivery: Delivery, until: datetime) -> None:
    """Quiet hours began while it waited: not tried at all, and looked at again when they end."""
    late = max(until - clock.now(), timedelta(0))
    was_ours = held(delivery).update(
        state=State.DUE,
        held_until=until,
        lease_until=None,
        attempts=F("attempts") - 1,
        expires_at=F("expires_at") + late,
    )
    if was_ours:
        write(delivery.pk, Kind.LATER, "quiet hours")


class _NoTime(Exception):
    """The worker stood still so long that the lease might end before the provider has answered."""


def _outcome(delivery: Delivery, way: Callable[[], str]) -> Outcome:
    """Send, in a thread that leaves the database alone."""
    starts_within = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS) * STARTS_WITHIN
    if delivery.attempted_at and clock.real() >= delivery.attempted_at + starts_within:
        return _NoTime()
    try:
        return way()
    except Failed as trouble:
        return trouble
    except Exception as trouble:
        log.exception("delivery broke id=%s", delivery.pk)
        return trouble


def note(finished: Iterable[tuple[Delivery, Outcome]]) -> None:
    """Write down what became of these. What cannot be written stays leased, and is unknown when its lease has run out."""
    sent = []
    for delivery, outcome in finished:
        if isinstance(outcome, str):
            sent.append((delivery.pk, outcome))
        else:
            _guarded(partial(_note_failure, delivery, outcome))
    if not sent:
        return
    try:
        mark_all_sent(sent)
    except DatabaseError:  # one bad row, e.g. an id that the provider gave twice: the others are fine
        for pk, provider_id in sent:
            _guarded(partial(mark_sent, pk, provider_id))


def _guarded(act: Callable[[], object]) -> None:
    try:
        act()
    except DatabaseError:
        log.exception("outcome not noted")


def _note_failure(delivery: Delivery, trouble: Exception) -> None:
    if isinstance(trouble, Failed) and trouble.then:
        trouble.then()
    if isinstance(trouble, providers.Down):
        _postpone(delivery, str(trouble), wait_seconds=trouble.wait_seconds)
    elif isinstance(trouble, TryLater):
        _try_later(delivery, str(trouble), wait_seconds=trouble.wait_seconds)
    elif isinstance(trouble, Undeliverable):
        if trouble.address_is_dead:
            stops.stop(delivery.channel, delivery.to, word=str(trouble), source=StopRecord.Source.PROVIDER)
        finish(delivery, State.FAILED, error=str(trouble))
    elif isinstance(trouble, _NoTime):
        _give_back(delivery)
    else:
        _mark_unknown(delivery, str(trouble) if isinstance(trouble, Unknown) else "broke")


def _give_back(delivery: Delivery) -> None:
    """Not tried at all: due as before."""
    held(delivery).update(state=State.DUE, lease_until=None, attempts=F("attempts") - 1)


def _try_later(delivery: Delivery, error: str, *, wait_seconds: float = 0.0) -> None:
    if delivery.attempts >= ATTEMPTS_MAX:
        finish(delivery, State.FAILED, error=error)
        return
    wait = min(BACKOFF_FIRST_SECONDS * 2 ** (delivery.attempts - 1), BACKOFF_MAX_SECONDS)
    wait *= random.uniform(0.75, 1.25)  # noqa: S311 — jitter, not a secret
    due_at = clock.real() + timedelta(seconds=max(wait, wait_seconds))
    if held(delivery).update(state=State.DUE, due_at=due_at, lease_until=None, error=error[:200]):
        write(delivery.pk, Kind.LATER, error)


def _postpone(delivery: Delivery, error: str, *, wait_seconds: float) -> None:
    """The provider is known to be down: waits for it without using up its tries."""
    due_at = clock.real() + timedelta(seconds=max(wait_seconds, 1.0) * random.uniform(1.0, 1.25))  # noqa: S311 — jitter
    held(delivery).update(state=State.DUE, due_at=due_at, lease_until=None, error=error[:200], attempts=F("attempts") - 1)


def _mark_unknown(delivery: Delivery, error: str) -> None:
    """A mail or a push may simply go again (same Message-ID, same collapse key); an SMS waits for the provider's word."""
    if delivery.channel != Channel.SMS:
        _try_later(delivery, f"unknown: {error}")
        return
    due_at = clock.real() + timedelta(seconds=settings.DELIVERY_UNKNOWN_SECONDS)
    if held(delivery).update(state=State.UNKNOWN, due_at=due_at, lease_until=None, error=error[:200]):
        write(delivery.pk, Kind.UNKNOWN, error)
