"""What happens around a person's work: gone for good, away, here again. The apps above add what they do about it."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from backend import clock
from notifications import outbox
from notifications.models import ItemCode
from people import sessions
from people.models import Absence, Person

Reaction = Callable[[Person], None]

on_left: list[Reaction] = []
on_absent: list[Reaction] = []
on_changed: list[Reaction] = []


@transaction.atomic
def left(person: Person) -> None:
    """The person works here no more: access, phones, item codes and open work end in one transaction. Twice is fine."""
    now = clock.now()
    sessions.end_all(person)
    outbox.end_plans(person)
    Absence.objects.filter(stand_in=person, ends_at__gt=now).update(stand_in=None)
    for reaction in on_left:
        reaction(person)
    ItemCode.objects.filter(person=person, closed_at__isnull=True).update(closed_at=now)
    Person.objects.filter(pk=person.pk).update(gone_at=now)


@transaction.atomic
def changed(person: Person) -> None:
    """HR or the back office changed who they are: gone, hired again, another role, other hours, an absence mended."""
    if not person.is_active:
        left(person)
        return
    Person.objects.filter(pk=person.pk, gone_at__isnull=False).update(gone_at=None)
    for reaction in on_changed:
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
    begun = Absence.objects.filter(pk=absence_id, begun_at__isnull=True, starts_at__lte=now, ends_at__gt=now)
    if begun.update(begun_at=now):
        for reaction in on_absent:
            reaction(Absence.objects.select_related("person").get(pk=absence_id).person)


def absences_to_end(limit: int) -> list[int]:
    """Absences that are over and whose person nobody has looked for since."""
    rows = Absence.objects.filter(over_at__isnull=True, ends_at__lte=clock.now()).order_by("ends_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def end_absence(absence_id: int) -> None:
    """The person is here again: they may take what waits. Once; twice is fine."""
    now = clock.now()
    if Absence.objects.filter(pk=absence_id, over_at__isnull=True, ends_at__lte=now).update(over_at=now):
        changed(Absence.objects.select_related("person").get(pk=absence_id).person)


def leavers(limit: int) -> list[UUID]:
    """Whose last day is over and whose access and work has not ended yet: HR said it in advance."""
    gone = Person.objects.exclude(pk__in=Person.objects.present().values("pk")).filter(gone_at__isnull=True)
    return list(gone.values_list("pk", flat=True)[:limit])
