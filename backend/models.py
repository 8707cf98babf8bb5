"""The stores behind `Idempotency-Key` (`backend/idempotency.py`) and behind the processes' pulse (`backend/pulse.py`)."""

from typing import ClassVar

from django.db import models


class RequestKey(models.Model):
    """A request that was answered, so that asking again gives the same answer and does nothing."""

    owner = models.UUIDField()  # whose key it is: a person's, or a shop's
    key = models.CharField(max_length=128)
    request_digest = models.BinaryField()  # SHA-256 over method, path and body
    status = models.PositiveSmallIntegerField(default=0)  # 0 only inside the transaction that does the work
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "key"], name="request_key_once")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="request_key_age")]

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """When a kind of process last said that it lives: the youngest of its processes counts."""

    name = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()  # real time

    def __str__(self) -> str:
        return self.name


class Incident(models.Model):
    """Something stands still and the operator has been told. The row goes when it is over."""

    name = models.CharField(max_length=40, primary_key=True)  # a part, or queue:<name>
    opened_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
