"""What comes in: stored raw and committed before anybody judges it, then handled once."""

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from backend import clock
from backend.ring import ring
from notifications.models import Channel, InboundMessage, WebhookCall

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
RETRY_FIRST = timedelta(seconds=20)  # also the time one attempt has before another worker may look
RAW_KEPT = timedelta(days=90)
CALLS_KEPT = timedelta(days=2)  # longer than a call may be old
HELD_KEPT = timedelta(hours=24)
NOT_AUTHENTICATED = "not_authenticated"  # `reason` of a mail whose From alone names a colleague
NOT_CONFIRMED = "not_confirmed"  # `reason` of a mail to a reply address that came from elsewhere
State = InboundMessage.State


def store(
    channel: str,
    provider_id: str,
    *,
    sender: str,
    recipient: str,
    raw: bytes,
    reply_key: str = "",
    received_at: datetime | None = None,
    envelope: dict[str, Any] | None = None,
) -> UUID | None:
    """Keep a message under its provider's id and ring; None when it is here already. Commits by itself.

    It was received now, or when the provider says that it took it (`received_at`); nothing in the message moves that.
    Call it outside a transaction: a business rule that fails later must not take the message with it.
    """
    at = clock.now()
    message = InboundMessage(
        channel=channel,
        provider_id=provider_id[:255],
        sender=sender[:254],
        recipient=recipient[:254],
        reply_key=reply_key,
        raw=raw,
        envelope=envelope or {},
        received_at=received_at or at,
        due_at=at,
    )
    with transaction.atomic(durable=not connection.in_atomic_block):
        stored = InboundMessage.objects.bulk_create([message], ignore_conflicts=True)
        fresh = InboundMessage.objects.filter(pk=stored[0].pk).exists()
        if fresh:
            ring("notifications.tasks.handle_inbound", str(message.pk))
    if not fresh and _is_somebody_elses(message):
        # Whoever sends a mail under an id they saw must not keep the genuine one out.
        digest = hashlib.sha256(f"{message.provider_id} {message.sender}".encode()).hexdigest()
        return store(
            channel,
            f"sha256:{digest}",
            sender=sender,
            recipient=recipient,
            raw=raw,
            reply_key=reply_key,
            received_at=message.received_at,
            envelope=envelope,
        )
    return message.pk if fresh else None


def _is_somebody_elses(message: InboundMessage) -> bool:
    """Whether the id that is taken came from another sender; an id that we made ourselves holds the sender."""
    if message.channel != Channel.EMAIL or message.provider_id.startswith("sha256:"):
        return False
    known = InboundMessage.objects.filter(channel=message.channel, provider_id=message.provider_id)
    return known.exclude(sender=message.sender).exists()


def take(message_id: UUID) -> bool:
    """Count an attempt and keep others away while it runs. False: handled, or somebody is at it."""
    at = clock.now()
    return bool(
        InboundMessage.objects.filter(pk=message_id, state=State.RECEIVED, due_at__lte=at).update(
            attempts=F("attempts") + 1, due_at=at + RETRY_FIRST
        )
    )


def due_ids(limit: int) -> list[UUID]:
    """Messages whose ring was lost or whose worker died, oldest first."""
    rows = InboundMessage.objects.filter(state=State.RECEIVED, due_at__lte=clock.now()).order_by("due_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def waiting_before(at: datetime, *, senders: Iterable[str], reply_keys: Iterable[str]) -> bool:
    """Is a message from these senders or to these keys, received by `at`, not handled yet?

    The promise asks this before it records a breach: an answer that waits in the queue came in time. Never for ever: a
    message that cannot be handled is quarantined, and a held one waits a day for its sender's word.
    """
    held = Q(state=State.HELD, received_at__gt=clock.now() - HELD_KEPT)
    rows = InboundMessage.objects.filter(Q(state=State.RECEIVED) | held, received_at__lte=at)
    return rows.filter(Q(sender__in=list(senders)) | Q(reply_key__in=list(reply_keys))).exists()


def last_held(person: Any) -> InboundMessage | None:
    """The message whose text waits for this person's word, a number or OK."""
    rows = InboundMessage.objects.filter(person=person, state=State.HELD, received_at__gte=clock.now() - HELD_KEPT)
    rows = rows.exclude(reason__in=[NOT_CONFIRMED, NOT_AUTHENTICATED])  # these have their own question and code
    return rows.order_by("-received_at").first()


def purge() -> int:
    """Raw messages are kept 90 days. Returns how many were wiped."""
    now = clock.now()
    WebhookCall.objects.filter(seen_at__lt=clock.real() - CALLS_KEPT).delete()
    old = InboundMessage.objects.filter(received_at__lt=now - RAW_KEPT).exclude(raw=b"")
    return old.update(raw=b"", text="")
