"""The books: accounts, transfers, holds, and counters for limits. Only `rewards.ledger` and `rewards.limits` write here."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

# The accounts that every ledger has, by fixed id (made by a migration): where credits and money come from and go to.
ISSUED, SPENT, LAPSED, FUNDING = 1, 2, 3, 4


class Account(models.Model):
    """A place where credits or cents are. A person's wallet is their *lots*: one account per wallet and expiry."""

    class Unit(models.TextChoices):
        CREDIT = "credit"
        CENT = "cent"

    class Kind(models.TextChoices):
        ALLOWANCE = "allowance"
        EARNED = "earned"
        ISSUED = "issued"
        SPENT = "spent"
        LAPSED = "lapsed"
        BUDGET = "budget"
        GIFT = "gift"
        FUNDING = "funding"
        SHOP = "shop"

    LOTS: ClassVar = (Kind.ALLOWANCE, Kind.EARNED)
    IN_CREDITS: ClassVar = (*LOTS, Kind.ISSUED, Kind.SPENT, Kind.LAPSED)
    BOUNDED: ClassVar = (*LOTS, Kind.BUDGET, Kind.GIFT)

    unit = models.CharField(max_length=6, choices=Unit)
    kind = models.CharField(max_length=10, choices=Kind)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="accounts")
    expires_at = models.DateTimeField(null=True)  # of a lot: from this instant on it cannot be spent
    is_renewed = models.BooleanField(default=False)  # a lot of credits that came back after their own lot had lapsed
    # NULL where nobody asks: a cached balance on an account that everybody pays into is a queue.
    balance = models.BigIntegerField(null=True)
    held = models.BigIntegerField(default=0)  # part of the balance that holds have reserved
    is_frozen = models.BooleanField(default=False)  # its owner has left: nothing is spent from it any more
    # Of a budget: how often limits of its campaign and offers changed (a trigger counts). Who pays knew them as they are.
    limits_version = models.IntegerField(db_default=0, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(unit="credit", kind__in=["allowance", "earned", "issued", "spent", "lapsed"])
                | Q(unit="cent", kind__in=["budget", "gift", "funding", "shop"]),
                name="account_unit_of_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["allowance", "earned", "budget", "gift"], balance__isnull=False)
                | Q(kind__in=["issued", "spent", "lapsed", "funding", "shop"], balance__isnull=True),
                name="account_balance_of_bounded",
            ),
            models.CheckConstraint(condition=Q(balance__gte=0), name="account_not_below_zero"),
            models.CheckConstraint(
                condition=Q(held=0) | Q(held__gte=0, held__lte=F("balance")), name="account_held_within_balance"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["allowance", "earned"], person__isnull=False, expires_at__isnull=False)
                | (~Q(kind__in=["allowance", "earned"]) & Q(person__isnull=True, expires_at__isnull=True)),
                name="account_lot_has_owner_and_end",
            ),
            models.UniqueConstraint(fields=["person", "kind", "expires_at", "is_renewed"], name="account_lot_once"),
            models.UniqueConstraint(fields=["id", "unit"], name="account_unit_key"),  # what transfers refer to
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at"], condition=Q(balance__gt=F("held"), expires_at__isnull=False), name="account_lapses"
            ),
            models.Index(fields=["person", "expires_at"], name="account_wallet"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def available(self) -> int:
        return (self.balance or 0) - self.held

    @property
    def is_bounded(self) -> bool:
        return self.kind in self.BOUNDED


class Hold(models.Model):
    """A reserved part of an account's balance. Resolved once: captured (the rest released), voided or expired."""

    class State(models.TextChoices):
        HELD = "held"
        CAPTURED = "captured"
        VOIDED = "voided"
        EXPIRED = "expired"

    account = models.ForeignKey(Account, models.PROTECT, related_name="holds")
    amount = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.HELD)
    subject = models.CharField(max_length=60)  # "gift:…", "redemption:…"
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="hold_amount"),
            models.CheckConstraint(
                condition=Q(state="held", captured=0, resolved_at__isnull=True)
                | Q(state="captured", captured__gt=0, captured__lte=F("amount"), resolved_at__isnull=False)
                | Q(state__in=["voided", "expired"], captured=0, resolved_at__isnull=False),
                name="hold_resolution",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["subject"], name="hold_subject")]

    def __str__(self) -> str:
        return f"{self.subject} {self.amount}"


class Transfer(models.Model):
    """One move of an amount from one account to another. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE."""

    class Reason(models.TextChoices):
        ALLOWANCE = "allowance"
        EARNED = "earned"
        CLAWBACK = "clawback"
        KUDOS = "kudos"
        GIFT = "gift"  # credits: a gift was claimed; cents: its value was set aside
        RENEWED = "renewed"  # credits of an unclaimed gift whose lot had lapsed live once more
        LAPSED = "lapsed"
        FUNDED = "funded"
        RETURNED = "returned"  # value of a gift that is over goes back to its budget, without its time having run out
        REDEEMED = "redeemed"
        REFUNDED = "refunded"
        CORRECTION = "correction"

    # The composite foreign keys (account, unit) are in a migration: no transfer crosses units.
    debit = models.ForeignKey(Account, models.PROTECT, related_name="debits", db_constraint=False, db_index=False)
    credit = models.ForeignKey(Account, models.PROTECT, related_name="credits", db_constraint=False, db_index=False)
    unit = models.CharField(max_length=6, choices=Account.Unit)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=10, choices=Reason)
    subject = models.CharField(max_length=60)  # what it was for: "gift:…", "question:42"
    key = models.CharField(max_length=200, unique=True)  # what makes it happen once
    hold = models.OneToOneField(Hold, models.PROTECT, null=True, related_name="transfer")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_between_two"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["debit", "id"], name="transfer_debit"),
            models.Index(fields=["credit", "id"], name="transfer_credit"),
            models.Index(fields=["subject"], name="transfer_subject"),
        ]

    def __str__(self) -> str:
        return self.key


class Counter(models.Model):
    """How much of a limit is used: `offer:…:stock`. The limit itself stands where it is set."""

    scope = models.CharField(max_length=160, primary_key=True)
    used = models.BigIntegerField()
    last_used_on = models.DateField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(used__gte=0), name="counter_not_below_zero")]

    def __str__(self) -> str:
        return f"{self.scope} {self.used}"
