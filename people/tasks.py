"""Celery's side: each task calls one function."""

import logging

from celery import shared_task

from people import lifecycle
from people.models import Person

log = logging.getLogger(__name__)

BATCH = 100


@shared_task
def begin_absences() -> None:
    """Absences that begin now, and people whose last day is over."""
    for absence_id in lifecycle.absences_to_begin(BATCH):
        try:
            lifecycle.begin_absence(absence_id)
        except Exception:
            log.exception("beginning an absence failed id=%s", absence_id)
    for person_id in lifecycle.leavers(BATCH):
        try:
            lifecycle.left(Person.objects.get(pk=person_id))
        except Exception:
            log.exception("leaving failed id=%s", person_id)
