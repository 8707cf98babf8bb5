"""The inbox as the app keeps it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend.changes import Kind
from notifications.api import InboxItem, show
from notifications.models import Notification


def inbox(person: Any, ids: Sequence[UUID]) -> dict[UUID, InboxItem]:
    return {row.pk: show(row) for row in Notification.objects.filter(person=person, pk__in=ids)}


def _inbox_ids(person: Any, above: UUID, limit: int) -> list[UUID]:
    rows = Notification.objects.filter(person=person, pk__gt=above)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


KINDS = (Kind("inbox", "inbox", _inbox_ids, inbox),)
