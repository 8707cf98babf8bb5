"""Who leaves keeps nothing: questions, approvals, desk items, duties, topics and absences that name them, all at once."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from backend import clock
from notifications.models import ItemCode
from people import lifecycle, roster
from people.models import Absence, AccessToken, Person
from questions import answering, duty
from questions.models import Answer, Assignment, DutyShift, Event, Question, Topic, Workload
from tests.conftest import Cast, ask, offer_of, person, work

HOUR = timedelta(hours=1)


def leave(who: Person) -> None:
    who.left_on = clock.now().date() - timedelta(days=1)
    who.save()
    lifecycle.changed(who)


def test_hr_says_so_and_their_question_is_with_somebody_else(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.accept(cast.bob, offer_of(question).pk)
    day = clock.now().date() - timedelta(days=1)
    header = "employee_number,name,email,mobile,language,roles,left_on\n"
    report = roster.import_csv(f"{header}E2,Bob Bakker,bob@vonkmobiel.example,{cast.bob.mobile},nl,expert,{day}\n")
    assert report.changed == 1
    assert Assignment.objects.get(expert=cast.bob).state == "moved"
    assert Workload.objects.get(person=cast.bob).open_count == 0
    work()
    assert offer_of(question).expert == cast.charlie
    assert not ItemCode.objects.filter(person=cast.bob, closed_at__isnull=True).exists()


def test_when_the_import_fails_nothing_has_moved(cast: Cast) -> None:
    question = ask(cast.alice)

    @transaction.atomic
    def import_that_breaks() -> None:
        leave(cast.bob)
        assert Assignment.objects.get(question=question).state == "moved"
        raise RuntimeError("the next row breaks")

    with pytest.raises(RuntimeError):
        import_that_breaks()
    assert Assignment.objects.get(question=question).state == "offered"
    assert Workload.objects.get(person=cast.bob).open_count == 1


def test_an_announced_last_day_is_noticed_when_it_has_passed(cast: Cast) -> None:
    from people import tasks
    from tests.conftest import later

    AccessToken.objects.all().delete()
    cast.bob.left_on = timezone.localtime(clock.now()).date() + timedelta(days=1)
    cast.bob.save()
    lifecycle.changed(cast.bob)
    question = ask(cast.alice)
    assert offer_of(question).expert == cast.bob
    later(days=2)
    tasks.begin_absences()
    assert Assignment.objects.get(expert=cast.bob).state == "moved"
    assert Person.objects.get(pk=cast.bob.pk).gone_at is not None


def test_an_approval_waits_for_somebody_else(cast: Cast) -> None:
    lead = person("E8", "Leo Lead", "topic_lead", "expert")
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True, lead=lead)
    offer = offer_of(ask(cast.alice))
    draft = answering.answer(offer.expert, offer.pk, "Zo zit het.", received_at=clock.now(), source="api")
    assert ItemCode.objects.filter(person=lead, item=f"approval:{draft.pk}", closed_at__isnull=True).exists()
    leave(lead)
    told = ItemCode.objects.filter(item=f"approval:{draft.pk}", closed_at__isnull=True).values_list("person", flat=True)
    assert set(told) == {cast.dana.pk}
    assert Topic.objects.get(pk=cast.topic.pk).lead is None
    assert Answer.objects.get(pk=draft.pk).state == "draft"


def test_what_they_dealt_with_at_the_desk_waits_again_and_their_duty_ends(cast: Cast) -> None:
    from questions import desk

    other = person("E9", "Daan Desk", "duty_desk")
    question = ask(cast.alice, "Doet hij het nog?")
    desk.take(cast.dana, question.pk)
    now = clock.now()
    DutyShift.objects.create(person=cast.dana, starts_at=now - HOUR, ends_at=now + HOUR)
    DutyShift.objects.create(person=cast.dana, starts_at=now + 24 * HOUR, ends_at=now + 30 * HOUR)
    leave(cast.dana)
    assert Question.objects.get(pk=question.pk).desk_holder is None
    assert list(duty.on_duty(clock.now())) == [other]
    assert not DutyShift.objects.filter(person=cast.dana, ends_at__gt=clock.now()).exists()
    assert ItemCode.objects.filter(person=other, item=duty.item(question), closed_at__isnull=True).exists()
    assert Event.objects.filter(question=question, kind="desk_handed_back").exists()


def test_nobody_counts_on_them_as_a_stand_in(cast: Cast) -> None:
    now = clock.now()
    absence = Absence.objects.create(person=cast.bob, starts_at=now + HOUR, ends_at=now + 9 * HOUR, stand_in=cast.charlie)
    leave(cast.charlie)
    absence.refresh_from_db()
    assert absence.stand_in is None
