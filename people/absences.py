"""Being away: said by the person themselves, without a reason."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from people import lifecycle
from people.models import Absence, Person


class Overlaps(Refusal):
    """The person said already that they are away then."""

    code = "absence_overlaps"


def add(person: Person, *, starts_at: datetime, ends_at: datetime, stand_in_id: UUID | None) -> Absence:
    """Raises Invalid (dates, unknown stand-in) and Overlaps."""
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise Invalid(_("Give times with their offset, e.g. 2026-07-01T00:00:00+02:00."))
    if ends_at <= starts_at or ends_at <= clock.now():
        raise Invalid(_("An absence ends after it starts, and not in the past."))
    stand_in = Person.objects.present().filter(pk=stand_in_id).exclude(pk=person.pk).first() if stand_in_id else None
    if stand_in_id and stand_in is None:
        raise Invalid(_("This stand-in is not a colleague of yours."))
    with transaction.atomic():
        _one_at_a_time(person)
        if person.absences.filter(starts_at__lt=ends_at, ends_at__gt=starts_at).exists():
            raise Overlaps(_("You are away then already."))
        made = Absence.objects.create(person=person, starts_at=starts_at, ends_at=ends_at, stand_in=stand_in)
    lifecycle.begin_absence(made.pk)  # from today: what they hold moves at once
    return made


@transaction.atomic
def move_end(person: Person, absence_id: int, ends_at: datetime) -> Absence:
    """Back earlier, or later. Up to now means: back already. Raises NotFound, Invalid, Overlaps."""
    if ends_at.tzinfo is None:
        raise Invalid(_("Give times with their offset, e.g. 2026-07-01T00:00:00+02:00."))
    _one_at_a_time(person)
    mine = person.absences.filter(pk=absence_id).first()
    if mine is None:
        raise NotFound(_("This absence does not exist."))
    if ends_at <= mine.starts_at:
        raise Invalid(_("An absence ends after it starts. Remove it when you are not away at all."))
    if mine.ends_at <= clock.now():
        raise Invalid(_("This absence is over."))
    if person.absences.filter(starts_at__lt=ends_at, ends_at__gt=mine.starts_at).exclude(pk=mine.pk).exists():
        raise Overlaps(_("You are away then already."))
    mine.ends_at = ends_at
    mine.save(update_fields=["ends_at"])
    lifecycle.end_absence(mine.pk)  # when it is over by that: they may take what waits at once
    return mine


@transaction.atomic
def remove(person: Person, absence_id: int) -> None:
    """Raises NotFound, also for somebody else's."""
    if not person.absences.filter(pk=absence_id).delete()[0]:
        raise NotFound(_("This absence does not exist."))
    lifecycle.changed(person)


def _one_at_a_time(person: Person) -> None:
    """Of two requests at once the second sees the first's row. Without the key: who refers to the person need not wait."""
    Person.objects.select_for_update(no_key=True).get(pk=person.pk)
