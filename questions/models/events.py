"""What happened, append-only."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from backend import clock
from questions.models.questions import Question


class Event(models.Model):
    """Every move with who, when and why. Append-only (a trigger sees to it): ids, codes and times, never texts."""

    id = models.BigAutoField(primary_key=True)
    question = models.ForeignKey(Question, models.DO_NOTHING, related_name="events")
    at = models.DateTimeField(default=clock.now)
    kind = models.CharField(max_length=30)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, blank=True, related_name="+")
    data = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["question", "id"], name="event_thread"),
            models.Index(fields=["-at"], condition=models.Q(data__has_key="minutes"), name="event_by_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"


class HandOff(Event):
    """The events that say how long something waited for a person: what people still carry by hand."""

    class Meta:
        proxy = True
        verbose_name = "hand-off"


def record(question: Question, kind: str, *, actor: Any = None, at: datetime | None = None, **data: Any) -> Event:
    """Append one event. `at` is the time it counts from (an answer's receipt), by default now."""
    return Event.objects.create(question=question, kind=kind, actor=actor, at=at or clock.now(), data=data)
