"""STOP and START: noted for good, honoured at once, and what was on its way there goes another way."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from backend import clock
from backend.ring import ring
from notifications import addresses, planning
from notifications.models import Address, Channel, Delivery, Device, Notification, StopRecord

State = Delivery.State
STOPPED = "stopped"  # the `error` of what was not sent because of a STOP
ON_ITS_WAY = (State.LEASED, State.UNKNOWN)


@transaction.atomic
def stop(channel: str, value: str, *, word: str, source: str) -> bool:
    """Send nothing to this address any more; True when it was not stopped before.

    What no worker has taken yet is suppressed and goes by another channel; what one has may still arrive, and is counted.
    """
    fresh = addresses.stop(channel, value)
    rows = Delivery.objects.filter(channel=channel, to__iexact=value)
    # What a provider refuses does not arrive: nothing to count.
    under_way = rows.filter(state__in=ON_ITS_WAY).count() if source == StopRecord.Source.WEBHOOK else 0
    # The provider says it again at each attempt: the first time is the one that counts.
    if fresh or source == StopRecord.Source.WEBHOOK:
        _note(channel, value, word, source, starts=False, under_way=under_way)
    for delivery in rows.filter(state=State.DUE).order_by("pk"):
        _reroute(delivery)
    return fresh


def stopped_at_provider(delivery_id: UUID, *, word: str) -> None:
    """A provider's callback: the address of this message is dead, or its owner said STOP there."""
    row = Delivery.objects.filter(pk=delivery_id, channel=Channel.SMS).first()
    if row is not None:
        stop(Channel.SMS, row.to, word=word, source=StopRecord.Source.PROVIDER)


@transaction.atomic
def start(channel: str, value: str, *, word: str) -> bool:
    """Send to this address again; True when it had been stopped. What reached nobody meanwhile is sent now."""
    fresh = addresses.start(channel, value)
    _note(channel, value, word, StopRecord.Source.WEBHOOK, starts=True)
    if fresh:
        for notification_id in _exhausted(channel, value):
            _revive(notification_id, channel)
    return fresh


def _note(channel: str, value: str, word: str, source: str, *, starts: bool, under_way: int = 0) -> None:
    address = addresses.owner(channel, value)
    StopRecord.objects.create(
        channel=channel,
        address=value.lower(),
        person_id=address.person_id if address else None,
        word=word[:40],
        source=source,
        starts=starts,
        under_way=under_way,
        at=clock.now(),
    )


def _reroute(delivery: Delivery) -> None:
    """Guarded: a worker that took it meanwhile looks at the address itself before it sends."""
    list(Notification.objects.select_for_update().filter(deliveries=delivery.pk).values_list("pk"))
    due = Delivery.objects.filter(pk=delivery.pk, state=State.DUE)
    if due.update(state=State.SUPPRESSED, error=STOPPED, finished_at=clock.real(), held_until=None):
        delivery.refresh_from_db()
        planning.after_failure(delivery)


def _suppressed(channel: str, value: str) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        channel=channel, to__iexact=value, state=State.SUPPRESSED, error=STOPPED, expires_at__gt=clock.real()
    )


def _exhausted(channel: str, value: str) -> list[UUID]:
    told = Notification.objects.filter(state=Notification.State.EXHAUSTED, deliveries__in=_suppressed(channel, value))
    rows = told.order_by("pk").distinct()
    return list(rows.values_list("pk", flat=True))


def _revive(notification_id: UUID, channel: str) -> None:
    told = Notification.objects.filter(pk=notification_id, state=Notification.State.EXHAUSTED)
    if told.update(state=Notification.State.WAITING):
        rows = Delivery.objects.filter(notification=notification_id, channel=channel, state=State.SUPPRESSED)
        rows.update(state=State.DUE, error="", finished_at=None, due_at=clock.real(), bundle=None)
        ring("notifications.tasks.send_due")


# --- who is out of reach -------------------------------------------------------------------------------------------------


def unreachable(people: QuerySet[Any]) -> QuerySet[Any]:
    """Those of `people` to whom nothing can be sent at all: no address that may be written to, no phone with the app."""
    running = Address.objects.filter(person=OuterRef("pk"), stopped_at__isnull=True)
    phones = Device.objects.filter(person=OuterRef("pk"), dead_at__isnull=True)
    return people.exclude(Exists(running)).exclude(Exists(phones))
