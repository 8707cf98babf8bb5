"""What may be said on a topic without asking an expert."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from backend.ids import uuid7
from questions.models.topics import Topic

SAY_CHARACTERS = 300  # two sentences
NOT_TO_SAY_CHARACTERS = 500


class TopicCard(models.Model):
    """One version of a topic's card: at most two sentences that may be said, and what may not.

    Its words never change (a trigger): an edit is a new version, and the one before stands until that is approved.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="cards")
    say_nl = models.CharField(max_length=SAY_CHARACTERS)
    say_en = models.CharField(max_length=SAY_CHARACTERS)
    not_to_say_nl = models.CharField(max_length=NOT_TO_SAY_CHARACTERS, blank=True)
    not_to_say_en = models.CharField(max_length=NOT_TO_SAY_CHARACTERS, blank=True)
    valid_until = models.DateField(null=True, blank=True)  # the last day, in the company's time; its lead reviews it before
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    written_at = models.DateTimeField()
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    is_current = models.BooleanField(default=False)  # what people are shown
    review_told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["topic__slug", "-written_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["topic"], condition=Q(is_current=True), name="topiccard_one_current"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="topiccard_approved_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(is_current=False) | Q(approved_at__isnull=False), name="topiccard_shown_once_approved"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"

    @property
    def item(self) -> str:
        return f"card:{self.pk}"

    def say(self, language: str) -> str:
        return self.say_en if language == "en" else self.say_nl

    def not_to_say(self, language: str) -> str:
        return self.not_to_say_en if language == "en" else self.not_to_say_nl
