"""What happens around a person's work: gone for good, away. The apps above add what they have to do about it."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from backend import clock
from notifications.models import ItemCode
from people.models import Absence, AccessToken, Person

Reaction = Callable[[Person], None]

on_left: list[Reaction] = []
on_absent: list[Reaction] = []


@transaction.atomic
def left(person: Person) -> None:
    """The person works here no more: access, item codes and open work end in one transaction. Twice is fine."""
    now = clock.now()
    AccessToken.objects.filter(person=person, revoked_at__isnull=True).update(revoked_at=clock.real())
    ItemCode.objects.filter(person=person, closed_at__isnull=True).update(closed_at=now)
    for reaction in on_left:
        reaction(person)


def absences_to_begin(limit: int) -> list[int]:
    """Absences whose time has come and that nobody reacted to yet."""
    now = clock.now()
    rows = Absence.objects.filter(begun_at__isnull=True, starts_at__lte=now, ends_at__gt=now).order_by("starts_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def begin_absence(absence_id: int) -> None:
    """From now on the person is away: what they hold moves. Once; twice is fine."""
    now = clock.now()
    begun = Absence.objects.filter(pk=absence_id, begun_at__isnull=True, starts_at__lte=now)
    if begun.update(begun_at=now):
        for reaction in on_absent:
            reaction(Absence.objects.select_related("person").get(pk=absence_id).person)


def leavers(limit: int) -> list[UUID]:
    """Whose last day is over and who still has access or open item codes: HR said it in advance."""
    gone = Person.objects.exclude(pk__in=Person.objects.present().values("pk"))
    held = gone.filter(item_codes__closed_at__isnull=True, item_codes__isnull=False) | gone.filter(
        access_tokens__revoked_at__isnull=True, access_tokens__isnull=False
    )
    return list(held.distinct().values_list("pk", flat=True)[:limit])
