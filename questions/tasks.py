"""Celery's side: each task calls one function."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from uuid import UUID

from celery import shared_task
from django.db.models import Model

from backend import clock
from backend.retry import is_lost_race, until_done
from backend.ring import ring
from questions import (
    after,
    asked,
    attachments,
    cards,
    duty,
    expectation,
    experts,
    friends,
    knowledge,
    promise,
    releasing,
    reuse,
    rounds,
    routing,
    topics,
)
from questions.models import Answer, Assignment, Question, Topic

log = logging.getLogger(__name__)

BATCH = promise.BATCH


def _each(ids: Iterable[UUID], act: Callable[[UUID], object], broken: Callable[[UUID], object] | None = None) -> None:
    """One row that breaks is logged and, where the sweep would meet it first again, put aside; the others go on."""
    for pk in ids:
        try:
            until_done(act, pk)
        except Exception as error:
            log.exception("%s failed id=%s", act.__qualname__, pk)
            if broken and not is_lost_race(error):  # that one is tried again as it is, in its place in the queue
                broken(pk)


def _tick(task: str, ids: list[UUID]) -> Iterator[UUID]:
    """As many of these due rows as one tick has time for. After a full batch the next tick is rung for at once."""
    ends = time.monotonic() + promise.TICK_SECONDS
    for pk in ids:
        if time.monotonic() > ends:
            return
        yield pk
    if len(ids) == BATCH:
        ring(task)


def _aside(model: type[Model], due: str) -> Callable[[UUID], object]:
    """What keeps a broken row from being the first of every tick: its due time moves a minute on."""

    def put_aside(pk: UUID) -> None:
        rows = model._default_manager.filter(pk=pk, **{f"{due}__isnull": False})
        rows.update(**{due: clock.now() + promise.BROKEN_ROW_PAUSE})

    return put_aside


@shared_task
def route_one(question_id: str) -> None:
    _each([UUID(question_id)], routing.route, routing.put_aside)


@shared_task
def route_due() -> None:
    """Questions whose ring was lost, that wait for room, or that nobody could take so far."""
    _each(_tick("questions.tasks.route_due", experts.due_for_filling(BATCH)), routing.fill)
    _each(_tick("questions.tasks.route_due", routing.due_ids(BATCH)), routing.route, routing.put_aside)
    after.note_delivered()


@shared_task
def fill_places(person_id: str) -> None:
    """Somebody came free, is back, or knows a topic more."""
    _each([UUID(person_id)], routing.fill)


@shared_task
def expire_offers() -> None:
    offers = _tick("questions.tasks.expire_offers", routing.due_offers(BATCH))
    _each(offers, routing.expire, _aside(Assignment, "expires_at"))


@shared_task
def run_due_promises() -> None:
    if promise.run_due(BATCH) == BATCH:
        ring("questions.tasks.run_due_promises")


@shared_task
def follow_up() -> None:
    task = "questions.tasks.follow_up"
    _each(_tick(task, after.due_ids(BATCH)), after.follow_up, _aside(Question, "follow_up_at"))
    _each(_tick(task, duty.due_ids(BATCH)), duty.tell_waiting, _aside(Question, "desk_due_at"))
    _each(_tick(task, releasing.due_ids(BATCH)), releasing.leave, _aside(Answer, "leaves_at"))


@shared_task
def tend_attachment(attachment_id: str) -> None:
    _each([UUID(attachment_id)], attachments.tend)


@shared_task
def tend_attachments() -> None:
    """Those whose ring was lost, whose worker was killed, or that wait for the virus scanner."""
    _each(_tick("questions.tasks.tend_attachments", attachments.due_ids(BATCH)), attachments.tend)


@shared_task
def learn_answer(question_id: str) -> None:
    _each([UUID(question_id)], knowledge.learn, knowledge.put_aside)


@shared_task
def tend_knowledge() -> None:
    """Answers whose ring was lost; the end of answers' validity; authors whose answers were used."""
    _each(knowledge.due_ids(BATCH), knowledge.learn, knowledge.put_aside)
    _each(reuse.expired_ids(BATCH), reuse.expire)
    _each(reuse.authors_to_tell(), reuse.tell_author)


@shared_task
def group_questions() -> None:
    asked.group_last_week()


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
    attachments.purge()
    cards.tend()
