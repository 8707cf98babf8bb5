"""What the Dutch tax rules say about discounts for employees, as data: a new year may bring a new row."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class DiscountRule(models.Model):
    """Up to so much of the price and so many cents a person and calendar year. The newest that has begun counts."""

    valid_from = models.DateField(unique=True)
    percentage = models.PositiveSmallIntegerField()
    yearly_cap_cents = models.PositiveIntegerField()
    note_nl = models.CharField(max_length=400)  # stands above every export
    note_en = models.CharField(max_length=400)

    class Meta:
        ordering: ClassVar = ["-valid_from"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(percentage__gte=1, percentage__lte=100), name="discount_rule_percentage"),
            models.CheckConstraint(condition=Q(valid_from__month=1, valid_from__day=1), name="discount_rule_from_january"),
        ]

    def __str__(self) -> str:
        return f"{self.percentage} % {self.valid_from}"

    def note(self, language: str) -> str:
        return self.note_en if language == "en" else self.note_nl
