"""Which channel, when.

Somebody with a phone that has the app gets a push first. When it did not end in delivered, or in acted upon where the
event asks for that, the next link of the chain gets its turn after its minutes; when the link fails, at once. Without
the app: mail at once; SMS for what is urgent and for people without work mail; the other one when the first fails.
Nobody is lost from sight: when every link has failed the notification is `exhausted`.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from backend import clock
from notifications import addresses, devices, outbox
from notifications.models import Channel, Delivery, Device, ItemCode, Notification

BATCH = 100
URGENT_MINUTES: dict[str, int] = {Channel.PUSH: 10, Channel.SMS: 20}
MINUTES: dict[str, int] = {Channel.PUSH: 30, Channel.SMS: 60}  # how long a link has before the next one gets its turn

State = Delivery.State


def first_links(notification: Notification, via: str = "") -> list[str]:
    """The channels to use at once, in order."""
    reach = addresses.open_channels(notification.person_id)
    if via in reach:
        return [via]
    phones = devices.live(notification.person_id)
    plain = _without_the_app(notification, reach)
    if not phones:
        return plain
    return [Channel.PUSH, *plain] if all(map(devices.is_doubtful, phones)) else [Channel.PUSH]


def _without_the_app(notification: Notification, reach: dict[str, str]) -> list[str]:
    if Channel.EMAIL not in reach:
        return [Channel.SMS] if Channel.SMS in reach else []
    if notification.is_urgent and Channel.SMS in reach:
        return [Channel.EMAIL, Channel.SMS]
    return [Channel.EMAIL]


def chain(notification: Notification) -> list[str]:
    """The links one after the other, for somebody with the app: push, SMS where it is urgent or all there is, mail."""
    reach = addresses.open_channels(notification.person_id)
    phones = devices.live(notification.person_id)
    links: list[str] = [Channel.PUSH] if phones else []
    if Channel.SMS in reach and (notification.is_urgent or Channel.EMAIL not in reach):
        links.append(Channel.SMS)
    return [*links, Channel.EMAIL] if Channel.EMAIL in reach else links


def start(notification: Notification, *, via: str = "") -> None:
    """Queue the first links; exhausted at once for a person with no channel left."""
    links = first_links(notification, via)
    for channel in links:
        _queue(notification, channel)
    if links == [Channel.PUSH]:
        _wait_for(notification, Channel.PUSH, [link for link in chain(notification) if link != Channel.PUSH])
    if not links:
        _exhaust(notification)


def run_due(limit: int = BATCH) -> int:
    """The links whose turn has come; returns how many notifications went on. Safe in any number of workers."""
    due = Notification.objects.filter(state="waiting", next_link_at__lte=clock.now()).order_by("next_link_at")
    return sum(_take_turn(pk) for pk in due.values_list("pk", flat=True)[:limit])


@transaction.atomic
def _take_turn(notification_id: UUID) -> bool:
    rows = Notification.objects.select_for_update(skip_locked=True, of=("self",)).select_related("person")
    due = rows.filter(pk=notification_id, state="waiting", next_link_at__lte=clock.now()).first()
    if due is None:
        return False
    if _is_over(due):
        _wait_for(due, "", [])
        return True
    # What has not left by now would only come twice.
    waiting = Delivery.objects.filter(notification=due, channel=Channel.PUSH, state=State.DUE)
    waiting.update(state=State.CANCELLED, finished_at=clock.real())
    links = _untried(due)
    _use(due, links)
    if not links:
        _exhaust_if_all_failed(due)
    return True


@transaction.atomic
def after_failure(delivery: Delivery) -> None:
    """A link has failed for good: the next one at once, or one that was not tried, or show the desk."""
    if delivery.notification_id is None:
        return
    rows = Notification.objects.select_for_update(of=("self",)).select_related("person")
    notification = rows.get(pk=delivery.notification_id)
    under_way = set(_deliveries(notification).filter(state__in=Delivery.UNDER_WAY).values_list("channel", flat=True))
    if notification.state != Notification.State.WAITING or _is_over(notification) or delivery.channel in under_way:
        return  # done with, or another phone of theirs has it
    links = _untried(notification, spare=not under_way)
    if links:
        _use(notification, links)
    elif not under_way:
        _exhaust(notification)


def _is_over(notification: Notification) -> bool:
    """What it asks to act on is closed: the offer lapsed, a colleague approved. Telling it now would only puzzle."""
    closed = ItemCode.objects.filter(person=notification.person_id, item=notification.item, closed_at__isnull=False)
    return bool(notification.item) and closed.exists()


def _deliveries(notification: Notification) -> QuerySet[Delivery]:
    return Delivery.objects.filter(notification=notification)


def _untried(notification: Notification, *, spare: bool = True) -> list[str]:
    """What is left of the chain; when nothing is, with `spare`, any other channel that reaches the person."""
    tried = set(_deliveries(notification).values_list("channel", flat=True))
    rest = [channel for channel in chain(notification) if channel not in tried]
    if rest or not spare:
        return rest
    return [channel for channel in addresses.open_channels(notification.person_id) if channel not in tried][:1]


def _use(notification: Notification, links: list[str]) -> None:
    """Queue the first of these and give it its minutes before the second."""
    if links:
        _queue(notification, links[0])
    _wait_for(notification, links[0] if links else "", links[1:])


def _wait_for(notification: Notification, link: str, rest: list[str]) -> None:
    """Give `link` its minutes; without anything to follow, for ever."""
    minutes = URGENT_MINUTES if notification.is_urgent else MINUTES
    at = clock.now() + timedelta(minutes=minutes[link]) if rest else None
    Notification.objects.filter(pk=notification.pk).update(next_link_at=at)


def arrived(notification_id: UUID | None) -> None:
    """It was delivered, or read. Where nothing more is asked of the person, nothing more is sent."""
    if notification_id is None:
        return
    with transaction.atomic():
        told = Notification.objects.filter(pk=notification_id, item="", state=Notification.State.WAITING)
        if told.update(next_link_at=None):
            outbox.take_back([notification_id])


def _exhaust_if_all_failed(notification: Notification) -> None:
    if not _deliveries(notification).filter(state__in=Delivery.UNDER_WAY).exists():
        _exhaust(notification)


def _exhaust(notification: Notification) -> None:
    Notification.objects.filter(pk=notification.pk, state__in=["planned", "waiting"]).update(state="exhausted")


def _queue(notification: Notification, channel: str) -> None:
    if channel == Channel.PUSH:
        for device in devices.live(notification.person_id):
            _queue_push(notification, device)
        return
    words: dict[str, Any] = (
        {"body": notification.sms_text or notification.title}
        if channel == Channel.SMS
        else {
            "body": notification.body,
            "subject": notification.title,
            "link": notification.link,
            "link_text": notification.link_text,
            "reply_key": notification.reply_key,
            "in_reply_to": notification.in_reply_to,
        }
    )
    outbox.enqueue(
        key=f"{notification.key}:{channel}",
        channel=channel,
        to=addresses.open_channels(notification.person_id)[channel],
        notification=notification,
        person_id=notification.person_id,
        language=notification.language,
        **words,
    )


def _queue_push(notification: Notification, device: Device) -> None:
    """One delivery for each phone: each has an outcome of its own, and one that failed is not sent to the others again."""
    outbox.enqueue(
        key=f"{notification.key}:push:{device.pk}",
        channel=Channel.PUSH,
        to=str(device.pk),
        notification=notification,
        person_id=notification.person_id,
        language=notification.language,
        subject=notification.title,
        body="",
    )
