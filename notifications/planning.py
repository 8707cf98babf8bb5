"""Which channel, when.

Somebody with a phone that has the app gets a push first. When it did not end in delivered, or in acted upon where the
event asks for that, the next link of the chain gets its turn after its minutes; when the link fails, at once. Without
the app: mail at once; SMS for what is urgent and for people without work mail; the other one when the first fails.
Who wished another order gets that. What is not urgent is held through quiet hours, and news may wait for other news.
Nobody is lost from sight: when every link has failed the notification is `exhausted`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from backend import clock
from notifications import addresses, bundles, devices, events, outbox, preferences
from notifications.models import Channel, Delivery, Device, ItemCode, Notification, Preference

BATCH = 100
# How long a link has where the event's own row says nothing else.
URGENT_MINUTES: dict[str, int] = events.URGENT_UNKNOWN.minutes
MINUTES: dict[str, int] = events.UNKNOWN.minutes

State = Delivery.State


@dataclass
class Plan:
    """One notification's way to its person: looked up once, whatever is asked of it."""

    notification: Notification

    @cached_property
    def event(self) -> events.Event:
        return events.of(self.notification.event, urgent=self.notification.is_urgent)

    @cached_property
    def preference(self) -> Preference | None:
        return preferences.of(self.notification.person_id)

    @cached_property
    def phones(self) -> list[Device]:
        return devices.live(self.notification.person_id)

    @cached_property
    def reach(self) -> dict[str, str]:
        """Address by channel, of those that may be written to about this."""
        found = addresses.open_channels(self.notification.person_id)
        if preferences.mail_is_off(self.preference, self.notification.event):
            found.pop(Channel.EMAIL, None)
        return found

    @property
    def is_off(self) -> bool:
        return preferences.is_off(self.preference, self.notification.event)

    @cached_property
    def wished(self) -> list[str]:
        """The person's own order, as far as it reaches them; empty for the company's."""
        usable = {*self.reach, *([Channel.PUSH] if self.phones else [])}
        return [link for link in preferences.wished(self.preference, self.notification.event) if link in usable]

    @property
    def chain(self) -> list[str]:
        """The links one after the other: as wished; or push, SMS where it is urgent or all there is, mail."""
        if self.wished:
            return self.wished
        links: list[str] = [Channel.PUSH] if self.phones else []
        if Channel.SMS in self.reach and (self.notification.is_urgent or not self._has_mail):
            links.append(Channel.SMS)
        return [*links, Channel.EMAIL] if Channel.EMAIL in self.reach else links

    @property
    def _has_mail(self) -> bool:
        """A mail that was switched off is no reason for an SMS instead."""
        return Channel.EMAIL in self.reach or preferences.mail_is_off(self.preference, self.notification.event)

    def first_links(self, via: str = "") -> list[str]:
        """The channels to use at once, in order."""
        if via in self.reach:
            return [via]
        if self.wished:
            return self.wished[:1]
        plain = self._without_the_app()
        if not self.phones:
            return plain
        return [Channel.PUSH, *plain] if all(map(devices.is_doubtful, self.phones)) else [Channel.PUSH]

    def _without_the_app(self) -> list[str]:
        links = [link for link in self.chain if link != Channel.PUSH]
        # What is urgent goes by mail and SMS together; the rest by the one that comes first.
        return sorted(links) if self.notification.is_urgent else links[:1]

    def held_until(self) -> datetime | None:
        """Until when nothing of this may leave (the product's clock); None when it may."""
        return held_until(self.notification, self.notification.person, self.preference)


def held_until(notification: Notification, person: Any, preference: Preference | None) -> datetime | None:
    """The end of a scheduled wait and of the person's quiet time; None when it may go now."""
    now = clock.now()
    at = max(now, notification.not_before or now)
    until = None if notification.passes_quiet else preferences.quiet_until(person, preference, at)
    at = until or at
    return at if at > now else None


def start(notification: Notification, *, via: str = "") -> None:
    """Queue the first links; exhausted at once for a person with no channel left. What is off stays in the inbox."""
    plan = Plan(notification)
    if plan.is_off:
        return
    links = plan.first_links(via)
    for channel in links:
        _queue(plan, channel)
    follows = [link for link in plan.chain if link not in links]
    if follows and links and (links == [Channel.PUSH] or (plan.wished and via not in links)):
        _wait_for(plan, links[0], follows)
    if not links and not _chose_so(plan):
        _exhaust(notification)


def _chose_so(plan: Plan) -> bool:
    """Nothing is sent because its mail was switched off, not because the person is out of reach."""
    return preferences.mail_is_off(plan.preference, plan.notification.event)


def run_due(limit: int = BATCH) -> int:
    """The links whose turn has come, and what is held no longer; returns how many. Safe in any number of workers."""
    due = Notification.objects.filter(state="waiting", next_link_at__lte=clock.now()).order_by("next_link_at")
    turns = sum(_take_turn(pk) for pk in due.values_list("pk", flat=True)[:limit])
    return turns + bundles.release(limit)


@transaction.atomic
def _take_turn(notification_id: UUID) -> bool:
    rows = Notification.objects.select_for_update(skip_locked=True, of=("self",)).select_related("person")
    due = rows.filter(pk=notification_id, state="waiting", next_link_at__lte=clock.now()).first()
    if due is None:
        return False
    plan = Plan(due)
    if _is_over(due):
        _wait_for(plan, "", [])
        return True
    # What has not left by now would only come twice.
    waiting = Delivery.objects.filter(notification=due, channel=Channel.PUSH, state=State.DUE)
    waiting.update(state=State.CANCELLED, finished_at=clock.real())
    links = _untried(plan)
    _use(plan, links)
    if not links:
        _exhaust_if_all_failed(due)
    return True


@transaction.atomic
def after_failure(delivery: Delivery) -> None:
    """A link has failed for good: the next one at once, or one that was not tried, or show the desk."""
    for member in bundles.end(delivery):
        after_failure(member)
    if delivery.notification_id is None:
        return
    rows = Notification.objects.select_for_update(of=("self",)).select_related("person")
    notification = rows.get(pk=delivery.notification_id)
    under_way = set(_deliveries(notification).filter(state__in=Delivery.UNDER_WAY).values_list("channel", flat=True))
    if notification.state != Notification.State.WAITING or _is_over(notification) or delivery.channel in under_way:
        return  # done with, or another phone of theirs has it
    plan = Plan(notification)
    links = _untried(plan, spare=not under_way)
    if links:
        _use(plan, links)
    elif not under_way:
        _exhaust(notification)


def _is_over(notification: Notification) -> bool:
    """What it asks to act on is closed: the offer lapsed, a colleague approved. Telling it now would only puzzle."""
    closed = ItemCode.objects.filter(person=notification.person_id, item=notification.item, closed_at__isnull=False)
    return bool(notification.item) and closed.exists()


def _deliveries(notification: Notification) -> QuerySet[Delivery]:
    return Delivery.objects.filter(notification=notification)


def _untried(plan: Plan, *, spare: bool = True) -> list[str]:
    """What is left of the chain; when nothing is, with `spare`, any other channel that reaches the person."""
    tried = set(_deliveries(plan.notification).values_list("channel", flat=True))
    rest = [channel for channel in plan.chain if channel not in tried]
    if rest or not spare:
        return rest
    return [channel for channel in plan.reach if channel not in tried][:1]


def _use(plan: Plan, links: list[str]) -> None:
    """Queue the first of these and give it its minutes before the second."""
    if links:
        _queue(plan, links[0])
    _wait_for(plan, links[0] if links else "", links[1:])


def _wait_for(plan: Plan, link: str, rest: list[str]) -> None:
    """Give `link` its minutes, counted from when it may leave; without anything to follow, for ever."""
    begins = plan.held_until() or clock.now()
    minutes = plan.event.minutes.get(link, MINUTES[Channel.SMS])
    at = begins + timedelta(minutes=minutes) if rest else None
    Notification.objects.filter(pk=plan.notification.pk).update(next_link_at=at)


def arrived(notification_id: UUID | None) -> None:
    """It was delivered, or read. Where nothing more is asked of the person, nothing more is sent."""
    if notification_id is None:
        return
    with transaction.atomic():
        told = Notification.objects.filter(pk=notification_id, item="", state=Notification.State.WAITING)
        if told.update(next_link_at=None):
            outbox.take_back([notification_id])


def delivered(delivery: Delivery) -> None:
    """The provider says that this one is on the phone or in the mailbox, with all that travelled in it."""
    for member in bundles.end(delivery):
        arrived(member.notification_id)
    arrived(delivery.notification_id)


def must_wait(delivery: Delivery) -> datetime | None:
    """Asked at the last moment before sending: until when this may not leave (the product's clock). None: it may."""
    preference = getattr(delivery.person, "preference", None)
    if delivery.notification is not None:
        return held_until(delivery.notification, delivery.person, preference)
    return preferences.quiet_until(delivery.person, preference, clock.now()) if delivery.is_bundle else None


def _exhaust_if_all_failed(notification: Notification) -> None:
    if not _deliveries(notification).filter(state__in=Delivery.UNDER_WAY).exists():
        _exhaust(notification)


def _exhaust(notification: Notification) -> None:
    Notification.objects.filter(pk=notification.pk, state__in=["planned", "waiting"]).update(state="exhausted")


def _queue(plan: Plan, channel: str) -> None:
    notification = plan.notification
    held = plan.held_until()
    if channel == Channel.PUSH:
        for device in plan.phones:
            _queue_push(notification, device, held)
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
    if bundles.may(notification, plan.event, channel):
        words |= {"may_bundle": True}
        held = bundles.wait(notification, channel, held)
    outbox.enqueue(
        key=f"{notification.key}:{channel}",
        channel=channel,
        to=plan.reach[channel],
        notification=notification,
        person_id=notification.person_id,
        language=notification.language,
        held_until=held,
        **words,
    )


def _queue_push(notification: Notification, device: Device, held: datetime | None) -> None:
    """One delivery for each phone: each has an outcome of its own, and one that failed is not sent to the others again."""
    outbox.enqueue(
        key=f"{notification.key}:push:{device.pk}",
        channel=Channel.PUSH,
        to=str(device.pk),
        notification=notification,
        person_id=notification.person_id,
        language=notification.language,
        held_until=held,
        subject=notification.title,
        body="",
    )
