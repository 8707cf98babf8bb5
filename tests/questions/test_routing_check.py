"""`manage.py routing_check` finds a counter that is wrong and a question that nobody looks after, and repairs nothing."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from questions import routing
from questions.models import Assignment, Question, Workload
from tests.conftest import Cast
from tests.questions import crowd


def check() -> str:
    out = StringIO()
    try:
        call_command("routing_check", stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}"
    return out.getvalue()


@pytest.fixture
def offered(quiet_cast: Cast) -> Question:
    [pk] = crowd.questions(quiet_cast.alice, quiet_cast.topic, 1)
    routing.route(pk)
    return Question.objects.get(pk=pk)


def test_all_is_well(offered: Question) -> None:
    assert "every counter is right" in check()


def test_a_wrong_counter_is_named_and_left_as_it_is(offered: Question, quiet_cast: Cast) -> None:
    Workload.objects.filter(person=quiet_cast.bob).update(open_count=3)
    assert "Bob Bakker: counts 3, holds 1\n1 problems" in check()
    assert Workload.objects.get(person=quiet_cast.bob).open_count == 3


def test_a_question_with_nobody_and_one_that_nothing_looks_at(offered: Question) -> None:
    Assignment.objects.all().delete()
    Workload.objects.update(open_count=0)
    assert "offered, and with nobody" in check()
    Question.objects.update(state="routing", route_at=None)
    assert "nothing will look at it" in check()
