"""Who is away gets nothing and keeps nothing; what they hold goes to their stand-in when that one can, else on."""

from datetime import timedelta

import pytest

from backend import clock
from people import absences, lifecycle
from people.models import Absence, Person
from questions import answering, routing
from questions.models import Assignment, Expertise, Question, Workload
from tests.conftest import Cast, ask, later, letters, offer_of, person, work
from tests.questions import crowd

HOUR = timedelta(hours=1)


def away(who: Person, *, stand_in: Person | None = None, hours: float = 48) -> Absence:
    now = clock.now()
    pk = stand_in.pk if stand_in else None
    return absences.add(who, starts_at=now, ends_at=now + hours * HOUR, stand_in_id=pk)


def test_an_absence_from_now_on_moves_what_they_hold_at_once(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.accept(cast.bob, offer_of(question).pk)
    away(cast.bob)
    assert Assignment.objects.get(expert=cast.bob).state == "moved"
    work()
    assert offer_of(question).expert == cast.charlie
    crowd.check_invariants()


def test_an_absence_that_begins_later_moves_it_when_it_begins(cast: Cast) -> None:
    question = ask(cast.alice)
    now = clock.now()
    absences.add(cast.bob, starts_at=now + HOUR, ends_at=now + 48 * HOUR, stand_in_id=None)
    answering.accept(cast.bob, offer_of(question).pk)
    work()
    assert offer_of(question).expert == cast.bob
    later(hours=1, seconds=1)
    work()
    assert offer_of(question).expert == cast.charlie


def test_an_absence_of_who_holds_nothing_moves_nothing_and_later_they_get_nothing(cast: Cast) -> None:
    away(cast.bob)
    question = ask(cast.alice)
    assert offer_of(question).expert == cast.charlie
    assert not Assignment.objects.filter(expert=cast.bob).exists()


def test_who_leaves_for_a_holiday_in_an_hour_is_not_preferred(cast: Cast) -> None:
    """Bob knows it best, but Charlie is here all day."""
    now = clock.now()
    absences.add(cast.bob, starts_at=now + HOUR, ends_at=now + 90 * HOUR, stand_in_id=None)
    assert offer_of(ask(cast.alice)).expert == cast.charlie


def test_an_absence_that_ends_before_the_deadline_leaves_them_out_until_then(cast: Cast) -> None:
    away(cast.bob, hours=2)
    away(cast.charlie, hours=3)
    question = ask(cast.alice)
    assert question.state == "unstaffed"
    later(hours=2, seconds=1)
    work()
    assert offer_of(question).expert == cast.bob


def test_the_stand_in_gets_it_before_a_better_one(cast: Cast) -> None:
    cleo = person("E7", "Cleo Claes", "expert")
    Expertise.objects.create(topic=cast.topic, person=cleo, level=3)
    question = ask(cast.alice)
    assert offer_of(question).expert == cast.bob
    away(cast.bob, stand_in=cast.charlie)
    assert offer_of(question).expert == cast.charlie
    assert offer_of(question).reasons[0] == {"code": "stands_in", "person": "Bob Bakker"}


def _unqualified(cast: Cast) -> None:
    Expertise.objects.filter(person=cast.charlie).delete()


def _full(cast: Cast) -> None:
    Workload.set_capacity(cast.charlie, 0)


def _excluded(cast: Cast) -> None:
    Question.objects.update(not_to=[cast.charlie.pk])


def _left(cast: Cast) -> None:
    Person.objects.filter(pk=cast.charlie.pk).update(left_on=clock.now().date() - timedelta(days=1))


@pytest.mark.parametrize("cannot", [_unqualified, _full, _excluded, _left])
def test_a_stand_in_who_cannot_is_passed_over(cast: Cast, cannot: object) -> None:
    cleo = person("E7", "Cleo Claes", "expert")
    question = ask(cast.alice)
    stand_in = Absence.objects.create(
        person=cast.bob, starts_at=clock.now(), ends_at=clock.now() + 48 * HOUR, stand_in=cast.charlie
    )
    Expertise.objects.create(topic=cast.topic, person=cleo, level=1)
    cannot(cast)  # type: ignore[operator]
    lifecycle.begin_absence(stand_in.pk)
    work()
    assert offer_of(question).expert == cleo
    assert not Assignment.objects.filter(expert=cast.charlie).exists()


def test_a_stand_in_off_duty_waits_while_somebody_is_at_work(cast: Cast) -> None:
    cleo = person("E7", "Cleo Claes", "expert")
    question = ask(cast.alice)
    Expertise.objects.create(topic=cast.topic, person=cleo, level=1)
    begins = (clock.now() + 3 * HOUR).astimezone(cast.charlie.zone)
    minute = begins.hour * 60 + begins.minute
    cast.charlie.working_hours.all().delete()
    for day in range(7):
        cast.charlie.working_hours.create(weekday=day, starts_minute=minute, ends_minute=minute + 300)
    away(cast.bob, stand_in=cast.charlie)
    work()
    assert offer_of(question).expert == cleo


def test_a_chain_of_stand_ins_is_followed_and_a_circle_goes_to_the_desk(cast: Cast) -> None:
    cleo, carl = person("E7", "Cleo Claes", "expert"), person("E6", "Carl Cas", "expert")
    for one in (cleo, carl):
        Expertise.objects.create(topic=cast.topic, person=one, level=1)
    question = ask(cast.alice)
    away(cast.charlie, stand_in=cleo)
    away(cast.bob, stand_in=cast.charlie)
    assert offer_of(question).expert == cleo  # and not Carl, who is just as good
    away(cleo, stand_in=cast.bob)  # Bob is away with Charlie, Charlie with Cleo: a circle
    question.refresh_from_db()
    assert (question.state, question.route_at) == ("unstaffed", None)
    work()
    assert any(question.reference in letter.subject for letter in letters(cast.dana.email, "email"))
    assert not Assignment.objects.filter(expert=carl).exists()


def test_everybody_is_away_the_desk_hears_at_once_and_the_clock_runs(cast: Cast) -> None:
    away(cast.bob)
    away(cast.charlie)
    question = ask(cast.alice)
    assert question.state == "unstaffed"
    assert question.events.get(kind="unstaffed").data["reason"] == "all_away"
    assert len([one for one in letters(cast.dana.email, "email") if question.reference in one.subject]) == 1
    later(minutes=20)
    work()
    assert len([one for one in letters(cast.dana.email, "email") if question.reference in one.subject]) == 1
    later(hours=24)
    work()
    question.current_round.refresh_from_db()
    assert question.current_round.verdict == "breached"


def test_a_swarm_keeps_it_when_one_of_them_goes_away(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.accept(cast.bob, offer_of(question).pk)
    [extra] = routing.swarm(Question.objects.get(pk=question.pk), clock.now(), 1)
    answering.ask_back(cast.bob, Assignment.objects.get(expert=cast.bob).pk, "Welke maand?", received_at=clock.now())
    away(cast.charlie)
    question.refresh_from_db()
    question.current_round.refresh_from_db()
    assert question.state == "waiting_for_asker"  # Bob still waits for the asker
    assert question.current_round.paused_at is not None
    assert Assignment.objects.get(pk=extra.pk).state == "moved"


def test_when_who_asked_back_goes_away_the_clock_runs_and_the_swarm_has_it(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.accept(cast.bob, offer_of(question).pk)
    routing.swarm(Question.objects.get(pk=question.pk), clock.now(), 1)
    answering.ask_back(cast.bob, Assignment.objects.get(expert=cast.bob).pk, "Welke maand?", received_at=clock.now())
    away(cast.bob)
    question.refresh_from_db()
    question.current_round.refresh_from_db()
    assert (question.state, question.follow_up_at) == ("offered", None)
    assert question.current_round.paused_at is None
    assert not question.clarifications.filter(replied_at__isnull=True).exists()
