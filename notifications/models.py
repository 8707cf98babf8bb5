"""What is told to whom and how it travelled; what came in and what became of it.

Knows people only as AUTH_USER_MODEL and is handed finished words.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from backend import clock
from backend.ids import uuid7

NUMBER_KEPT = timedelta(days=42)  # Dutch carriers give no number to somebody else before
HELD_REMINDED_AFTER = timedelta(minutes=15)


class Channel(models.TextChoices):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Address(models.Model):
    """Where a person can be reached, and from where a message counts as theirs. One owner at a time."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="addresses")
    channel = models.CharField(max_length=8, choices=Channel)
    value = models.CharField(max_length=254)  # lower-case mail address, or E.164
    stopped_at = models.DateTimeField(null=True, blank=True)  # STOP received, or the provider said it is dead
    # Whose it is since when: what was written before was written by whoever had it then. Null: for as long as we know.
    since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("channel", Lower("value"), name="address_has_one_owner"),
            models.UniqueConstraint(fields=["person", "channel"], name="address_one_per_channel"),
            models.CheckConstraint(condition=Q(channel__in=["email", "sms"]), name="address_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}:{self.value}"

    @property
    def is_doubtful(self) -> bool:
        """Silent for so long that the carrier may have given the number to somebody else: its texts prove nothing."""
        is_number = self.channel == Channel.SMS
        return is_number and self.stopped_at is not None and self.stopped_at <= clock.now() - NUMBER_KEPT


class StopRecord(models.Model):
    """One STOP or START of an address, as it came: proof of what somebody asked for. Append-only (a trigger)."""

    class Source(models.TextChoices):
        WEBHOOK = "webhook"  # the person texted it to us
        PROVIDER = "provider"  # the provider refused to send: it knows a STOP, or that the address is dead

    channel = models.CharField(max_length=8, choices=Channel)
    address = models.CharField(max_length=254)
    person_id = models.UUIDField(null=True, blank=True)  # whose it was then; no foreign key: the proof outlives them
    word = models.CharField(max_length=40)  # "STOP", "START", or the provider's error: "twilio 21610"
    source = models.CharField(max_length=8, choices=Source)
    starts = models.BooleanField(default=False)  # True: messages may go there again
    under_way = models.PositiveSmallIntegerField(default=0)  # taken by a worker at that moment: these may still arrive
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["channel", "address", "-at"], name="stoprecord_address")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(source__in=["webhook", "provider"]), name="stoprecord_source")
        ]

    def __str__(self) -> str:
        return f"{self.word} {self.address}"


class Preference(models.Model):
    """What a person chose about being told things. No row: everything as the company has it."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preference")
    has_own_quiet = models.BooleanField(default=False)  # False: the company's quiet hours
    quiet_starts = models.TimeField(null=True, blank=True)  # wall clock in the person's zone; both empty: no quiet hours
    quiet_ends = models.TimeField(null=True, blank=True)
    silent_until = models.DateTimeField(null=True, blank=True)  # once, besides the quiet hours
    chains = models.JSONField(default=dict, blank=True)  # {event, or "" for all: [channels in the order wished]}
    events_off = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    mails_off = ArrayField(models.CharField(max_length=60), default=list, blank=True)  # these events send no mail
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(quiet_starts__isnull=True, quiet_ends__isnull=True)
                | (Q(quiet_starts__isnull=False, quiet_ends__isnull=False) & ~Q(quiet_starts=F("quiet_ends"))),
                name="preference_quiet_hours",
            )
        ]

    def __str__(self) -> str:
        return str(self.person_id)


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


class Device(models.Model):
    """An app on somebody's phone. Firebase's address of it has one owner: whoever used the app last."""

    class Kind(models.TextChoices):
        TOKEN = "token"  # noqa: S105 — a kind, not a secret
        FID = "fid"  # what Firebase wants instead of tokens since its 7.5

    class Platform(models.TextChoices):
        IOS = "ios"
        ANDROID = "android"

    id = models.UUIDField(primary_key=True, editable=False)  # made by the app, once for each installation
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="devices")
    kind = models.CharField(max_length=5, choices=Kind)
    address = models.CharField(max_length=1024)
    platform = models.CharField(max_length=7, choices=Platform)
    app_version = models.CharField(max_length=40)
    locale = models.CharField(max_length=35)
    session_key = models.CharField(max_length=40, blank=True)  # the sign-in that registered it and takes it along
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    dead_at = models.DateTimeField(null=True, blank=True)  # Firebase said that nothing reaches it any more

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["person", "-last_seen_at"], name="device_person"),
            models.Index(fields=["session_key"], name="device_session"),
            models.Index(fields=["last_seen_at"], name="device_unseen"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "address"], name="device_address_has_one_owner"),
            models.CheckConstraint(condition=Q(kind__in=["token", "fid"]) & ~Q(address=""), name="device_kind"),
            models.CheckConstraint(condition=Q(platform__in=["ios", "android"]), name="device_platform"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} {self.app_version}"


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


class Notification(models.Model):
    """One thing told to one person: a line of the in-app inbox, and the reason for its deliveries."""

    class State(models.TextChoices):
        PLANNED = "planned"
        WAITING = "waiting"
        ACTED = "acted"
        EXHAUSTED = "exhausted"  # every channel failed: shown to the duty desk

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications")
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


class InboundMessage(models.Model):
    """A message as it came in, stored before anybody judges it. `received → handled | held | quarantined | refused`."""

    class State(models.TextChoices):
        RECEIVED = "received"
        HANDLED = "handled"
        HELD = "held"  # waits for its sender to say what it is about
        QUARANTINED = "quarantined"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(max_length=8, choices=Channel)
    provider_id = models.CharField(max_length=255)  # MessageSid, or Message-ID
    sender = models.CharField(max_length=254)
    recipient = models.CharField(max_length=254)
    reply_key = models.CharField(max_length=32, blank=True)
    raw = models.BinaryField()
    received_at = models.DateTimeField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    text = models.TextField(blank=True)  # what the person wrote, without quotes and signature
    attachments = models.JSONField(default=list, blank=True)  # names of what a mail carried; it stays in `raw`

    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED)
    reason = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)  # held, and its sender was asked once more

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(state="received"), name="inbound_due"),
            models.Index(fields=["due_at"], condition=Q(state="held"), name="inbound_held_due"),
            models.Index(fields=["received_at"], condition=Q(reason="stranger_tried"), name="inbound_strangers"),
            models.Index(fields=["channel", "sender", "-received_at"], name="inbound_sender"),
            models.Index(fields=["person", "-received_at"], condition=Q(state="held"), name="inbound_held"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["channel", "provider_id"], name="inbound_stored_once"),
            models.CheckConstraint(
                condition=Q(state__in=["received", "handled", "held", "quarantined", "refused"]), name="inbound_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} ← {self.sender} ({self.state})"

    def settle(self, state: str, *, reason: str = "", person_id: Any = None, text: str = "", at: datetime) -> None:
        """The one move out of `received` (or out of `held`, when its sender said what it was about).

        What is held has its next step at `due_at`: first the reminder, then its end.
        """
        self.state, self.reason, self.handled_at = state, reason[:200], at
        self.person_id, self.text = person_id or self.person_id, text or self.text
        if state == self.State.HELD:
            self.due_at, self.reminded_at = at + HELD_REMINDED_AFTER, None
        fields = ["state", "reason", "handled_at", "person", "text", "attachments", "due_at", "reminded_at"]
        self.save(update_fields=fields)


class WebhookCall(models.Model):
    """A provider's signed call that was taken, so that it cannot be played again."""

    key = models.CharField(max_length=200, primary_key=True)  # "mailgun:<token>"
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


def _reply_key() -> str:
    return secrets.token_hex(16)


class ItemCode(models.Model):
    """How one person refers to one open item: `A7` in an SMS, a 32-hex key in a mail's reply address.

    `item` is "kind:uuid"; the app that owns the kind registers who handles it (`reply_targets`). A code stays reserved for
    a while after its item is closed, so that a late answer never lands on something else.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="item_codes")
    code = models.CharField(max_length=3)
    reply_key = models.CharField(max_length=32, unique=True, default=_reply_key)
    item = models.CharField(max_length=80)
    label = models.CharField(max_length=80)
    pages_read = models.PositiveSmallIntegerField(default=0)  # how far MEER has come in a long answer
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    freed_at = models.DateTimeField(null=True, blank=True)  # from here on the letters may name another item

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "item"], name="itemcode_one_per_item"),
            models.UniqueConstraint(
                fields=["person", "code"], condition=Q(freed_at__isnull=True), name="itemcode_unique_while_in_use"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["item"], name="itemcode_item")]

    def __str__(self) -> str:
        return f"{self.code} → {self.item}"

    @property
    def kind(self) -> str:
        return self.item.split(":", 1)[0]

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
