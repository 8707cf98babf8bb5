"""The person themselves as the app keeps them."""

from collections.abc import Sequence
from uuid import UUID

from backend.changes import Kind
from people.models import Person
from people.schemas import Me


def me(person: Person, ids: Sequence[UUID]) -> dict[UUID, Me]:
    return {person.pk: Me.of(person)}


KINDS = (Kind("me", "me", lambda person, above, limit: [person.pk] if person.pk > above else [], me),)
