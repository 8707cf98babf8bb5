"""Celery's side of the pulse: worker and beat start their thread, and one task shows that the timetable is kept."""

from celery import shared_task
from celery.signals import beat_init, worker_ready

from backend import health, pulse


@worker_ready.connect
def worker_lives(**_: object) -> None:
    pulse.start("worker", health.queues_that_wait)


@beat_init.connect
def beat_lives(**_: object) -> None:
    pulse.start("beat", health.queues_that_wait)


@shared_task
def keep_timetable() -> None:
    pulse.stamp(pulse.TIMETABLE)
