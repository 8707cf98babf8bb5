"""Putting messages into the outgoing queue, and taking back what is not on its way yet. `delivery` sends them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from backend import clock
from backend.ring import ring
from notifications import bundles, segments
from notifications.models import Channel, Delivery, Notification

LIFETIME = timedelta(hours=36)


def enqueue(
    *,
    key: str,
    channel: str,
    to: str,
    body: str,
    lifetime: timedelta = LIFETIME,
    held_until: datetime | None = None,
    **fields: Any,
) -> Delivery:
    """Put one message into the queue and ring; with a `key` that came before, the first message is returned.

    With `held_until` (the product's clock) it waits until then, and its lifetime begins there.
    `fields` are Delivery's: subject, link, link_text, reply_key, in_reply_to, person, notification, language, is_secret.
    What belongs to no notification goes first, as the urgent does: somebody waits for this very answer, or for a code.
    """
    at = clock.real()
    told: Notification | None = fields.get("notification")
    wait = max(held_until - clock.now(), timedelta(0)) if held_until else timedelta(0)
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
            "expires_at": at + wait + lifetime,
            "held_until": held_until,
            "is_urgent": told is None or told.is_urgent,
            **fields,
        },
    )
    if fresh and held_until is None:
        ring("notifications.tasks.send_due")
    return delivery


@transaction.atomic
def pretend(**fields: Any) -> None:
    """As much work as `enqueue`, and nothing goes out: so that the time it takes does not tell whether something did."""
    made = enqueue(**fields)
    with connection.cursor() as cursor:  # not by the model, which would look for whatever might point at the row
        cursor.execute("DELETE FROM notifications_delivery WHERE id = %s", [made.pk])


def take_back(notification_ids: list[UUID]) -> int:
    """Cancel what of these is not on its way yet; what a worker has leased goes. Returns how many messages."""
    rows = Delivery.objects.filter(notification__in=notification_ids, state=Delivery.State.DUE)
    taken = rows.update(state=Delivery.State.CANCELLED, finished_at=clock.real())
    return taken + bundles.take_out(notification_ids)


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
