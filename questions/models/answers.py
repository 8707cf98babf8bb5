"""What experts wrote."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backend.ids import uuid7
from questions.models.assignments import Assignment
from questions.models.questions import Question, Source
from questions.models.rounds import Round

ANSWER_CHARACTERS = 8000


class Answer(models.Model):
    """An expert's text. At most one is released in a round; a late one is kept and refused with a word."""

    class State(models.TextChoices):
        DRAFT = "draft"
        HELD = "held"  # straight to the friend: leaves by itself at `leaves_at`; without one its author said WAIT
        RELEASED = "released"
        REFUSED = "refused"  # came too late, was written anew before it left, or the second pair of eyes said no
        CORRECTED = "corrected"  # replaced by a newer one

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="answers")
    round = models.ForeignKey(Round, models.CASCADE, related_name="answers")
    assignment = models.ForeignKey(Assignment, models.SET_NULL, null=True, blank=True, related_name="answers")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="answers")
    text = models.TextField(max_length=ANSWER_CHARACTERS)
    internal_note = models.TextField(max_length=ANSWER_CHARACTERS, blank=True)
    source = models.CharField(max_length=8, choices=Source)
    state = models.CharField(max_length=10, choices=State)
    received_at = models.DateTimeField()  # what the promise is judged by
    leaves_at = models.DateTimeField(null=True, blank=True)  # due row: when a held one is released by itself
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    corrects = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="corrections")
    valid_until = models.DateTimeField(null=True, blank=True)
    is_expiry_told = models.BooleanField(default=False)  # whoever passed it on knows that `valid_until` is past
    helped = models.BooleanField(null=True, blank=True)  # the friend's one rating
    rated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["question", "-received_at"], name="answer_question"),
            models.Index(fields=["leaves_at"], condition=Q(leaves_at__isnull=False), name="answer_leaves"),
            models.Index(fields=["state"], condition=Q(state="draft"), name="answer_drafts"),
            models.Index(
                fields=["valid_until"],
                condition=Q(state="released", is_expiry_told=False, valid_until__isnull=False),
                name="answer_expiry_due",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["round"], condition=Q(state="released"), name="answer_one_released"),
            models.UniqueConstraint(fields=["round"], condition=Q(state__in=["draft", "held"]), name="answer_one_draft"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "held", "released", "refused", "corrected"]), name="answer_state"
            ),
            models.CheckConstraint(
                condition=Q(leaves_at__isnull=True) | Q(state="held"), name="answer_only_a_held_one_leaves"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("author")), name="answer_approved_by_another"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    def mark_rated(self, *, helped: bool, at: datetime) -> bool:
        """One rating an answer: the second press finds no row to change."""
        return bool(type(self).objects.filter(pk=self.pk, helped__isnull=True).update(helped=helped, rated_at=at))
