"""Badges: a rule counts facts of one kind; whoever has so many gets it once and keeps it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class BadgeRule(models.Model):
    """Data, so that the programme can think of badges without us."""

    slug = models.SlugField(max_length=40, unique=True)
    kind = models.CharField(max_length=40)  # of the facts that count
    count = models.PositiveIntegerField()
    name_nl = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["kind", "count", "slug"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(count__gte=1), name="badge_rule_count")]
        indexes: ClassVar = [models.Index(fields=["kind"], condition=Q(is_active=True), name="badge_rule_kind")]

    def __str__(self) -> str:
        return self.slug

    def name(self, language: str) -> str:
        return self.name_en if language == "en" else self.name_nl


class Badge(models.Model):
    """A person's badge. What is withdrawn later counts no longer, but nobody loses a badge."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="badges")
    rule = models.ForeignKey(BadgeRule, models.PROTECT, related_name="badges")
    awarded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "rule"], name="badge_once")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.rule_id}"
