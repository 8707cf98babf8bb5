"""What became of a delivery, whoever says so: the attempt, a callback, a bounce, the app, or the provider when asked.

Every move names the states it leaves, so that it only ever goes forward, in whatever order the news comes. Times are real
time, as in the queue.
"""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce

from backend import clock
from notifications import planning, providers, stops
from notifications.channels import TryLater
from notifications.models import Channel, Delivery, DeliveryEvent, Notification, StopRecord

log = logging.getLogger(__name__)

State = Delivery.State
Kind = DeliveryEvent.Kind

UNKNOWN_BATCH = 20
POLL_BATCH = 50  # questions to the provider in one run, so at most so many a minute
POLL_FIRST = timedelta(hours=3)  # no receipt so long after sending: the provider is asked
POLL_AGAIN = timedelta(hours=1)
POLL_UNTIL = timedelta(hours=36)  # Twilio queues for ten hours, networks keep a message for a day at most

OPEN = (State.LEASED, State.UNKNOWN, State.DUE, State.SENT)


def held(delivery: Delivery) -> Any:
    """This attempt's row, if it is still ours: the attempt's number is the fence against a worker that woke up late."""
    return Delivery.objects.filter(pk=delivery.pk, state=State.LEASED, attempts=delivery.attempts)


def write(delivery_id: UUID, kind: str, detail: str = "") -> None:
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
    done = held(delivery).update(state=state, error=error[:200], finished_at=clock.real(), lease_until=None)
    if done:
        _wipe_secret(delivery)
        write(delivery.pk, Kind.ENDED, f"{state}: {error}" if error else state)
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
        write(delivery_id, kind, f"{status}: {error}" if error else status)
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
            write(delivery_id, Kind.RECEIVED)
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


def resolve_unknown(limit: int = UNKNOWN_BATCH) -> int:
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
        write(delivery.pk, Kind.LATER, "the provider does not know it")


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
        write(delivery.pk, Kind.POLLED, status or "the provider does not know it")
    if not status:
        Delivery.objects.filter(pk=delivery.pk).update(poll_at=None)
