"""Putting messages into the outgoing queue, and taking back what is not on its way yet. `delivery` sends them."""

from datetime import datetime, timedelta
from typing import Any

from backend import clock
from backend.ring import ring
from notifications.models import Delivery

LIFETIME = timedelta(hours=36)


def enqueue(*, key: str, channel: str, to: str, body: str, lifetime: timedelta = LIFETIME, **fields: Any) -> Delivery:
    """Put one message into the queue and ring; with a `key` that came before, the first message is returned.

    `fields` are Delivery's: subject, link, link_text, reply_key, in_reply_to, person, notification, language, is_secret.
    """
    at = clock.real()
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


def cancel_for(subject_key: str, *, event: str | None = None, at: datetime | None = None) -> int:
    """Take back what is not on its way yet about this subject (it was acted on elsewhere)."""
    rows = Delivery.objects.filter(notification__subject_key=subject_key, state=Delivery.State.DUE, attempts=0)
    if event:
        rows = rows.filter(notification__event=event)
    return rows.update(state=Delivery.State.CANCELLED, finished_at=at or clock.real())
