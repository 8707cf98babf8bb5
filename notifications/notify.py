"""The one way to tell somebody something."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce

from backend import clock
from notifications import events, outbox, planning, segments
from notifications.models import Notification


def notify(
    person: Any,
    *,
    key: str,
    event: str,
    title: str,
    body: str,
    sms: str,
    subject_key: str = "",
    urgent: bool = False,
    on_duty: bool = False,
    not_before: datetime | None = None,
    via: str = "",
    item: str = "",
    category: str = "",
    **words: str,
) -> Notification:
    """Tell `person` once: a line in the inbox and a delivery on each channel of the plan.

    `key` names the effect; the second call with it returns the first notification and sends nothing. The words come
    finished, in the person's language: `title` and `body` for mail and inbox, `sms` for a phone. `words` may hold link,
    link_text, reply_key and in_reply_to. `via` names the channel the person used for this very matter: what they asked by
    SMS is answered by SMS. `item` names what the person is asked to act on ("assignment:<id>"): then a message that arrived
    is not enough, and the plan goes on until they did (`settle`). `category` tells which buttons a push has: "offer".
    Urgent is what the table of events says, or what the caller says of this one. `on_duty`: the person works now, so quiet
    hours do not hold it. `not_before`: a scheduled send, on the product's clock. Runs in the caller's transaction.
    """
    is_urgent = urgent or events.of(event).urgent
    notification, fresh = Notification.objects.get_or_create(
        key=key,
        defaults={
            "person": person,
            "event": event,
            "subject_key": subject_key,
            "title": title[:200],
            "body": body,
            "sms_text": segments.plain(sms),
            "is_urgent": is_urgent,
            "passes_quiet": is_urgent or on_duty,
            "not_before": not_before,
            "item": item,
            "category": category,
            "language": person.language,
            "created_at": clock.now(),
            **words,
        },
    )
    if fresh:
        planning.start(notification, via=via)
    return notification


@transaction.atomic
def settle(person: Any, subject_key: str) -> None:
    """The person acted on this subject, wherever: it is read, waits no longer, and what has not left yet stays here."""
    waiting = Notification.objects.filter(person=person, subject_key=subject_key, state=Notification.State.WAITING)
    ids = list(waiting.select_for_update(no_key=True).values_list("pk", flat=True))
    Notification.objects.filter(pk__in=ids).update(state=Notification.State.ACTED, read_at=Coalesce("read_at", clock.now()))
    outbox.take_back(ids)
