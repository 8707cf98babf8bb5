"""Putting messages into the outgoing queue, and taking back what is not on its way yet. `delivery` sends them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from backend import clock
from backend.ring import ring
from notifications import segments
from notifications.models import Channel, Delivery, Notification

LIFETIME = timedelta(hours=36)


def enqueue(*, key: str, channel: str, to: str, body: str, lifetime: timedelta = LIFETIME, **fields: Any) -> Delivery:
    """Put one message into the queue and ring; with a `key` that came before, the first message is returned.

    `fields` are Delivery's: subject, link, link_text, reply_key, in_reply_to, person, notification, language, is_secret.
    """
    at = clock.real()
    if channel == Channel.SMS:
        body = segments.plain(body)  # whoever worded it: one typographic quote would double the price
    delivery, fresh = Delivery.objects.get_or_create(
        key=key,
        defaults={
            "channel": channel,
            "to": to,
            "body": body,
            "created_at": at,
            "due_at": at,
            "expires_at": at + lifetime,
            **fields,
        },
    )
    if fresh:
        ring("notifications.tasks.send_due")
    return delivery


def take_back(notification_ids: list[UUID]) -> int:
    """Cancel what of these is not on its way yet; what a worker has leased goes. Returns how many messages."""
    rows = Delivery.objects.filter(notification__in=notification_ids, state=Delivery.State.DUE)
    return rows.update(state=Delivery.State.CANCELLED, finished_at=clock.real())


def end_plans(person: Any) -> None:
    """Nothing follows any more on what this person was told."""
    Notification.objects.filter(person=person, next_link_at__isnull=False).update(next_link_at=None)


def cancel_for(subject_key: str, *, event: str | None = None) -> int:
    """Somebody acted on this subject, so nobody else need hear of it: take back what is not on its way yet."""
    told = Notification.objects.filter(subject_key=subject_key, state=Notification.State.WAITING)
    if event:
        told = told.filter(event=event)
    ids = list(told.select_for_update(no_key=True).values_list("pk", flat=True))
    Notification.objects.filter(pk__in=ids).update(state=Notification.State.ACTED)
    return take_back(ids)
