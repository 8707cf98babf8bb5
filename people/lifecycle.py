"""What happens around a person's work: gone for good, away, back. The apps above add what they have to do about it."""

from collections.abc import Callable

from django.db import transaction

from backend import clock
from notifications.models import ItemCode
from people.models import AccessToken, Person

Reaction = Callable[[Person], None]

on_left: list[Reaction] = []


@transaction.atomic
def left(person: Person) -> None:
    """The person works here no more: access, item codes and open work end in one transaction. Twice is fine."""
    now = clock.now()
    AccessToken.objects.filter(person=person, revoked_at__isnull=True).update(revoked_at=clock.real())
    ItemCode.objects.filter(person=person, closed_at__isnull=True).update(closed_at=now)
    for reaction in on_left:
        reaction(person)
