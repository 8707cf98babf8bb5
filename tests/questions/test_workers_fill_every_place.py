"""N workers × M questions × E experts of capacity c: exactly min(M, E·c) are offered, the rest queue by their promise."""

import pytest

from questions import answering, routing
from questions.models import Assignment, Question
from tests.conftest import Cast, in_parallel
from tests.questions import crowd


@pytest.mark.parametrize(
    ("workers", "asked", "colleagues", "capacity"),
    [(2, 5, 3, 1), (4, 12, 2, 3), (6, 10, 4, 4), (8, 16, 1, 5), (5, 9, 9, 1)],
)
def test_workers_together_offer_exactly_what_there_is_room_for(
    cast: Cast, workers: int, asked: int, colleagues: int, capacity: int
) -> None:
    cast.topic.expertise.all().delete()
    crowd.experts(cast.topic, colleagues, capacity=capacity)
    ids = crowd.questions(cast.alice, cast.topic, asked)

    def work(number: int) -> None:
        for pk in ids[number:] + ids[:number]:  # each begins elsewhere and all of them want all
            routing.route(pk)

    assert in_parallel(workers, work) == [None] * workers
    assert Assignment.objects.count() == min(asked, colleagues * capacity)
    assert Question.objects.filter(state="routing", queued_at__isnull=False).count() == max(
        0, asked - colleagues * capacity
    )
    crowd.check_invariants()


def test_each_freed_place_goes_to_the_nearest_promise_that_waits(cast: Cast) -> None:
    cast.topic.expertise.all().delete()
    crowd.experts(cast.topic, 2, capacity=1)
    ids = crowd.questions(cast.alice, cast.topic, 6)
    for pk in ids[4:] + ids[:4]:  # the two with the farthest promise were there first
        routing.route(pk)
    assert crowd.offered() == set(ids[4:])
    for number in range(4):
        held = Assignment.objects.filter(state="offered").select_related("expert").latest("offered_at")
        answering.decline(held.expert, held.pk, "no_time")
        Question.objects.filter(pk=held.question_id).update(state="withdrawn", route_at=None)
        crowd.fill_due()
        assert ids[number] in crowd.offered(), f"number {number} was to be next"
        assert not set(ids[number + 1 : 4]) & crowd.offered()
    crowd.check_invariants()


def test_several_workers_fill_freed_places_without_overtaking(cast: Cast) -> None:
    cast.topic.expertise.all().delete()
    crowd.experts(cast.topic, 4, capacity=1)
    ids = crowd.questions(cast.alice, cast.topic, 12)
    for pk in ids[8:]:
        routing.route(pk)
    for pk in ids[:8]:
        routing.route(pk)
    held = list(Assignment.objects.filter(state="offered").select_related("expert"))
    at = held[0].offered_at

    def answer(number: int) -> None:
        one = held[number]
        answering.answer(one.expert, one.pk, "Zo.", received_at=at, source="api")
        routing.fill(one.expert_id)

    assert in_parallel(4, answer) == [None] * 4
    crowd.fill_due()
    assert crowd.offered() == set(ids[:4])
    crowd.check_invariants()
