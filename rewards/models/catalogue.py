"""What can be given away, out of which budget, and where it is redeemed."""

import hashlib
import secrets
from datetime import date, datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from backend import clock
from backend.ids import uuid7
from people.models import Language, Person, Role
from rewards import days
from rewards.models.books import Account


class Shop(models.Model):
    """A partner whose tills redeem vouchers. Its account is what we owe it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80, unique=True)
    is_active = models.BooleanField(default=True)
    account = models.OneToOneField(Account, models.PROTECT, editable=False)

    def __str__(self) -> str:
        return self.name


class ShopKey(models.Model):
    """What a till shows as `Authorization: Bearer till_…`. Only its SHA-256 is kept; several may live side by side."""

    class Scope(models.TextChoices):
        LOOK_UP = "look_up"
        REDEEM = "redeem"
        REFUND = "refund"

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="keys")
    label = models.CharField(max_length=60, blank=True)
    digest = models.BinaryField(unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope), default=list)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=["look_up", "redeem", "refund"]), name="shop_key_scopes"
            )
        ]

    def __str__(self) -> str:
        return f"{self.shop} {self.label}"

    @classmethod
    def issue(cls, shop: Shop, *, label: str = "", scopes: list[str] | None = None) -> str:
        """A fresh key for the shop's tills. Shown once, never again."""
        key = f"till_{secrets.token_urlsafe(32)}"
        cls.objects.create(
            shop=shop,
            label=label,
            digest=cls.digest_of(key),
            scopes=list(cls.Scope.values) if scopes is None else scopes,
            created_at=clock.real(),
        )
        return key

    @staticmethod
    def digest_of(key: str) -> bytes:
        return hashlib.sha256(key.encode()).digest()

    @classmethod
    def find(cls, key: str) -> "ShopKey | None":
        """The live key with its shop, in one query."""
        live = cls.objects.select_related("shop__account").filter(revoked_at__isnull=True, shop__is_active=True)
        return live.filter(digest=cls.digest_of(key)).first()


class Campaign(models.Model):
    """Some money to give away within some local days. `budget` holds what is not committed to a gift yet."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80, unique=True)
    starts_on = models.DateField()
    ends_on = models.DateField()  # the last day, included
    budget = models.OneToOneField(Account, models.PROTECT, editable=False)
    gifts_max = models.PositiveIntegerField(null=True, blank=True)
    gifts_per_giver_max = models.PositiveIntegerField(null=True, blank=True)
    gifts_per_team_max = models.PositiveIntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_on__gte=F("starts_on")), name="campaign_ends_after_start")
        ]

    def __str__(self) -> str:
        return self.name

    def is_open(self, at: datetime) -> bool:
        return self.is_active and self.starts_on <= days.day_of(at) <= self.ends_on


class Offer(models.Model):
    """One thing of the catalogue that employees hand out."""

    class Kind(models.TextChoices):
        GIFT = "gift"  # a value that may be spent in parts
        FIXED = "fixed"  # so many cents off, once
        PERCENTAGE = "percentage"  # so much off, with a cap, once
        PRODUCT = "product"  # this product, once

    class Vat(models.TextChoices):
        SINGLE_PURPOSE = "single_purpose"  # VAT is due at hand-out
        MULTI_PURPOSE = "multi_purpose"  # VAT is due at the till
        DISCOUNT = "discount"  # lowers the price that VAT is counted over

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="offers")
    slug = models.SlugField(max_length=40, unique=True)  # what people text: GEEF koffie
    kind = models.CharField(max_length=10, choices=Kind)
    title_nl = models.CharField(max_length=80)
    title_en = models.CharField(max_length=80)
    text_nl = models.TextField(max_length=2000, blank=True)
    text_en = models.TextField(max_length=2000, blank=True)
    terms_nl = models.TextField(max_length=4000, blank=True)
    terms_en = models.TextField(max_length=4000, blank=True)
    picture_url = models.URLField(blank=True)
    price_credits = models.PositiveIntegerField()
    value_cents = models.PositiveIntegerField()  # of a percentage: its cap
    percentage = models.PositiveSmallIntegerField(null=True, blank=True)
    product_code = models.CharField(max_length=40, blank=True)
    vat_kind = models.CharField(max_length=14, choices=Vat)
    starts_on = models.DateField(null=True, blank=True)  # empty: the campaign's
    ends_on = models.DateField(null=True, blank=True)
    valid_days = models.PositiveSmallIntegerField(default=90)  # local days after the claim, the last one included
    # Who may hand it out; empty is everybody. All that are set must fit.
    audience_roles = ArrayField(models.CharField(max_length=20, choices=Role), default=list, blank=True)
    audience_team_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)  # no join
    audience_languages = ArrayField(models.CharField(max_length=2, choices=Language), default=list, blank=True)
    audience_employed_days_min = models.PositiveIntegerField(null=True, blank=True)
    stock = models.PositiveIntegerField(null=True, blank=True)
    per_giver_max = models.PositiveIntegerField(null=True, blank=True)
    per_recipient_max = models.PositiveIntegerField(null=True, blank=True)
    per_pair_max = models.PositiveIntegerField(null=True, blank=True)
    shops = models.ManyToManyField(Shop, related_name="offers")
    is_active = models.BooleanField(default=True)
    # Written by the sweep alone, so that phones are told what time alone changes.
    is_listed = models.BooleanField(default=False, editable=False)  # within its days, as the sweep saw it last
    looked_on = models.DateField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(price_credits__gte=1, value_cents__gte=1), name="offer_price_and_value"),
            models.CheckConstraint(
                condition=(Q(kind="percentage") & Q(percentage__gte=1, percentage__lte=100))
                | (~Q(kind="percentage") & Q(percentage__isnull=True)),
                name="offer_percentage",
            ),
            models.CheckConstraint(condition=Q(valid_days__gte=1), name="offer_valid_days"),
        ]

    def __str__(self) -> str:
        return self.slug

    def title(self, language: str) -> str:
        return self.title_en if language == "en" else self.title_nl

    def text(self, language: str) -> str:
        return self.text_en if language == "en" else self.text_nl

    def terms(self, language: str) -> str:
        return self.terms_en if language == "en" else self.terms_nl

    def first_day(self) -> date:
        return max(self.starts_on or self.campaign.starts_on, self.campaign.starts_on)

    def last_day(self) -> date:
        return min(self.ends_on or self.campaign.ends_on, self.campaign.ends_on)

    def is_open(self, at: datetime) -> bool:
        """May it be handed out at this moment? In the company's local days."""
        return self.is_active and self.campaign.is_active and self.first_day() <= days.day_of(at) <= self.last_day()

    def is_for(self, person: Person, at: datetime) -> bool:
        """May this person know of it? Who came before HR noted the day (`joined_on` empty) has been here long enough."""
        days_here = (days.day_of(at, person.zone) - person.joined_on).days if person.joined_on else None
        return (
            (not self.audience_roles or person.has_role(*self.audience_roles))
            and (not self.audience_team_ids or person.team_id in self.audience_team_ids)
            and (not self.audience_languages or person.language in self.audience_languages)
            and (days_here is None or days_here >= (self.audience_employed_days_min or 0))
        )

    @property
    def is_single_use(self) -> bool:
        return self.kind != self.Kind.GIFT

    @property
    def asks_recipient(self) -> bool:
        """Whether the friend must say who they are at the claim: only to count, never to be written to."""
        return bool(self.per_recipient_max or self.per_pair_max)
