"""Whatever makes room: the question that waits longest for it is offered by that, not five minutes later."""

from datetime import timedelta

import pytest

from backend import clock
from people import absences, lifecycle
from people.models import Absence
from questions import experts, routing
from questions.models import Assignment, Expertise, Question, Workload
from tests.conftest import Cast, person
from tests.questions import crowd

DAY = timedelta(days=1)


@pytest.fixture
def alone(quiet_cast: Cast) -> Cast:
    """Bob is the topic's only expert."""
    quiet_cast.topic.expertise.exclude(person=quiet_cast.bob).delete()
    return quiet_cast


def waits(cast: Cast, count: int = 2) -> list[Question]:
    ids = crowd.questions(cast.alice, cast.topic, count)
    for pk in ids:
        routing.route(pk)
    return [Question.objects.get(pk=pk) for pk in ids]


def states(*questions: Question) -> list[str]:
    return [Question.objects.get(pk=question.pk).state for question in questions]


def test_more_capacity(alone: Cast) -> None:
    experts.set_capacity(alone.bob, 1)
    first, second, third = waits(alone, 3)
    assert states(first, second, third) == ["offered", "routing", "routing"]
    experts.set_capacity(alone.bob, 2)
    crowd.fill_due()
    assert states(first, second, third) == ["offered", "offered", "routing"]


def test_less_capacity_comes_as_places_become_free(alone: Cast) -> None:
    experts.set_capacity(alone.bob, 3)
    waits(alone, 4)
    experts.set_capacity(alone.bob, 1)
    assert Workload.objects.get(person=alone.bob).capacity == 3
    for left in (2, 1):
        held = Assignment.objects.filter(expert=alone.bob, state="offered").order_by("offered_at")[0]
        Assignment.objects.filter(pk=held.pk).update(expires_at=clock.now())
        routing.expire(held.pk)
        crowd.fill_due()
        load = Workload.objects.get(person=alone.bob)
        assert (load.open_count, load.capacity) == (left, left)
    assert states(*Question.objects.filter(state="offered")) == ["offered"]


def test_an_absence_that_ends_or_is_taken_back(alone: Cast) -> None:
    now = clock.now()
    over = Absence.objects.create(person=alone.bob, starts_at=now - DAY, ends_at=now + timedelta(milliseconds=1))
    running = Absence.objects.create(person=alone.charlie, starts_at=now - DAY, ends_at=now + DAY)
    Expertise.objects.create(topic=alone.topic, person=alone.charlie)
    first, second = crowd.questions(alone.alice, alone.topic, 2)
    Question.objects.filter(pk=second).update(not_to=[alone.bob.pk])
    routing.route(second)
    assert Question.objects.get(pk=second).state == "unstaffed"
    assert lifecycle.absences_to_end(9) == [over.pk]
    lifecycle.end_absence(over.pk)
    routing.route(first)
    crowd.fill_due()
    assert crowd.offered() == {first}
    absences.remove(alone.charlie, running.pk)
    crowd.fill_due()
    assert crowd.offered() == {first, second}


def test_back_earlier_than_said(alone: Cast) -> None:
    now = clock.now()
    mine = Absence.objects.create(person=alone.bob, starts_at=now - DAY, ends_at=now + DAY)
    [question] = waits(alone, 1)
    assert question.state == "unstaffed"
    absences.move_end(alone.bob, mine.pk, now)
    crowd.fill_due()
    assert states(question) == ["offered"]


def test_a_new_expert(alone: Cast) -> None:
    from questions import skills

    Expertise.objects.all().delete()
    [question] = waits(alone, 1)
    assert question.state == "unstaffed"
    Workload.objects.all().delete()
    skills.set_own(alone.charlie, alone.topic, 1)
    crowd.fill_due()
    assert Assignment.objects.get(question=question).expert == alone.charlie


def test_hired_again_with_the_role(alone: Cast) -> None:
    alone.bob.left_on = clock.now().date() - DAY
    alone.bob.save()
    lifecycle.changed(alone.bob)
    assert lifecycle.leavers(9) == []
    [question] = waits(alone, 1)
    assert question.state == "unstaffed"
    alone.bob.left_on = None
    alone.bob.save()
    lifecycle.changed(alone.bob)
    crowd.fill_due()
    assert states(question) == ["offered"]
    alone.bob.left_on = clock.now().date() - DAY
    alone.bob.save()
    assert lifecycle.leavers(9) == [alone.bob.pk]  # gone again: noticed again


def test_the_nearest_promise_that_the_person_can_keep_comes_first(alone: Cast) -> None:
    """Who starts in two hours keeps no place for what is due in one."""
    starts = clock.now() + timedelta(hours=2)
    local = starts.astimezone(alone.bob.zone)
    alone.bob.working_hours.all().delete()
    minute = local.hour * 60 + local.minute
    for day in range(7):
        alone.bob.working_hours.create(weekday=day, starts_minute=minute, ends_minute=minute + 60)
    experts.set_capacity(alone.bob, 0)
    Workload.objects.filter(person=alone.bob).update(look_at=None)
    early, late = waits(alone, 2)
    type(early.current_round).objects.filter(pk=early.current_round_id).update(due_at=clock.now() + timedelta(hours=1))
    Question.objects.filter(pk=early.pk).update(state="routing", queued_at=clock.now())
    experts.set_capacity(alone.bob, 1)
    crowd.fill_due()
    assert states(early, late) == ["routing", "offered"]


def test_a_place_that_was_freed_while_nobody_listened_is_found_by_the_sweep(alone: Cast) -> None:
    from questions import tasks

    experts.set_capacity(alone.bob, 1)
    first, second = waits(alone)
    held = Assignment.objects.get(question=first)
    routing.end_assignment(held, "declined", clock.now())
    assert alone.bob.pk in experts.due_for_filling(9)
    tasks.route_due()
    assert states(second) == ["offered"]
    assert Workload.objects.get(person=alone.bob).look_at is None


def test_a_worker_that_died_while_filling_is_followed_by_another(alone: Cast) -> None:
    from tests.conftest import later

    experts.note_room(alone.bob.pk)
    assert experts.claim_filling(alone.bob.pk) is not None
    assert experts.claim_filling(alone.bob.pk) is None  # one at a time
    later(minutes=2)
    assert experts.claim_filling(alone.bob.pk) is not None


def test_somebody_without_a_workload_row_may_get_a_question(alone: Cast) -> None:
    made = person("E77", "Nina Nieuw", "expert")
    alone.topic.expertise.all().delete()
    Expertise.objects.create(topic=alone.topic, person=made)
    [question] = waits(alone, 1)
    assert question.state == "offered"
    assert Workload.objects.get(person=made).open_count == 1
