"""Several sweepers at once act once."""

from collections.abc import Callable

import pytest

from backend import clock
from notifications import tasks as notification_tasks
from notifications.models import Notification
from questions import answering, rounds, tasks
from questions.models import Assignment, Event, Question
from tests.conftest import Cast, ask, in_parallel, later, offer_of, text

SWEEPERS = 6


def together(sweep: Callable[[], object]) -> None:
    results = in_parallel(SWEEPERS, lambda _number: sweep())
    assert results == [None] * SWEEPERS


def counted(kind: str) -> int:
    return Event.objects.filter(kind=kind).count()


def test_steps_of_many_promises(cast: Cast) -> None:
    questions = [ask(cast.alice, f"Waarom is de rekening van zus {number} zo hoog?") for number in range(4)]
    for hours, kind in ((12.1, "reminded"), (6, "swarmed"), (4, "desk_told"), (2, "breached")):
        later(hours=hours)
        together(tasks.run_due_promises)
        tasks.run_due_promises()  # what a lock kept from the last sweeper
        assert counted(kind) == len(questions)
    assert Notification.objects.filter(event="promise_broken").count() == len(questions)


def test_routing_makes_one_offer(cast: Cast) -> None:
    for number in range(4):
        text(cast.alice, f"VRAAG Waarom is de rekening van zus {number} zo hoog?")
    together(notification_tasks.handle_due_inbound)
    together(tasks.route_due)
    assert Question.objects.count() == 4
    assert counted("offered") == Assignment.objects.count() == 4


def test_an_offer_lapses_once(cast: Cast) -> None:
    question = ask(cast.alice)
    Assignment.objects.update(expires_at=clock.now())
    together(tasks.expire_offers)
    assert counted("offer_expired") == 1
    assert offer_of(question).state == "expired"


def test_a_reminder_to_pass_on_goes_out_once(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.answer(offer_of(question).expert, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api")
    later(hours=25)
    together(tasks.follow_up)
    assert counted("relay_reminded") == 1


@pytest.mark.parametrize("hours", [12, 48])
def test_a_change_of_policy_is_followed_once(cast: Cast, hours: int) -> None:
    ask(cast.alice)
    cast.topic.promise_hours = hours
    cast.topic.save()
    together(tasks.adopt_policies)
    assert counted("promise_changed") == 1
    assert rounds.behind(cast.topic) == []
