"""What came in and what became of it, and how people name what they answer to."""

import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from backend.ids import uuid7
from notifications.models.addresses import Channel

HELD_REMINDED_AFTER = timedelta(minutes=15)


class InboundMessage(models.Model):
    """A message as it came in, stored before anybody judges it. `received → handled | held | quarantined | refused`."""

    class State(models.TextChoices):
        RECEIVED = "received"
        HANDLED = "handled"
        HELD = "held"  # waits for its sender to say what it is about
        QUARANTINED = "quarantined"
        REFUSED = "refused"

    class Authentication(models.TextChoices):
        """Whether a mail's From is to be believed; empty: nobody had to know, or not judged yet."""

        PASSED = "passed"
        FAILED = "failed"
        CONFIRMED = "confirmed"  # by its writer, elsewhere

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
    envelope = models.JSONField(default=dict, blank=True)  # who brought a mail: {"peer", "helo", "mail_from"} or a provider
    authentication = models.CharField(max_length=9, choices=Authentication, blank=True)
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
