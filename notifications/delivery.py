"""The outgoing queue: take what is due, send it, note the outcome.

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
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, Q, prefetch_related_objects
from django.db.models.functions import Coalesce

from backend import clock
from notifications import addresses, budget, bundles, planning, providers, stops
from notifications.channels import Failed, TryLater, Undeliverable, Unknown
from notifications.models import Channel, Delivery, DeliveryEvent, Notification, StopRecord
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
POLL_BATCH = 50  # questions to the provider in one run, so at most so many a minute
POLL_FIRST = timedelta(hours=3)  # no receipt so long after sending: the provider is asked
POLL_AGAIN = timedelta(hours=1)
POLL_UNTIL = timedelta(hours=36)  # Twilio queues for ten hours, networks keep a message for a day at most

OPEN = (State.LEASED, State.UNKNOWN, State.DUE, State.SENT)

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
    held = _held(delivery).update(
        state=State.DUE,
        held_until=until,
        lease_until=None,
        attempts=F("attempts") - 1,
        expires_at=F("expires_at") + late,
    )
    if held:
        _write(delivery.pk, Kind.LATER, "quiet hours")


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
    _held(delivery).update(state=State.DUE, lease_until=None, attempts=F("attempts") - 1)


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
    if _held(delivery).update(state=State.DUE, due_at=due_at, lease_until=None, error=error[:200]):
        _write(delivery.pk, Kind.LATER, error)


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
    if _held(delivery).update(state=State.UNKNOWN, due_at=due_at, lease_until=None, error=error[:200]):
        _write(delivery.pk, Kind.UNKNOWN, error)


def _write(delivery_id: UUID, kind: str, detail: str = "") -> None:
    """A line of the delivery's timeline."""
    DeliveryEvent.objects.create(delivery_id=delivery_id, at=clock.real(), kind=kind, detail=detail[:200])


def _lock_notification(delivery_id: UUID) -> None:
    """Before the delivery, as whoever acts on a notification does: the other order would be a deadlock."""
    rows = Notification.objects.filter(deliveries=delivery_id).select_for_update(of=("self",))
    list(rows.values_list("pk", flat=True))


def mark_sent(delivery_id: UUID, provider_id: str, *, how: str = "") -> bool:
    """The provider has it. False when that was known already (its callback was faster than its answer)."""
    return bool(mark_all_sent([(delivery_id, provider_id)], how=how))


def mark_all_sent(sent: list[tuple[UUID, str]], *, how: str = "") -> int:
    """The provider has these, by its ids; `how` we know, when not from its answer. Returns for how many that was news.

    One statement and not guarded by the attempt: what the provider has, it has, whoever sent it. What is further along
    already (its callback was faster) only learns its id; a secret is wiped in the same moment.
    """
    at = clock.real()
    ids, known = [pk for pk, _provider_id in sent], [provider_id for _pk, provider_id in sent]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH moved AS (UPDATE notifications_delivery d SET state = 'sent', provider_id = t.provider_id,"
            " sent_at = %s, lease_until = NULL, error = '', poll_at = CASE WHEN d.channel = 'sms' THEN %s END,"
            " body = CASE WHEN d.is_secret THEN '' ELSE d.body END,"
            " subject = CASE WHEN d.is_secret THEN '' ELSE d.subject END"
            " FROM unnest(%s::uuid[], %s::text[]) AS t(id, provider_id)"
            " WHERE d.id = t.id AND d.state IN ('leased', 'unknown', 'due') AND d.sent_at IS NULL RETURNING d.id)"
            " INSERT INTO notifications_deliveryevent (delivery_id, at, kind, detail)"
            " SELECT id, %s, 'sent', %s FROM moved",
            [at, at + POLL_FIRST, ids, known, at, how],
        )
        news = int(cursor.rowcount)
        if news < len(sent):
            cursor.execute(
                "UPDATE notifications_delivery d SET provider_id = t.provider_id"
                " FROM unnest(%s::uuid[], %s::text[]) AS t(id, provider_id) WHERE d.id = t.id AND d.provider_id = ''",
                [ids, known],
            )
    return news


@transaction.atomic
def finish(delivery: Delivery, state: str, *, error: str = "") -> None:
    """The end of a leased row that will not be sent any more."""
    _lock_notification(delivery.pk)
    done = _held(delivery).update(state=state, error=error[:200], finished_at=clock.real(), lease_until=None)
    if done:
        _wipe_secret(delivery)
        _write(delivery.pk, Kind.ENDED, f"{state}: {error}" if error else state)
        planning.after_failure(delivery)


def note_status(delivery_id: UUID, provider_id: str, status: str, error: str = "", *, kind: str = Kind.CALLBACK) -> bool:
    """A provider's callback, or its answer when asked. Only ever moves forward, in whatever order callbacks arrive.

    `status` is Twilio's: queued, sending, sent, delivered, undelivered, failed. Returns whether anything moved.
    """
    try:
        return _note_status(delivery_id, provider_id, status, error, kind)
    except IntegrityError:  # a message with the same words was looked up and took this id for its own: its callback knows
        wrong = Delivery.objects.filter(channel=Channel.SMS, provider_id=provider_id).exclude(pk=delivery_id)
        fresh = {"sent_at": None, "finished_at": None, "poll_at": None, "due_at": clock.real()}
        wrong.update(state=State.UNKNOWN, provider_id="", **fresh)
        return _note_status(delivery_id, provider_id, status, error, kind)


@transaction.atomic
def _note_status(delivery_id: UUID, provider_id: str, status: str, error: str, kind: str) -> bool:
    if status in {"queued", "accepted", "scheduled", "sending", "sent"}:
        return mark_sent(delivery_id, provider_id, how=status)
    if status not in {"delivered", "undelivered", "failed"}:
        return False
    _lock_notification(delivery_id)
    rows = Delivery.objects.filter(Q(provider_id="") | Q(provider_id=provider_id), pk=delivery_id, state__in=OPEN)
    at = clock.real()
    moved = rows.update(
        state=status,
        provider_id=provider_id,
        error=error[:200],
        finished_at=at,
        lease_until=None,
        sent_at=Coalesce("sent_at", at),
        poll_at=None,
    )
    if moved:
        _write(delivery_id, kind, f"{status}: {error}" if error else status)
        delivery = Delivery.objects.get(pk=delivery_id)
        _wipe_secret(delivery)
        if status == "delivered":
            planning.delivered(delivery)
        else:
            planning.after_failure(delivery)
    return bool(moved)


@transaction.atomic
def note_bounce(delivery_id: UUID, error: str, *, address_is_dead: bool) -> bool:
    """A mail came back. The next channel gets its turn, and a dead address nothing more; returns whether anything moved."""
    delivery = Delivery.objects.filter(pk=delivery_id, channel=Channel.EMAIL).first()
    if delivery is None:
        return False
    if address_is_dead:
        # First: the plan must not choose it again.
        stops.stop(Channel.EMAIL, delivery.to, word=error, source=StopRecord.Source.PROVIDER)
    return note_status(delivery.pk, delivery.provider_id, "undelivered", error)


@transaction.atomic
def note_received(person: Any, notification_id: UUID, device_id: UUID) -> None:
    """The app says that a push came in on this phone. Moves forward only; twice is fine."""
    rows = Delivery.objects.filter(notification=notification_id, person=person, channel=Channel.PUSH, to=str(device_id))
    at = clock.real()
    list(Notification.objects.select_for_update().filter(pk=notification_id, person=person).values_list("pk"))
    moved = list(rows.filter(state__in=OPEN).values_list("pk", flat=True))
    if rows.filter(state__in=OPEN).update(
        state=State.DELIVERED, finished_at=at, lease_until=None, sent_at=Coalesce("sent_at", at), error=""
    ):
        for delivery_id in moved:
            _write(delivery_id, Kind.RECEIVED)
        planning.arrived(notification_id)


def _wipe_secret(delivery: Delivery) -> None:
    if delivery.is_secret:
        Delivery.objects.filter(pk=delivery.pk).update(body="", subject="")


def reclaim_lost() -> int:
    """Rows whose worker died while it held the lease: outcome unknown."""
    at = clock.real()
    wait = f"{settings.DELIVERY_UNKNOWN_SECONDS} seconds"
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH lost AS (UPDATE notifications_delivery SET lease_until = NULL, error = 'lease ran out',"
            " state = CASE WHEN channel = 'sms' THEN 'unknown' ELSE 'due' END,"
            " due_at = CASE WHEN channel = 'sms' THEN attempted_at + %s::interval ELSE %s END"
            " WHERE state = 'leased' AND lease_until <= %s RETURNING id)"
            " INSERT INTO notifications_deliveryevent (delivery_id, at, kind, detail)"
            " SELECT id, %s, 'unknown', 'lease ran out' FROM lost",
            [wait, at, at, at],
        )
        return int(cursor.rowcount)


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
        mark_sent(delivery.pk, provider_id, how="looked up")
    elif Delivery.objects.filter(pk=delivery.pk, state=State.UNKNOWN).update(state=State.DUE, due_at=clock.real()):
        _write(delivery.pk, Kind.LATER, "the provider does not know it")


# --- receipts that did not come ----------------------------------------------------------------------------------------


def ask_for_receipts(limit: int = POLL_BATCH) -> int:
    """Ask the provider what became of SMS without a receipt, each at most once an hour. Returns how many were asked for."""
    at = clock.real()
    with transaction.atomic():
        due = Delivery.objects.select_for_update(skip_locked=True).filter(state=State.SENT, poll_at__lte=at)
        rows = list(due.order_by("poll_at")[:limit])
        for row in rows:  # before asking: nobody else asks meanwhile, and a death here costs one question
            row.poll_at = at + POLL_AGAIN if row.sent_at and at + POLL_AGAIN < row.sent_at + POLL_UNTIL else None
        Delivery.objects.bulk_update(rows, ["poll_at"])
    for row in rows:
        _ask_for_receipt(row)
    return len(rows)


def _ask_for_receipt(delivery: Delivery) -> None:
    try:
        status, error = providers.fetch(delivery)
    except TryLater as trouble:
        log.warning("no receipt and no answer id=%s %s", delivery.pk, trouble)
        return
    if not note_status(delivery.pk, delivery.provider_id, status, error, kind=Kind.POLLED):
        _write(delivery.pk, Kind.POLLED, status or "the provider does not know it")
    if not status:
        Delivery.objects.filter(pk=delivery.pk).update(poll_at=None)
