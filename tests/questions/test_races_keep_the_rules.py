"""Workers route, expire, accept, decline, leave, go away and answer at once: the rules hold after every round."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from backend import clock
from backend.errors import Refusal
from backend.retry import until_done
from people import absences, lifecycle
from people.models import Person
from questions import answering, intake, promise, routing
from questions.models import Assignment, Expertise, Question
from tests.conftest import Cast, in_parallel, later
from tests.questions import crowd

WORKERS, ROUNDS, JOBS = 6, 4, 6


class Chaos:
    """One worker's random doings, over and over; a refusal is a fair outcome, an error is not."""

    def __init__(self, cast: Cast, seed: str) -> None:
        self.cast, self.luck = cast, random.Random(seed)

    def one(self) -> None:
        doings: list[Callable[[], Any]] = [self.route, self.route, self.expire, self.react, self.react, self.react]
        doings += [self.fill, self.withdraw, self.away, self.leave, self.swarm]
        with contextlib.suppress(Refusal):
            self.luck.choice(doings)()

    def _any(self, ids: Any) -> Any:
        found = list(ids)
        return self.luck.choice(found) if found else None

    def route(self) -> None:
        for pk in self._shuffled(Question.objects.filter(route_at__isnull=False).values_list("pk", flat=True)):
            until_done(routing.route, pk, early=True)

    def _shuffled(self, ids: Any) -> list[UUID]:
        found = list(ids)
        self.luck.shuffle(found)
        return found[:4]

    def expire(self) -> None:
        for pk in self._shuffled(Assignment.objects.filter(state="offered").values_list("pk", flat=True)):
            Assignment.objects.filter(pk=pk, state="offered").update(expires_at=clock.now())
            until_done(routing.expire, pk)

    def react(self) -> None:
        held = self._any(Assignment.objects.filter(state__in=Assignment.OPEN).select_related("expert"))
        if held is None:
            return
        acts: list[Callable[[], Any]] = [
            lambda: answering.accept(held.expert, held.pk),
            lambda: answering.decline(held.expert, held.pk, "no_time"),
            lambda: answering.hand_back(held.expert, held.pk),
            lambda: answering.answer(held.expert, held.pk, "Zo.", received_at=clock.now(), source="api"),
        ]
        until_done(self.luck.choice(acts))

    def fill(self) -> None:
        crowd.fill_due()

    def withdraw(self) -> None:
        pk = self._any(Question.objects.filter(state__in=Question.UNANSWERED).values_list("pk", flat=True)[:3])
        if pk and self.luck.random() < 0.3:
            until_done(intake.withdraw, self.cast.alice, pk)

    def away(self) -> None:
        who = self._any(Person.objects.present().filter(roles__contains=["expert"]))
        if who is None or who.absences.exists() or self.luck.random() < 0.5:
            return
        now = clock.now()
        until_done(absences.add, who, starts_at=now, ends_at=now + timedelta(days=9), stand_in_id=None)

    def leave(self) -> None:
        who = self._any(Person.objects.present().filter(roles__contains=["expert"]))
        if who is None or self.luck.random() < 0.6:
            return
        until_done(self._leave, who)

    def _leave(self, who: Person) -> None:
        with transaction.atomic():  # as HR's import does it
            Person.objects.filter(pk=who.pk).update(left_on=clock.now().date() - timedelta(days=1))
            lifecycle.left(Person.objects.get(pk=who.pk))

    def swarm(self) -> None:
        for pk in self._shuffled(Question.objects.filter(state="accepted").values_list("current_round", flat=True)):
            until_done(promise.advance, pk)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_at_once_the_rules_hold(cast: Cast, seed: int) -> None:
    cast.topic.expertise.all().delete()
    crowd.experts(cast.topic, 12, capacity=2)

    def job(number: int) -> None:
        chaos = Chaos(cast, f"{seed}:{turn}:{number}")
        for _job in range(JOBS):
            chaos.one()

    for turn in range(ROUNDS):
        crowd.questions(cast.alice, cast.topic, 8, first=turn * 8)
        errors = [result for result in in_parallel(WORKERS, job) if result is not None]
        assert not errors, errors
        crowd.check_invariants()
        later(hours=6)  # offers lapse, swarms come
    assert Assignment.objects.filter(state="moved").exists()
    assert Assignment.objects.count() > 12


def test_nobody_who_goes_away_this_very_moment_keeps_an_offer(cast: Cast) -> None:
    """Four workers offer to the two who go away meanwhile; an offer that was on its way moves too."""
    cast.topic.expertise.all().delete()
    leaving = crowd.experts(cast.topic, 2, capacity=3)
    crowd.experts(cast.topic, 1, capacity=20, first=200)
    ids = crowd.questions(cast.alice, cast.topic, 12)
    now = clock.now()

    def job(number: int) -> None:
        if number < 2:
            until_done(absences.add, leaving[number], starts_at=now, ends_at=now + timedelta(days=1), stand_in_id=None)
            return
        for pk in ids[number::4]:
            until_done(routing.route, pk)

    assert in_parallel(6, job) == [None] * 6
    crowd.check_invariants()


@pytest.mark.parametrize("cause", ["absent", "left"])
def test_an_offer_that_is_on_its_way_when_somebody_goes_is_taken_along(cast: Cast, cause: str) -> None:
    """One worker has taken Bob's place and not committed yet; Bob goes. Bob's going waits for it and moves it too."""
    Expertise.objects.exclude(person=cast.bob).delete()
    [pk] = crowd.questions(cast.alice, cast.topic, 1)
    taken = threading.Event()

    @transaction.atomic
    def offer() -> None:
        routing.route(pk)
        taken.set()
        wait_until(somebody_waits_for_a_lock)

    def go() -> None:
        taken.wait()
        if cause == "absent":
            now = clock.now()
            absences.add(cast.bob, starts_at=now, ends_at=now + timedelta(days=1), stand_in_id=None)
            return
        with transaction.atomic():
            Person.objects.filter(pk=cast.bob.pk).update(left_on=clock.now().date() - timedelta(days=1))
            lifecycle.left(Person.objects.get(pk=cast.bob.pk))

    assert in_parallel(2, lambda number: go() if number else offer()) == [None, None]
    assert Assignment.objects.get(question=pk).state == "moved"
    crowd.check_invariants()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def wait_until(true: Callable[[], bool], tries: int = 100) -> None:
    """Gives up quietly: then nobody waits, and the test says what that led to."""
    for _try in range(tries):
        if true():
            return
        time.sleep(0.02)
