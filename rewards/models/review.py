"""What looks odd in who gives to whom, for the programme manager to judge; and what was decided about it."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q


class ColleagueDigest(models.Model):
    """Keyed hash of an address that a colleague has or had: how a colleague is known among those who claimed gifts."""

    digest = models.BinaryField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["digest", "person"], name="colleague_digest_once")]

    def __str__(self) -> str:
        return str(self.person_id)


class ReviewItem(models.Model):
    """One finding. Nothing is blocked by being here: gifts go on working until somebody freezes them."""

    class Reason(models.TextChoices):
        RING = "ring"
        RECIPROCAL = "reciprocal"
        OWN_GIFT = "own_gift"
        MANY_GIVERS = "many_givers"
        ONE_RECEIPT = "one_receipt"
        BY_HAND = "by_hand"

    class State(models.TextChoices):
        OPEN = "open"
        FROZEN = "frozen"
        RELEASED = "released"
        REVERSED = "reversed"

    UNDECIDED: ClassVar = (State.OPEN, State.FROZEN)

    key = models.CharField(max_length=200, unique=True)  # what makes it one finding, however often it is found
    reason = models.CharField(max_length=12, choices=Reason)
    people = ArrayField(models.UUIDField(), default=list)  # whom it is about, in the order of the sentence
    gifts = ArrayField(models.UUIDField(), default=list)
    kudos = ArrayField(models.UUIDField(), default=list)
    numbers = models.JSONField(default=dict)  # of the sentence: credits, count, days
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    version = models.PositiveIntegerField(default=1)  # grows with each act and each new piece of evidence
    found_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=["open", "frozen", "released", "reversed"]), name="review_state"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "-found_at"], name="review_list"),
            GinIndex(fields=["gifts"], name="review_gifts", condition=Q(state="frozen")),
            GinIndex(fields=["kudos"], name="review_kudos", condition=Q(state="frozen")),
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.pk}"


class ReviewAct(models.Model):
    """Who decided what, when and why. Append-only."""

    class Act(models.TextChoices):
        LIST = "list"  # put on the list by hand
        FREEZE = "freeze"
        RELEASE = "release"
        REVERSE = "reverse"

    item = models.ForeignKey(ReviewItem, models.PROTECT, related_name="acts")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    act = models.CharField(max_length=8, choices=Act)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField()
    left_alone = ArrayField(models.UUIDField(), default=list)  # gifts that were over already

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(reason=""), name="review_act_reason")]

    def __str__(self) -> str:
        return f"{self.act} {self.item_id}"
