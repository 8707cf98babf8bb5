"""When the company works: rows behind `questions.calendars`."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from people.models import check_time_zone


class Calendar(models.Model):
    """When the company works, for promises that count working hours."""

    name = models.CharField(max_length=80, unique=True)
    time_zone = models.CharField(max_length=40, default="Europe/Amsterdam", validators=[check_time_zone])
    country = models.CharField(max_length=2, default="NL", blank=True)  # whose national holidays are closed; "" for none
    subdivision = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return self.name


class CalendarSlot(models.Model):
    """Opening time on one weekday, in minutes from its local midnight; past 1440 it runs into the next day."""

    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="slots")
    weekday = models.PositiveSmallIntegerField()  # 0 is Monday
    starts_minute = models.PositiveSmallIntegerField()
    ends_minute = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar = ["weekday", "starts_minute"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(weekday__lte=6)
                & Q(starts_minute__lt=1440)
                & Q(ends_minute__gt=F("starts_minute"))
                & Q(ends_minute__lte=F("starts_minute") + 1440),
                name="calendarslot_slot",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.starts_minute}-{self.ends_minute}"


class Closure(models.Model):
    """Local days on which the company is closed, the last one included."""

    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="closures")
    first_day = models.DateField()
    last_day = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="closure_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.first_day}–{self.last_day}"
