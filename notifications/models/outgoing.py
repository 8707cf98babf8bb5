"""What is told to whom and how it travelled."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from backend.ids import uuid7
from notifications.models.addresses import Channel


class ChannelTrouble(models.Model):
    """What an operator must look at in a channel, once per kind of trouble. `blocked_until`: until then it is not used."""

    key = models.CharField(max_length=60, primary_key=True)  # "push:mass_death"
    channel = models.CharField(max_length=8, choices=Channel)
    reason = models.CharField(max_length=300)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "channel troubles"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="channeltrouble_channel")
        ]

    def __str__(self) -> str:
        return self.key


class SmsSpending(models.Model):
    """Segments sent in a period, by whom or in all: "person:<id>:2026-11-25", "total:2026-11". Moved by guarded UPDATEs."""

    scope = models.CharField(max_length=60, primary_key=True)
    segments = models.PositiveIntegerField(default=0)
    ends_on = models.DateField()  # the period's last day
    alerted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "SMS spending"
        indexes: ClassVar = [models.Index(fields=["ends_on"], name="smsspending_ends")]

    def __str__(self) -> str:
        return f"{self.scope}: {self.segments}"


class Notification(models.Model):
    """One thing told to one person: a line of the in-app inbox, and the reason for its deliveries."""

    class State(models.TextChoices):
        PLANNED = "planned"
        WAITING = "waiting"
        ACTED = "acted"
        EXHAUSTED = "exhausted"  # every channel failed: shown to the duty desk

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications", db_index=False)
    key = models.CharField(max_length=200, unique=True)  # the effect: told twice is told once
    event = models.CharField(max_length=60)
    subject_key = models.CharField(max_length=80, blank=True)  # "question:<uuid>": what it is about
    item = models.CharField(max_length=80, blank=True)  # "assignment:<uuid>": what the person is to act on, if anything
    category = models.CharField(max_length=20, blank=True)  # which buttons a push has: "offer" has accept and decline
    # Finished words for every channel, so that any link of the plan can be sent later.
    title = models.CharField(max_length=200)
    body = models.TextField()
    sms_text = models.TextField(blank=True)
    link = models.CharField(max_length=300, blank=True)
    link_text = models.CharField(max_length=80, blank=True)
    reply_key = models.CharField(max_length=32, blank=True)
    in_reply_to = models.CharField(max_length=255, blank=True)
    language = models.CharField(max_length=2, default="nl")
    is_urgent = models.BooleanField(default=False)
    passes_quiet = models.BooleanField(default=False)  # quiet hours do not hold it: urgent, or the person is on duty
    not_before = models.DateTimeField(null=True, blank=True)  # a scheduled send, on the product's clock
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    next_link_at = models.DateTimeField(null=True, blank=True)  # when the next channel of the plan gets its turn

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["person", "-created_at", "-id"], name="notification_inbox"),
            models.Index(fields=["person", "id"], name="notification_copies"),  # a phone's full read walks by id
            models.Index(fields=["person"], condition=Q(read_at__isnull=True), name="notification_unread"),
            models.Index(
                fields=["next_link_at"], condition=Q(state="waiting", next_link_at__isnull=False), name="notification_next"
            ),
            models.Index(fields=["subject_key"], name="notification_subject"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["planned", "waiting", "acted", "exhausted"]), name="notification_state"
            )
        ]

    def __str__(self) -> str:
        return self.title


class Delivery(models.Model):
    """One message to one address: a row of the outgoing queue, and afterwards its record.

    `due → leased → sent → delivered | undelivered | failed`; also unknown (→ sent | due), cancelled, suppressed, expired,
    and bundled: it travels in another row, `bundle`, and ends as that one does.
    """

    class State(models.TextChoices):
        DUE = "due"
        LEASED = "leased"
        UNKNOWN = "unknown"
        SENT = "sent"
        DELIVERED = "delivered"
        UNDELIVERED = "undelivered"
        FAILED = "failed"
        CANCELLED = "cancelled"
        SUPPRESSED = "suppressed"
        EXPIRED = "expired"
        BUNDLED = "bundled"

    UNDER_WAY: ClassVar = ("due", "leased", "unknown", "sent", "delivered", "bundled")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=250, unique=True)
    notification = models.ForeignKey(
        Notification, models.CASCADE, null=True, blank=True, related_name="deliveries"
    )  # null: an answer to an inbound message, a sign-in code, a friend's address
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    channel = models.CharField(max_length=8, choices=Channel)
    to = models.CharField(max_length=254)  # mail address, E.164, or a device's id
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(blank=True)
    link = models.CharField(max_length=300, blank=True)  # the button of a mail
    link_text = models.CharField(max_length=80, blank=True)
    reply_key = models.CharField(max_length=32, blank=True)  # a mail's Reply-To
    in_reply_to = models.CharField(max_length=255, blank=True)
    is_secret = models.BooleanField(default=False)  # the body is wiped when it has been sent
    is_urgent = models.BooleanField(default=False)  # leaves before what is not, on places kept free for it
    language = models.CharField(max_length=2, default="nl")

    state = models.CharField(max_length=12, choices=State, default=State.DUE)
    due_at = models.DateTimeField()  # real time, like leases: providers do not follow a moved clock
    # Not to be taken before this moment of the product's clock (quiet hours, a scheduled send, a bundle that fills).
    # Beside `due_at`, because quiet hours follow a moved clock and providers do not.
    held_until = models.DateTimeField(null=True, blank=True)
    may_bundle = models.BooleanField(default=False)
    is_bundle = models.BooleanField(default=False)
    bundle = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="members")
    segments = models.PositiveSmallIntegerField(default=0)  # of an SMS, once the budget has been charged for it
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=255, blank=True)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    poll_at = models.DateTimeField(null=True, blank=True)  # no receipt by then: the provider is asked for one

    class Meta:
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [
            models.Index(
                fields=["channel", "is_urgent", "due_at"],
                condition=Q(state="due", held_until__isnull=True),
                name="delivery_lane",
            ),
            models.Index(
                fields=["due_at"],
                condition=Q(state="due", held_until__isnull=True) | Q(state="unknown"),
                name="delivery_due",
            ),
            models.Index(fields=["held_until"], condition=Q(state="due", held_until__isnull=False), name="delivery_held"),
            models.Index(
                fields=["person", "channel", "-created_at"], condition=Q(may_bundle=True), name="delivery_bundles"
            ),
            models.Index(fields=["lease_until"], condition=Q(state="leased"), name="delivery_leased"),
            models.Index(fields=["channel", "to", "-created_at"], name="delivery_to"),
            models.Index(fields=["-attempted_at"], condition=Q(channel="push"), name="delivery_pushes"),
            models.Index(fields=["poll_at"], condition=Q(state="sent", poll_at__isnull=False), name="delivery_poll"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["channel", "provider_id"], condition=~Q(provider_id=""), name="delivery_provider_id"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        *("due", "leased", "unknown", "sent", "delivered", "undelivered"),
                        *("failed", "cancelled", "suppressed", "expired", "bundled"),
                    ]
                ),
                name="delivery_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="bundled") | Q(bundle__isnull=False), name="delivery_bundled_is_in_a_bundle"
            ),
            models.CheckConstraint(
                condition=Q(is_bundle=False) | Q(bundle__isnull=True), name="delivery_no_bundle_in_a_bundle"
            ),
            models.CheckConstraint(
                condition=~Q(state="leased") | Q(lease_until__isnull=False), name="delivery_lease_has_an_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} → {self.to} ({self.state})"


class DeliveryEvent(models.Model):
    """What happened to one delivery, when: its line in the timeline. Written in the statement that moves the delivery."""

    class Kind(models.TextChoices):
        SENT = "sent"  # the provider took it; `detail`: how we know, when not from its answer
        LATER = "later"  # not taken, tried again
        UNKNOWN = "unknown"  # the provider may have taken it
        CALLBACK = "callback"  # the provider told what became of it
        POLLED = "polled"  # the provider was asked what became of it
        RECEIVED = "received"  # the app told that it came in
        ENDED = "ended"  # not sent any more

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="events", db_index=False)
    at = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["delivery", "id"], name="deliveryevent_delivery"),
            models.Index(fields=["delivery"], condition=Q(kind__in=["unknown", "polled"]), name="deliveryevent_odd"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}"
