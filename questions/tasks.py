"""Celery's side: each task calls one function."""

import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from celery import shared_task

from backend.retry import is_lost_race, until_done
from questions import after, duty, expectation, experts, friends, promise, rounds, routing, topics
from questions.models import Topic

log = logging.getLogger(__name__)

BATCH = 200


def _each(ids: Iterable[UUID], act: Callable[[UUID], object], broken: Callable[[UUID], object] | None = None) -> None:
    """One row that breaks is logged and, where the sweep would meet it first again, put aside; the others go on."""
    for pk in ids:
        try:
            until_done(act, pk)
        except Exception as error:
            log.exception("%s failed id=%s", act.__qualname__, pk)
            if broken and not is_lost_race(error):  # that one is tried again as it is, in its place in the queue
                broken(pk)


@shared_task
def route_one(question_id: str) -> None:
    _each([UUID(question_id)], routing.route, routing.put_aside)


@shared_task
def route_due() -> None:
    """Questions whose ring was lost, that wait for room, or that nobody could take so far."""
    _each(experts.due_for_filling(BATCH), routing.fill)
    _each(routing.due_ids(BATCH), routing.route, routing.put_aside)
    after.note_delivered()


@shared_task
def fill_places(person_id: str) -> None:
    """Somebody came free, is back, or knows a topic more."""
    _each([UUID(person_id)], routing.fill)


@shared_task
def expire_offers() -> None:
    _each(routing.due_offers(BATCH), routing.expire)


@shared_task
def run_due_promises() -> None:
    promise.run_due()


@shared_task
def follow_up() -> None:
    _each(after.due_ids(BATCH), after.follow_up)
    _each(duty.due_ids(BATCH), duty.tell_waiting)


@shared_task
def train_topics() -> None:
    topics.train_when_due()


@shared_task
def refresh_forecasts() -> None:
    expectation.refresh()


@shared_task
def adopt_policies() -> None:
    """A topic's promise or a calendar changed: the promises that run follow. Also finds what no ring told of: a new edition
    of the holidays, a row changed past the back office."""
    for topic in Topic.objects.select_related("calendar"):
        _each(rounds.behind(topic), rounds.follow_topic)


@shared_task
def purge() -> None:
    friends.purge()
