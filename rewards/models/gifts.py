"""A gift on its way from an employee to a friend to a till."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backend.ids import uuid7
from rewards.models.books import Account, Hold
from rewards.models.catalogue import Campaign, Offer, Shop


class Gift(models.Model):
    """One offer for one friend. Link and code are derived from `secret_number` with a server key and not stored."""

    class State(models.TextChoices):
        HANDED_OUT = "handed_out"
        CLAIMED = "claimed"
        PART_REDEEMED = "part_redeemed"
        REDEEMED = "redeemed"
        CANCELLED = "cancelled"
        UNCLAIMED = "unclaimed"
        LAPSED = "lapsed"
        REFUNDED = "refunded"

    AT_TILL: ClassVar = (State.CLAIMED, State.PART_REDEEMED)
    RUNNING: ClassVar = (State.HANDED_OUT, *AT_TILL)
    NOTE_CHARACTERS = 300

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="gifts", db_index=False)
    offer = models.ForeignKey(Offer, models.PROTECT, related_name="gifts")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="gifts")
    team_id = models.BigIntegerField(null=True)  # of the giver at hand-out: what departments are counted by
    account = models.OneToOneField(Account, models.PROTECT)  # its value in cents
    request_key = models.CharField(max_length=160)
    note = models.CharField(max_length=NOTE_CHARACTERS, blank=True)
    language = models.CharField(max_length=2)
    price_credits = models.PositiveIntegerField()
    value_cents = models.PositiveIntegerField()
    state = models.CharField(max_length=13, choices=State, default=State.HANDED_OUT)
    frozen_at = models.DateTimeField(null=True, blank=True)  # during a review nothing moves
    secret_number = models.PositiveSmallIntegerField(default=1)  # a new link counts on, and the old one dies
    secret_digest = models.BinaryField(unique=True)  # keyed hashes: who reads this table can neither claim nor redeem
    code_digest = models.BinaryField(unique=True)
    recipient_digest = models.BinaryField(null=True)  # keyed hash of what the friend entered, where limits need it
    handed_out_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()  # from this instant on it cannot be claimed, or, once claimed, redeemed

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["giver", "request_key"], name="gift_once"),
            models.CheckConstraint(
                condition=Q(state__in=["handed_out", "unclaimed"], claimed_at__isnull=True)
                | Q(
                    state__in=["claimed", "part_redeemed", "redeemed", "lapsed", "refunded"],
                    claimed_at__isnull=False,
                )
                | Q(state="cancelled"),
                name="gift_claimed_at",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["giver", "-handed_out_at", "-id"], name="gift_of_giver"),
            models.Index(fields=["giver", "id"], name="gift_copies"),  # a phone's full read walks by id
            models.Index(
                fields=["ends_at"], condition=Q(state__in=["handed_out", "claimed", "part_redeemed"]), name="gift_ends"
            ),
            models.Index(  # empties itself: what was erased is not in it any more
                fields=["ends_at"],
                condition=~Q(state__in=["handed_out", "claimed", "part_redeemed"])
                & (~Q(note="") | Q(recipient_digest__isnull=False)),
                name="gift_to_erase",
            ),
            models.Index(
                fields=["recipient_digest", "claimed_at"],
                condition=Q(recipient_digest__isnull=False),
                name="gift_of_recipient",
            ),
            models.Index(fields=["claimed_at"], condition=Q(recipient_digest__isnull=False), name="gift_claimed_by_known"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def subject(self) -> str:
        return f"gift:{self.pk}"

    def move(self, *, to: str, leaving: tuple[str, ...], also: Q | None = None, **fields: Any) -> bool:
        """One guarded UPDATE; False when somebody was first or the gift is frozen."""
        rows = Gift.objects.filter(also or Q(), pk=self.pk, state__in=leaving, frozen_at__isnull=True)
        moved = bool(rows.update(state=to, **fields))
        if moved:
            self.state = to
            for name, value in fields.items():
                setattr(self, name, value)
        return moved

    def mark_claimed(self, at: datetime, *, ends_at: datetime, recipient: bytes | None) -> bool:
        fields = {"claimed_at": at, "ends_at": ends_at, "recipient_digest": recipient}
        return self.move(to=self.State.CLAIMED, leaving=(self.State.HANDED_OUT,), also=Q(ends_at__gt=at), **fields)

    def mark_cancelled(self) -> bool:
        return self.move(to=self.State.CANCELLED, leaving=(self.State.HANDED_OUT,))

    def mark_unclaimed(self, at: datetime) -> bool:
        return self.move(to=self.State.UNCLAIMED, leaving=(self.State.HANDED_OUT,), also=Q(ends_at__lte=at))

    def mark_lapsed(self, at: datetime) -> bool:
        return self.move(to=self.State.LAPSED, leaving=self.AT_TILL, also=Q(ends_at__lte=at))


class Redemption(models.Model):
    """One sale at one till. Its hold on the gift's account is what was reserved."""

    class State(models.TextChoices):
        RESERVED = "reserved"
        CAPTURED = "captured"
        VOIDED = "voided"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="redemptions")
    gift = models.ForeignKey(Gift, models.PROTECT, related_name="redemptions")
    hold = models.OneToOneField(Hold, models.PROTECT)
    receipt = models.CharField(max_length=60)
    state = models.CharField(max_length=8, choices=State, default=State.RESERVED)
    amount_cents = models.PositiveIntegerField()
    basket_cents = models.PositiveIntegerField(null=True)  # what the till said that the basket costs
    captured_cents = models.PositiveIntegerField(default=0)
    refunded_cents = models.PositiveIntegerField(default=0)
    is_late = models.BooleanField(default=False)  # sold while the till was offline, told afterwards
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    captured_at = models.DateTimeField(null=True)  # when it was sold

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["shop", "receipt", "gift"], name="redemption_once_a_receipt"),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, captured_cents__lte=F("amount_cents")), name="redemption_captured"
            ),
            models.CheckConstraint(condition=Q(refunded_cents__lte=F("captured_cents")), name="redemption_refunded"),
            models.CheckConstraint(
                condition=Q(state="captured", captured_cents__gt=0, captured_at__isnull=False)
                | (~Q(state="captured") & Q(captured_cents=0, captured_at__isnull=True)),
                name="redemption_state",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], condition=Q(state="reserved"), name="redemption_expires"),
            models.Index(fields=["captured_at"], condition=Q(state="captured"), name="redemption_captured_at"),
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} {self.receipt}"


class LateConflict(models.Model):
    """A sale that a till made offline and that could not be booked: the shop gave a discount that the voucher had not."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="late_conflicts")
    gift = models.ForeignKey(Gift, models.PROTECT, null=True, related_name="late_conflicts")
    receipt = models.CharField(max_length=60)
    code_digest = models.BinaryField()
    amount_cents = models.PositiveIntegerField()
    reason = models.CharField(max_length=40)  # the refusal's code
    sold_at = models.DateTimeField()
    reported_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["shop", "receipt", "code_digest"], name="late_conflict_once")
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} {self.receipt} {self.reason}"
