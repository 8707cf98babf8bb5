"""Many small news of one person within minutes become one message on each channel.

The first leaves at once. What follows within `WINDOW` waits until the window ends, with what quiet hours held, and then
travels in one row: the members become `bundled`, all in one transaction and each by a guarded UPDATE, so that two workers
make one bundle and nothing is in two. The text is made when the bundle is sent, so that acting on a member until then
still takes it out. A bundle never travels in a bundle.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import ngettext

from backend import clock
from backend.ring import ring
from notifications import events, preferences, segments
from notifications.models import Channel, Delivery, Notification

WINDOW = timedelta(minutes=10)
LOOK_BACK = timedelta(days=2)  # in real time: older rows are never looked at
SMS_CHARACTERS = 612  # four segments
MEMBERS_MAX = 50

State = Delivery.State


def may(notification: Notification, event: events.Event, channel: str) -> bool:
    """News that asks for nothing. Pushes are not: the phone itself puts them together, by their collapse keys."""
    if notification.is_urgent or not event.bundled or channel == Channel.PUSH:
        return False
    return channel == Channel.SMS or not (notification.reply_key or notification.in_reply_to)


def wait(notification: Notification, channel: str, held: datetime | None) -> datetime | None:
    """Until when this waits for others: the end of quiet hours, of the bundle that fills, or of the window. None: not."""
    now = clock.now()
    rows = Delivery.objects.filter(
        person=notification.person_id, channel=channel, may_bundle=True, created_at__gt=clock.real() - LOOK_BACK
    ).order_by("-created_at")
    newest = rows.values_list("held_until", "state", "notification__created_at").first()
    if held or newest is None:
        return held
    filling, state, told_at = newest
    if state == State.DUE and filling and filling > now:
        return filling
    # `filling` of a bundle that left says when it did: the window counts from the last message that was seen.
    ends = max(told_at, filling or told_at) + WINDOW
    return ends if ends > now else None


# --- letting go ----------------------------------------------------------------------------------------------------------


def release(limit: int) -> int:
    """What is held no longer becomes due, news in bundles; returns how many rows moved. Safe in any number of workers."""
    over = Delivery.objects.filter(state=State.DUE, held_until__lte=clock.now())
    with transaction.atomic():
        alone = list(
            over.filter(may_bundle=False)
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("held_until")
            .values_list("pk", flat=True)[:limit]
        )
        Delivery.objects.filter(pk__in=alone).update(held_until=None, due_at=clock.real())
        if alone:
            ring("notifications.tasks.send_due")
    heaps = over.filter(may_bundle=True).order_by().values_list("person", "channel").distinct()[:limit]
    return len(alone) + sum(_join(person_id, channel) for person_id, channel in heaps)


@transaction.atomic
def _join(person_id: Any, channel: str) -> int:
    """Put what this person waits for on this channel into one message. Returns how many rows moved."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"bundle:{person_id}:{channel}"])
        if not cursor.fetchone()[0]:
            return 0
    rows = _ready(person_id, channel)
    if not rows:
        return 0
    quiet = preferences.quiet_until(rows[0].person, preferences.of(person_id), clock.now())
    if quiet:
        return _rows(rows).update(held_until=quiet)
    ring("notifications.tasks.send_due")
    if len(rows) == 1:
        # `held_until` in the past stays nowhere: the row is due like any other.
        return _rows(rows).update(held_until=None, due_at=clock.real())
    bundle = _make(rows)
    return _rows(rows).update(state=State.BUNDLED, bundle=bundle, held_until=clock.now())


def _ready(person_id: Any, channel: str) -> list[Delivery]:
    """The rows, locked after their notifications, as whoever acts on a notification locks them."""
    due = Delivery.objects.filter(
        person=person_id, channel=channel, may_bundle=True, state=State.DUE, held_until__lte=clock.now()
    )
    told = Notification.objects.filter(pk__in=due.values("notification")).order_by("pk")
    list(told.select_for_update(no_key=True).values_list("pk", flat=True))
    rows = due.select_for_update(of=("self",)).select_related("person").order_by("created_at", "pk")
    chosen: list[Delivery] = []
    characters = 0
    for row in rows[:MEMBERS_MAX]:
        characters += len(row.body) + 1
        is_full = channel == Channel.SMS and characters > SMS_CHARACTERS
        if chosen and (is_full or row.to != chosen[0].to):
            break  # the rest makes the next message
        chosen.append(row)
    return chosen


def _rows(rows: list[Delivery]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=[row.pk for row in rows], state=State.DUE)


def _make(rows: list[Delivery]) -> Delivery:
    first, at = rows[0], clock.real()
    return Delivery.objects.create(
        key=f"bundle:{first.pk}",
        is_bundle=True,
        person=first.person,
        channel=first.channel,
        to=first.to,
        language=first.language,
        created_at=at,
        due_at=at,
        expires_at=max(row.expires_at for row in rows),
    )


# --- sending -------------------------------------------------------------------------------------------------------------


def fill(delivery: Delivery) -> bool:
    """Write the bundle's words from the members that are still in it; False when none is. Kept, to be looked up by."""
    members = list(Delivery.objects.filter(bundle=delivery, state=State.BUNDLED).order_by("created_at", "pk"))
    if not members:
        return False
    delivery.subject, delivery.body = _words(delivery, members)
    if len(members) == 1:
        delivery.link, delivery.link_text = members[0].link, members[0].link_text
    delivery.save(update_fields=["subject", "body", "link", "link_text"])
    return True


def _words(delivery: Delivery, members: list[Delivery]) -> tuple[str, str]:
    if delivery.channel == Channel.SMS:
        return "", segments.plain("\n".join(member.body for member in members))
    if len(members) == 1:
        return members[0].subject, members[0].body
    with translation.override(delivery.language):
        subject = ngettext("%(n)s message for you", "%(n)s messages for you", len(members)) % {"n": len(members)}
    return subject, "\n\n".join(_part(member) for member in members)


def _part(member: Delivery) -> str:
    link = f"\n{member.link_text}: {member.link}" if member.link else ""
    return f"{member.subject}\n{member.body}{link}"


# --- afterwards ----------------------------------------------------------------------------------------------------------


def end(delivery: Delivery) -> list[Delivery]:
    """The members end as their bundle did; returns them. Nothing for a row that is no bundle."""
    if not delivery.is_bundle:
        return []
    bundle = Delivery.objects.get(pk=delivery.pk)
    members = list(Delivery.objects.filter(bundle=bundle, state=State.BUNDLED))
    rows = Delivery.objects.filter(pk__in=[member.pk for member in members], state=State.BUNDLED)
    rows.update(state=bundle.state, error=bundle.error, finished_at=bundle.finished_at, sent_at=bundle.sent_at)
    return members


def take_out(notification_ids: list[UUID]) -> int:
    """Who acted needs not read it: out of the bundles that nobody has leased yet. Returns how many."""
    rows = Delivery.objects.filter(notification__in=notification_ids, state=State.BUNDLED, bundle__state=State.DUE)
    return rows.update(state=State.CANCELLED, finished_at=clock.real())
