"""What people did, and what that earns."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backend.ids import uuid7


class EarningRule(models.Model):
    """What one kind of fact earns. Data, so that the programme can change it without us."""

    kind = models.CharField(max_length=40, unique=True)  # "answered_in_time": the fact's
    name_nl = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    credits = models.PositiveIntegerField()
    per_day_max = models.PositiveIntegerField(null=True, blank=True)  # credits a person may earn with it
    per_month_max = models.PositiveIntegerField(null=True, blank=True)
    per_pair_month_max = models.PositiveIntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.kind

    def name(self, language: str) -> str:
        return self.name_en if language == "en" else self.name_nl


class Fact(models.Model):
    """Something that rewards was told: once per person, kind and key. Badges count facts, rules pay for them."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=100)  # "question:…"
    other = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    credits = models.PositiveIntegerField(default=0)  # what it earned, after the caps
    taken_back = models.PositiveIntegerField(default=0)
    happened_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "kind", "key"], name="fact_once"),
            models.CheckConstraint(condition=Q(taken_back__lte=F("credits")), name="fact_taken_back"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Allowance(models.Model):
    """Credits that everybody gets each month, from this day on. The newest row that has begun counts."""

    credits = models.PositiveIntegerField()
    starts_on = models.DateField(unique=True)

    class Meta:
        ordering: ClassVar = ["-starts_on"]

    def __str__(self) -> str:
        return f"{self.credits} {self.starts_on}"


class PendingByText(models.Model):
    """A gift or credits for a colleague, asked for by SMS and waiting for four digits. One a person, the newest.

    Sender ids can be forged: the digits go to the phone that HR knows, and only who holds it can send them back.
    """

    TRIES = 3

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    offer = models.ForeignKey("rewards.Offer", models.CASCADE, null=True)
    colleague = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    credits = models.PositiveIntegerField(default=0)  # for the colleague
    note = models.CharField(max_length=300, blank=True)
    digest = models.BinaryField()
    tries_left = models.PositiveSmallIntegerField(default=TRIES)
    request_key = models.CharField(max_length=160)
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(offer__isnull=False, colleague__isnull=True)
                | Q(offer__isnull=True, colleague__isnull=False, credits__gt=0),
                name="pending_gift_or_credits",
            )
        ]

    def __str__(self) -> str:
        return str(self.person_id)


class Kudos(models.Model):
    """Thanks from one colleague to another, perhaps with credits of the giver's allowance."""

    NOTE_CHARACTERS = 300

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="kudos_given")
    receiver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="kudos_received")
    note = models.CharField(max_length=NOTE_CHARACTERS)
    credits = models.PositiveIntegerField(default=0)
    request_key = models.CharField(max_length=160)
    created_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True, editable=False)  # after a review: what was left went back

    class Meta:
        verbose_name_plural = "kudos"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["giver", "request_key"], name="kudos_once"),
            models.CheckConstraint(condition=~Q(giver=F("receiver")), name="kudos_between_two"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["receiver", "-created_at", "-id"], name="kudos_of_receiver"),
            models.Index(fields=["giver", "-created_at", "-id"], name="kudos_of_giver"),
            models.Index(fields=["created_at"], condition=Q(credits__gt=0, reversed_at__isnull=True), name="kudos_credits"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def subject(self) -> str:
        return f"kudos:{self.pk}"
