"""What questions are about, who knows it, and how much each of them holds."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from backend import clock
from backend.ids import uuid7
from questions.models.calendars import Calendar

DEFAULT_CAPACITY = 5


class Topic(models.Model):
    """What questions are about: who knows it, who leads it, what it promises."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    mail_key = models.SlugField(max_length=40, unique=True)  # <mail_key>@MAIL_DOMAIN asks a question on this topic
    name_nl = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    description_nl = models.TextField(blank=True)
    description_en = models.TextField(blank=True)
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="leads")
    promise_hours = models.PositiveSmallIntegerField(default=24, validators=[MinValueValidator(1)])
    calendar = models.ForeignKey(
        Calendar, models.PROTECT, null=True, blank=True, related_name="topics", verbose_name=_("working hours of")
    )  # the hours are its working hours; without one they are elapsed hours
    needs_approval = models.BooleanField(default=False)  # a second pair of eyes before an answer leaves
    expected_at = models.DateTimeField(null=True, blank=True)  # when somebody who asks at `forecast_at` has an answer …
    expected_by_desk_at = models.DateTimeField(null=True, blank=True)  # … and when the desk must find the topic first
    forecast_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(promise_hours__gte=1), name="topic_promise_hours")]

    def __str__(self) -> str:
        return self.name_nl

    def name(self, language: str) -> str:
        return self.name_en if language == "en" else self.name_nl


class TopicExample(models.Model):
    """A question that belongs to a topic: what the choice of a topic learns from."""

    class Source(models.TextChoices):
        GIVEN = "given"  # written by the topic's lead
        DESK = "desk"  # the duty desk's choice in triage
        ANSWERED = "answered"  # an expert of the topic answered it
        DECLINED = "declined"  # an expert said: not my topic

    topic = models.ForeignKey(Topic, models.CASCADE, related_name="examples")
    language = models.CharField(max_length=2)
    text = models.TextField()
    source = models.CharField(max_length=10, choices=Source, default=Source.GIVEN)
    is_counter_example = models.BooleanField(default=False)  # "this is not about the topic" counts against it

    def __str__(self) -> str:
        return self.text[:60]


class TopicModel(models.Model):
    """One trained version of what chooses topics. The newest active one is used; the one before is kept to fall back on."""

    version = models.BigAutoField(primary_key=True)
    trained_at = models.DateTimeField()
    labels_key = models.CharField(max_length=64)  # digest of what it learned from: unchanged labels train nothing
    data = models.BinaryField()
    examples = models.PositiveIntegerField()
    newest_example = models.BigIntegerField(default=0)  # examples up to this id are what the next run is compared on
    accuracy = models.FloatField()  # on held-out examples, 0 to 1
    previous_accuracy = models.FloatField(null=True, blank=True)  # of the model before, on the same held-out examples
    is_active = models.BooleanField(default=False)  # False: trained, but worse than the one before

    def __str__(self) -> str:
        return f"version {self.version}"


class Expertise(models.Model):
    """A person knows a topic. Level 1 can answer, 2 knows it well, 3 is who the others ask."""

    topic = models.ForeignKey(Topic, models.CASCADE, related_name="expertise")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="expertise")
    level = models.PositiveSmallIntegerField(default=1)

    class Meta:
        verbose_name_plural = "expertise"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["topic", "person"], name="expertise_once"),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=3), name="expertise_level"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.topic} · {self.level}"


class Workload(models.Model):
    """How much an expert holds. The CHECK is what keeps capacity under parallel workers."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="workload")
    open_count = models.PositiveSmallIntegerField(default=0)  # offered + accepted, waiting included
    capacity = models.PositiveSmallIntegerField(default=DEFAULT_CAPACITY)
    lower_to = models.PositiveSmallIntegerField(null=True, blank=True)  # capacity still to come down as places become free
    look_at = models.DateTimeField(null=True, blank=True)  # due row: there may be room, who waits for it?

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["look_at"], condition=Q(look_at__isnull=False), name="workload_look_due"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(open_count__gte=0, open_count__lte=F("capacity")), name="workload_within_capacity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.open_count} of {self.capacity}"

    @classmethod
    def set_capacity(cls, person: Any, capacity: int) -> None:
        """How much the person may hold. Less than they hold now takes effect as places become free."""
        cls.objects.get_or_create(person=person)
        lower_to = Case(When(open_count__gt=capacity, then=Value(capacity)), default=None)
        now = clock.now()
        cls.objects.filter(person=person).update(
            capacity=Greatest(F("open_count"), capacity), lower_to=lower_to, look_at=now
        )
