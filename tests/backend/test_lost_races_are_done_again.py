"""Of two transactions that wait for each other PostgreSQL ends one: that one's work is done again, and never lost."""

import threading

import pytest
from django.db import OperationalError, connection, transaction

from backend import retry
from questions.models import Topic
from tests.conftest import Cast, in_parallel


def test_two_that_wait_for_each_other_both_get_their_work_done(cast: Cast) -> None:
    ids = list(Topic.objects.order_by("pk").values_list("pk", flat=True))
    both = threading.Barrier(2, timeout=10)
    tries = [0, 0]

    def job(number: int) -> None:
        @transaction.atomic
        def crosswise() -> None:
            tries[number] += 1
            for place, pk in enumerate(ids if number else ids[::-1]):
                list(Topic.objects.select_for_update().filter(pk=pk))
                if place == 0 and tries[number] == 1:
                    both.wait()
            Topic.objects.filter(pk=ids[number]).update(promise_hours=7)

        retry.until_done(crosswise)

    assert in_parallel(2, job) == [None, None]
    assert sorted(tries) == [1, 2]
    assert set(Topic.objects.values_list("promise_hours", flat=True)) == {7}


def test_other_errors_and_inner_calls_are_not_done_again(db: None) -> None:
    tries = []

    def broken() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.001), 1 / 0")

    with pytest.raises(Exception, match="division"), transaction.atomic():
        retry.until_done(broken)
    assert len(tries) == 1

    def loses() -> None:
        tries.append(1)
        raise OperationalError("deadlock")

    with pytest.raises(OperationalError):
        retry.until_done(loses)
    assert len(tries) == 2
