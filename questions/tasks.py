"""Celery's side: each task calls one function."""

import logging
from uuid import UUID

from celery import shared_task

from questions import answering, friends, promise, routing

log = logging.getLogger(__name__)

BATCH = 200


@shared_task
def route_one(question_id: str) -> None:
    routing.route(UUID(question_id))


@shared_task
def route_due() -> None:
    """Questions whose ring was lost, that wait for room, or that nobody could take so far."""
    for question_id in routing.due_ids(BATCH):
        try:
            routing.route(question_id)
        except Exception:
            log.exception("routing failed question=%s", question_id)
    answering.note_delivered()


@shared_task
def expire_offers() -> None:
    for assignment_id in routing.due_offers(BATCH):
        try:
            routing.expire(assignment_id)
        except Exception:
            log.exception("expiry failed assignment=%s", assignment_id)


@shared_task
def run_due_promises() -> None:
    promise.run_due()


@shared_task
def purge() -> None:
    friends.purge()
