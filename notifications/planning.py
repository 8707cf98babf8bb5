"""Which channel, when. Today's plan: mail at once; SMS for what is urgent and for people without work mail; the other one
when the first fails. Nobody is lost from sight: when every link has failed the notification is `exhausted`."""

from typing import Any

from notifications import addresses, outbox
from notifications.models import Channel, Delivery, Notification


def first_links(notification: Notification, via: str = "") -> list[str]:
    """The channels to use at once, in order."""
    reach = addresses.open_channels(notification.person_id)
    if via in reach:
        return [via]
    if Channel.EMAIL not in reach:
        return [Channel.SMS] if Channel.SMS in reach else []
    if notification.is_urgent and Channel.SMS in reach:
        return [Channel.EMAIL, Channel.SMS]
    return [Channel.EMAIL]


def start(notification: Notification, *, via: str = "") -> None:
    """Queue the first links; exhausted at once for a person with no channel left."""
    links = first_links(notification, via)
    for channel in links:
        _queue(notification, channel)
    if not links:
        _exhaust(notification)


def after_failure(delivery: Delivery) -> None:
    """A link has failed for good: use one that was not tried, or show the desk."""
    if delivery.notification_id is None:
        return
    notification = Notification.objects.get(pk=delivery.notification_id)
    links = Delivery.objects.filter(notification=notification)
    tried = set(links.values_list("channel", flat=True))
    rest = [channel for channel in addresses.open_channels(notification.person_id) if channel not in tried]
    if rest:
        _queue(notification, rest[0])
    elif not links.exclude(state__in=["undelivered", "failed", "suppressed", "expired"]).exists():
        _exhaust(notification)


def _exhaust(notification: Notification) -> None:
    Notification.objects.filter(pk=notification.pk, state__in=["planned", "waiting"]).update(state="exhausted")


def _queue(notification: Notification, channel: str) -> None:
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
