"""Celery's side: each task calls one function."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from celery import shared_task

from backend.retry import until_done
from people import joining, lifecycle
from people.models import Person

log = logging.getLogger(__name__)

BATCH = 100
Key = TypeVar("Key", int, UUID)


@shared_task
def begin_absences() -> None:
    """Absences that begin or end now, people whose last day is over, and new numbers that nobody confirmed."""
    _each(lifecycle.leavers(BATCH), _leave)
    _each(lifecycle.absences_to_begin(BATCH), lifecycle.begin_absence)
    _each(lifecycle.absences_to_end(BATCH), lifecycle.end_absence)
    _each(joining.claims_to_end(BATCH), joining.end_claim)


def _leave(person_id: UUID) -> None:
    lifecycle.left(Person.objects.get(pk=person_id))


def _each(ids: Iterable[Key], act: Callable[[Key], None]) -> None:
    """One that breaks is logged, the others go on."""
    for pk in ids:
        try:
            until_done(act, pk)
        except Exception:
            log.exception("%s failed id=%s", act.__qualname__, pk)
