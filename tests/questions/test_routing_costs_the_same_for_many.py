"""Fifty experts and two hundred queued questions cost as many queries as two experts and none."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend import clock
from questions import experts, routing
from questions.models import Question, Workload
from tests.conftest import Cast
from tests.questions import crowd


def _queries(question_id: object) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        routing.route(question_id, early=True)  # type: ignore[arg-type]
    return len(seen)


@pytest.fixture
def crowded(quiet_cast: Cast) -> Cast:
    quiet_cast.topic.expertise.all().delete()
    crowd.experts(quiet_cast.topic, 50, capacity=5)
    return quiet_cast


def test_routing_asks_as_many_queries_with_fifty_experts_and_two_hundred_in_the_queue(quiet_cast: Cast) -> None:
    [first] = crowd.questions(quiet_cast.alice, quiet_cast.topic, 1)
    few = _queries(first)
    crowd.experts(quiet_cast.topic, 50, capacity=5)
    ids = crowd.questions(quiet_cast.alice, quiet_cast.topic, 201, first=1)
    Question.objects.filter(pk__in=ids[:200]).update(state="routing", queued_at=clock.now())
    assert _queries(ids[200]) <= few
    assert few <= 41


def test_looking_who_keeps_places_for_the_queue_is_one_query(crowded: Cast) -> None:
    ids = crowd.questions(crowded.alice, crowded.topic, 200)
    Question.objects.filter(pk__in=ids[:199]).update(state="routing", queued_at=clock.now())
    last = routing.locked(ids[199])
    at = clock.now()
    candidates = experts.candidates_for(last, at, last.current_round.due_at)
    assert len(candidates) == 50
    with CaptureQueriesContext(connection) as seen:
        kept = experts.spoken_for(last, candidates, at)
    assert len(seen) == 1
    assert kept == {one.person_id for one in candidates}  # 199 wait before it, and everybody has five places
    Workload.objects.all().delete()
    first = routing.locked(ids[0])
    with CaptureQueriesContext(connection) as seen:
        experts.candidates_for(first, at, first.current_round.due_at)
    assert len(seen) <= 6  # a missing workload is made for everybody at once


def test_filling_one_place_does_not_route_the_whole_queue(crowded: Cast) -> None:
    Workload.objects.update(capacity=0)
    ids = crowd.questions(crowded.alice, crowded.topic, 200)
    Question.objects.filter(pk__in=ids).update(state="routing", queued_at=clock.now())
    Workload.objects.update(look_at=None)
    lucky = crowded.topic.expertise.order_by("pk")[7].person
    experts.set_capacity(lucky, 1)
    with CaptureQueriesContext(connection) as seen:
        routing.fill(lucky.pk)
    assert crowd.offered() == {ids[0]}
    assert len(seen) <= 60
