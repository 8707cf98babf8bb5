"""Celery's side: each task calls one function. A ring brings an id or nothing; the timetable sweeps what rings missed."""

from uuid import UUID

from celery import shared_task

from backend import changes, clock, idempotency
from backend.ring import ring
from notifications import budget, delivery, devices, holding, inbound, outcomes, planning
from notifications.inbound import handling

INBOUND_BATCH = 100


@shared_task
def handle_inbound(message_id: str) -> None:
    handling.handle(UUID(message_id))


@shared_task
def handle_due_inbound() -> None:
    for message_id in inbound.due_ids(INBOUND_BATCH):
        handling.handle(message_id)


@shared_task
def follow_held() -> None:
    """Ask once more about what waits for its sender's word, or end it."""
    while holding.run_due():
        pass


@shared_task
def send_due() -> None:
    """Send until nothing is due, then ask about what is unknown."""
    if not delivery.drain():
        ring("notifications.tasks.send_due")
    while outcomes.resolve_unknown():
        pass


@shared_task
def ask_for_receipts() -> None:
    outcomes.ask_for_receipts()


@shared_task
def follow_plans() -> None:
    """The next channel for what had no effect on the last one."""
    while planning.run_due():
        pass


@shared_task
def purge() -> None:
    inbound.purge()
    devices.purge()
    budget.purge()
    idempotency.purge()
    changes.purge(clock.real())


@shared_task
def tell_operator(reason: str) -> None:
    budget.tell_operator(reason)
