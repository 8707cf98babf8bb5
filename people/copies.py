"""The person themselves, and when they are away, as the app keeps it."""

from collections.abc import Sequence
from uuid import UUID

from backend import clock
from backend.changes import one
from people.models import Person
from people.schemas import AbsenceOut, Me


def me(person: Person, ids: Sequence[UUID]) -> dict[UUID, Me]:
    return {person.pk: Me.of(person)}


def absences(person: Person, ids: Sequence[UUID]) -> dict[UUID, list[AbsenceOut]]:
    """Running and coming ones, all in one."""
    rows = person.absences.filter(ends_at__gt=clock.now()).order_by("starts_at")[:ABSENCES_SHOWN]
    return {person.pk: [AbsenceOut.of(row) for row in rows]}


ABSENCES_SHOWN = 100
KINDS = (one("me", "me", me), one("absences", "absences", absences))
