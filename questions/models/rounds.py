"""One promise a row."""

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from backend.ids import uuid7
from questions.models.calendars import Calendar
from questions.models.questions import Question


class Round(models.Model):
    """One promise. Reopening a question opens a new round and leaves the old verdict for ever."""

    class Verdict(models.TextChoices):
        RUNNING = ""
        KEPT = "kept"
        BREACHED = "breached"
        VOID = "void"  # withdrawn before it was due

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField(default=1)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    hours = models.PositiveSmallIntegerField(default=24)  # the policy it runs under
    calendar = models.ForeignKey(Calendar, models.PROTECT, null=True, blank=True, related_name="+")
    policy_key = models.CharField(max_length=32, default="", blank=True)  # calendars.key_of: differs from what the topic
    # promises now while a change of policy or calendar has not reached this round
    unpaused_due_at = models.DateTimeField(null=True, blank=True)  # when it would be due had nobody waited for the asker
    steps_at = ArrayField(models.DateTimeField(), size=3, default=list)  # ½, ¾ and 9⁄10 of the promised time
    paused_at = models.DateTimeField(null=True, blank=True)  # waits for the asker since then; the pauses stand in Events
    verdict = models.CharField(max_length=8, choices=Verdict, default="", blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)  # when the answer's message came in, or due_at for a breach
    is_answered = models.BooleanField(default=False)
    steps_done = models.PositiveSmallIntegerField(default=0)  # of rounds.STEPS
    next_step_at = models.DateTimeField(null=True, blank=True)  # due row of the promise; null when it rests

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_step_at"], condition=Q(next_step_at__isnull=False), name="round_step_due"),
            models.Index(fields=["due_at"], condition=Q(verdict__in=["kept", "breached"]), name="round_settled"),
            models.Index(fields=["steps_done"], condition=Q(steps_done__gte=3, is_answered=False), name="round_nearly_due"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["question", "number"], name="round_number_once"),
            models.CheckConstraint(condition=Q(due_at__gt=F("started_at")), name="round_due_after_start"),
            models.CheckConstraint(
                condition=Q(verdict="", settled_at__isnull=True) | (~Q(verdict="") & Q(settled_at__isnull=False)),
                name="round_verdict_has_a_time",
            ),
            models.CheckConstraint(condition=Q(verdict__in=["", "kept", "breached", "void"]), name="round_verdict"),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} round {self.number}"

    def status(self, at: datetime) -> str:
        """running, paused, overdue, kept, breached or void. True at `at` also when no worker has run since `due_at`."""
        if self.verdict:
            return self.verdict
        if self.paused_at:
            return "paused"
        return "overdue" if at > self.due_at else "running"
