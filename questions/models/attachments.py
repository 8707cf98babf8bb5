"""A picture with a question, such as a photo of a bill."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backend.ids import uuid7
from questions.models.questions import Question


class Attachment(models.Model):
    """`received → private → redacting → private → … → shared`; it ends as refused or removed.

    An expert sees nothing before `shared`, and then exactly the version that the asker looked at and confirmed.
    """

    class State(models.TextChoices):
        RECEIVED = "received"  # stored as it came, not examined yet
        PRIVATE = "private"  # clean, for its asker's eyes
        REDACTING = "redacting"  # the asker's black boxes are to be drawn
        SHARED = "shared"
        REFUSED = "refused"
        REMOVED = "removed"  # by its asker or with time; the files are gone

    class Refusal(models.TextChoices):
        NONE = ""
        INFECTED = "infected"
        UNREADABLE = "unreadable"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)  # made by the app: sent twice is stored once
    question = models.ForeignKey(Question, models.CASCADE, related_name="attachments")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, choices=State, default=State.RECEIVED)
    refusal = models.CharField(max_length=10, choices=Refusal, default="", blank=True)
    sha256 = models.BinaryField(max_length=32)  # of what was sent, to tell a repetition from another picture
    version = models.PositiveSmallIntegerField(default=0)  # counts what was drawn; the asker confirms one by its number
    boxes = models.JSONField(default=list, blank=True)  # [[left, top, width, height], …] in pixels of version 1
    width = models.PositiveIntegerField(default=0)  # pixels, once examined
    height = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)  # due row: when the worker has something to do with it
    attempts = models.PositiveSmallIntegerField(default=0)
    received_at = models.DateTimeField()
    shared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["question", "received_at"], name="attachment_question"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="attachment_due"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["received", "private", "redacting", "shared", "refused", "removed"]),
                name="attachment_state",
            ),
            models.CheckConstraint(
                condition=(Q(state="refused") & ~Q(refusal="")) | (~Q(state="refused") & Q(refusal="")),
                name="attachment_refused_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state="shared") | Q(shared_at__isnull=False, version__gte=1, width__gte=1),
                name="attachment_shared_was_drawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} ({self.state})"

    @property
    def raw_path(self) -> str:
        return f"attachments/{self.pk}/raw"

    def picture_path(self, *, thumbnail: bool = False) -> str:
        return f"attachments/{self.pk}/{'thumbnail' if thumbnail else 'picture'}-{self.version}.jpg"

    def _move(self, to: str, leaving: list[str], **fields: Any) -> bool:
        """One UPDATE that names what it leaves; False when somebody was first."""
        moved = type(self).objects.filter(pk=self.pk, state__in=leaving).update(state=to, **fields)
        if moved:
            self.refresh_from_db()
        return bool(moved)

    def mark_examined(self, width: int, height: int) -> bool:
        return self._move("private", ["received"], width=width, height=height, version=1, due_at=None, attempts=0)

    def mark_refused(self, reason: str) -> bool:
        return self._move("refused", ["received", "redacting"], refusal=reason, due_at=None, boxes=[])

    def mark_redacting(self, boxes: list[list[int]], due_at: datetime) -> bool:
        return self._move("redacting", ["private", "redacting"], boxes=boxes, due_at=due_at, attempts=0)

    def mark_redacted(self) -> bool:
        return self._move("private", ["redacting"], version=F("version") + 1, due_at=None, attempts=0)

    def mark_shared(self, version: int, at: datetime) -> bool:
        rows = type(self).objects.filter(pk=self.pk, state="private", version=version)
        moved = rows.update(state="shared", shared_at=at, due_at=at)  # due: the versions before it go
        if moved:
            self.refresh_from_db()
        return bool(moved)

    def mark_removed(self, at: datetime) -> bool:
        leaving = ["received", "private", "redacting", "shared", "refused"]
        return self._move("removed", leaving, refusal="", boxes=[], due_at=at, attempts=0)
