"""Who was asked, what they want to know first, and who of the desk is on duty."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backend.ids import uuid7
from questions.models.questions import TEXT_CHARACTERS, Question
from questions.models.rounds import Round

HOPS_MAX = 5  # offers one after another until the desk gets it


class Assignment(models.Model):
    """A question offered to one expert, and what came of it."""

    class State(models.TextChoices):
        OFFERED = "offered"
        ACCEPTED = "accepted"
        ANSWERED = "answered"
        DECLINED = "declined"
        EXPIRED = "expired"
        HANDED_BACK = "handed_back"
        SUPERSEDED = "superseded"
        MOVED = "moved"

    class DeclineReason(models.TextChoices):
        NOT_MY_TOPIC = "not_my_topic"
        NO_TIME = "no_time"
        CONFLICT = "conflict"
        OTHER = "other"

    OPEN: ClassVar = frozenset({State.OFFERED, State.ACCEPTED})

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="assignments")
    round = models.ForeignKey(Round, models.CASCADE, related_name="assignments")
    expert = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="assignments", db_index=False)
    state = models.CharField(max_length=12, choices=State, default=State.OFFERED)
    is_swarm = models.BooleanField(default=False)  # one of the extra experts of the ¾ step
    by_hand = models.BooleanField(default=False)  # the desk or a colleague chose this person, not routing
    leg = models.PositiveSmallIntegerField(default=0)  # counts how often the desk sent the round on its way again
    hop = models.PositiveSmallIntegerField(null=True, blank=True)  # 1 to 5 within a leg; null for swarm and by hand
    reasons = models.JSONField(default=list)  # why this person: [{"code": "knows", "topic": "roaming"}, …]
    score = models.FloatField(default=0)
    decline_reason = models.CharField(max_length=16, choices=DeclineReason, default="", blank=True)
    offered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["expert", "-offered_at", "-id"], name="assignment_mine"),
            models.Index(fields=["expert", "id"], name="assignment_copies"),  # a phone's full read walks by id
            models.Index(fields=["expires_at"], condition=Q(state="offered"), name="assignment_expiry"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["question"],
                condition=Q(state__in=["offered", "accepted"], is_swarm=False),
                name="assignment_one_open_offer",
            ),
            models.UniqueConstraint(
                fields=["question", "expert"],
                condition=Q(state__in=["offered", "accepted"]),
                name="assignment_once_a_person",
            ),
            models.UniqueConstraint(
                fields=["round", "expert"], condition=Q(by_hand=False), name="assignment_never_again_in_a_round"
            ),
            models.UniqueConstraint(fields=["round", "leg", "hop"], name="assignment_hop_once"),
            models.CheckConstraint(
                condition=Q(hop__gte=1, hop__lte=HOPS_MAX) | Q(hop__isnull=True), name="assignment_hop_limit"
            ),
            models.CheckConstraint(
                condition=Q(hop__isnull=False, is_swarm=False, by_hand=False)
                | (Q(hop__isnull=True) & (Q(is_swarm=True) | Q(by_hand=True))),
                name="assignment_hop_when_routed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["offered", "accepted"], ended_at__isnull=True)
                | (~Q(state__in=["offered", "accepted"]) & Q(ended_at__isnull=False)),
                name="assignment_ended_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} → {self.expert_id} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def item(self) -> str:
        return f"assignment:{self.pk}"

    def mark_accepted(self, at: datetime) -> bool:
        """Expiry against accept: whoever's UPDATE comes first."""
        return self._move(self.State.ACCEPTED, {self.State.OFFERED}, accepted_at=at)

    def mark_ended(self, state: str, at: datetime, *, decline_reason: str = "") -> bool:
        return self._move(state, set(self.OPEN), ended_at=at, decline_reason=decline_reason)

    def mark_expired(self, at: datetime) -> bool:
        return self._move(self.State.EXPIRED, {self.State.OFFERED}, ended_at=at)

    def _move(self, to: str, leaving: "set[Assignment.State]", **fields: Any) -> bool:
        fields["state"] = to
        moved = type(self).objects.filter(pk=self.pk, state__in=leaving).update(**fields)
        if moved:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(moved)


class Clarification(models.Model):
    """What an expert wants to know from the asker before answering, and the reply."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="clarifications")
    assignment = models.ForeignKey(Assignment, models.CASCADE, related_name="clarifications")
    text = models.TextField(max_length=TEXT_CHARACTERS)
    asked_at = models.DateTimeField()
    reply = models.TextField(max_length=TEXT_CHARACTERS, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["question"], condition=Q(replied_at__isnull=True), name="clarification_one_open"
            )
        ]

    def __str__(self) -> str:
        return self.text[:60]


class DutyShift(models.Model):
    """Who of the duty desk is on duty when."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="duty_shifts")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["starts_at"]
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="dutyshift_ends")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="dutyshift_ends_after_start"),
            models.UniqueConstraint(fields=["person", "starts_at"], name="dutyshift_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.starts_at:%Y-%m-%d %H:%M}–{self.ends_at:%Y-%m-%d %H:%M}"
