"""What happened to one notification, in order: planned, links, attempts, what providers and phones told, opt-outs, acts.

Six queries at most, however much happened. Ids, codes and times only: the words are elsewhere.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from notifications.models import Channel, Delivery, DeliveryEvent, Device, InboundMessage, ItemCode, Notification

LINES_MAX = 500


@dataclass(frozen=True, order=True)
class Line:
    at: datetime
    channel: str  # empty for what belongs to none
    text: str


def of_notification(told: Notification) -> list[Line]:
    """Oldest first."""
    lines = [Line(told.created_at, "", _("Planned"))]
    if told.read_at:
        lines.append(Line(told.read_at, "", _("Read, or acted upon")))
    if told.next_link_at:
        lines.append(Line(told.next_link_at, "", _("The next channel has its turn")))
    rows = list(Delivery.objects.filter(notification=told).order_by("created_at").defer("body"))
    return sorted([*lines, *_acts(told), *_opt_outs(told), *_links(rows), *_events(rows)])


def of_delivery(row: Delivery) -> list[Line]:
    return sorted([*_links([row]), *_events([row])])


def _links(rows: list[Delivery]) -> list[Line]:
    pushed = [row.to for row in rows if row.channel == Channel.PUSH]
    phones = Device.objects.filter(pk__in=pushed) if pushed else []
    names = {str(phone.pk): f"{phone.platform} {phone.app_version}" for phone in phones}
    return [Line(row.created_at, row.channel, _("Queued for %(to)s") % {"to": names.get(row.to, row.to)}) for row in rows]


def _events(rows: list[Delivery]) -> list[Line]:
    channels = {row.pk: row.channel for row in rows}
    found = DeliveryEvent.objects.filter(delivery__in=channels).order_by("-id")[:LINES_MAX]
    return [Line(event.at, channels[event.delivery_id], _told(event)) for event in found]


def _told(event: DeliveryEvent) -> str:
    words = {
        DeliveryEvent.Kind.SENT: _("The provider took it"),
        DeliveryEvent.Kind.LATER: _("Not taken; tried again later"),
        DeliveryEvent.Kind.UNKNOWN: _("Outcome unknown"),
        DeliveryEvent.Kind.CALLBACK: _("The provider called back"),
        DeliveryEvent.Kind.POLLED: _("No receipt came; the provider was asked"),
        DeliveryEvent.Kind.RECEIVED: _("The app received it"),
        DeliveryEvent.Kind.ENDED: _("Not sent any more"),
    }[DeliveryEvent.Kind(event.kind)]
    return f"{words}: {event.detail}" if event.detail else words


def _acts(told: Notification) -> list[Line]:
    closed = ItemCode.objects.filter(person=told.person_id, item=told.item, closed_at__isnull=False) if told.item else []
    return [Line(code.closed_at, "", _("Acted upon")) for code in closed if code.closed_at]


def _opt_outs(told: Notification) -> list[Line]:
    words = {"stop": _("Opted out (STOP)"), "start": _("Opted in again (START)")}
    numbers = told.person.addresses.filter(channel=Channel.SMS).values_list("value", flat=True)
    found = InboundMessage.objects.filter(
        channel=Channel.SMS, sender__in=list(numbers), reason__in=words, received_at__gte=told.created_at
    )
    rows = found.order_by("received_at").values_list("received_at", "reason")[:LINES_MAX]
    return [Line(at, Channel.SMS, words[reason]) for at, reason in rows]
