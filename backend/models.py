"""The store behind `Idempotency-Key`. The code that uses it is in `backend/idempotency.py`."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class RequestKey(models.Model):
    """A request that was answered, so that asking again gives the same answer and does nothing."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    key = models.CharField(max_length=128)
    request_digest = models.BinaryField()  # SHA-256 over method, path and body
    status = models.PositiveSmallIntegerField(default=0)  # 0 only inside the transaction that does the work
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "key"], name="request_key_once")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="request_key_age")]

    def __str__(self) -> str:
        return self.key
