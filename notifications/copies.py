"""The inbox, and what I want to be told, as the app keeps them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend.changes import Kind, one
from notifications import preferences as chosen
from notifications.api import InboxItem, show
from notifications.models import Notification
from notifications.preferences_api import PreferencesOut


def inbox(person: Any, ids: Sequence[UUID]) -> dict[UUID, InboxItem]:
    return {row.pk: show(row) for row in Notification.objects.filter(person=person, pk__in=ids)}


def _inbox_ids(person: Any, above: UUID, limit: int) -> list[UUID]:
    rows = Notification.objects.filter(person=person, pk__gt=above)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def preferences(person: Any, ids: Sequence[UUID]) -> dict[UUID, PreferencesOut]:
    return {person.pk: PreferencesOut.of(chosen.of(person.pk))}


KINDS = (Kind("inbox", "inbox", _inbox_ids, inbox), one("preferences", "preferences", preferences))
