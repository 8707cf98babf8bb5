"""What the asker is told to expect comes from rosters, places, what waits and history, and is told beside the promise."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.dateparse import parse_datetime

from backend import clock
from people.models import Absence, Person, WorkingHours
from questions import expectation, intake, rounds, words
from questions.models import Answer, Assignment, DutyShift, Expertise, Question, Topic, Workload
from tests.conftest import Cast, api, ask, later, person, post, text, texts, work

H = timedelta(hours=1)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def expected(topic: Topic) -> datetime:
    expectation.refresh()
    topic.refresh_from_db()
    assert topic.expected_at is not None
    return topic.expected_at


def about(at: datetime, wanted: datetime) -> bool:
    return abs(at - wanted) < timedelta(minutes=1)


def office_hours(*people: Person) -> None:
    WorkingHours.objects.filter(person__in=people).delete()
    WorkingHours.objects.bulk_create(
        WorkingHours(person=who, weekday=day, starts_minute=540, ends_minute=1020) for who in people for day in range(5)
    )


def next_weekday(weekday: int, hour: int) -> datetime:
    """Move the clock to this local time, weeks ahead of any holiday that would matter; returns it."""
    here = clock.now().astimezone(AMSTERDAM)
    ahead = timedelta(days=(weekday - here.weekday()) % 7 + 7)
    wanted = (here + ahead).replace(hour=hour, minute=0, second=0, microsecond=0)
    later(seconds=(wanted - here).total_seconds())
    return wanted


def test_experts_who_are_at_work_need_the_usual_time(quiet_cast: Cast) -> None:
    assert about(expected(quiet_cast.topic), clock.now() + rounds.USUAL_WORK)


def test_the_rosters_decide_and_a_weekend_is_no_working_time(quiet_cast: Cast, settings: object) -> None:
    settings.HOLIDAYS_COUNTRY = ""  # type: ignore[attr-defined]
    office_hours(quiet_cast.bob, quiet_cast.charlie)
    friday = next_weekday(4, 16)
    assert about(expected(quiet_cast.topic), (friday + timedelta(days=3)).replace(hour=12))
    saturday = next_weekday(5, 11)
    assert about(expected(quiet_cast.topic), (saturday + timedelta(days=2)).replace(hour=13))


def test_the_second_expert_counts_because_the_first_may_not_react(quiet_cast: Cast) -> None:
    office_hours(quiet_cast.charlie)
    Absence.objects.create(person=quiet_cast.charlie, starts_at=clock.now() + H, ends_at=clock.now() + 50 * H)
    assert expected(quiet_cast.topic) > clock.now() + 40 * H


def test_who_is_away_is_not_counted_on_and_all_away_means_until_the_first_is_back(quiet_cast: Cast) -> None:
    at = clock.now()
    Absence.objects.create(person=quiet_cast.bob, starts_at=at - H, ends_at=at + 30 * H)
    assert about(expected(quiet_cast.topic), at + 4 * H)  # Charlie alone
    Absence.objects.create(person=quiet_cast.charlie, starts_at=at - H, ends_at=at + 60 * H)
    assert about(expected(quiet_cast.topic), at + 64 * H)


def test_with_nobody_who_knows_the_topic_the_desk_answers_once_it_is_on_duty(quiet_cast: Cast) -> None:
    at = clock.now()
    Expertise.objects.filter(topic=quiet_cast.topic).delete()
    assert about(expected(quiet_cast.topic), at + 4 * H)
    DutyShift.objects.create(person=quiet_cast.dana, starts_at=at + 12 * H, ends_at=at + 20 * H)
    assert about(expected(quiet_cast.topic), at + 16 * H)


def test_full_experts_and_a_queue_are_waited_for(quiet_cast: Cast) -> None:
    at = clock.now()
    Workload.objects.update(open_count=5)
    assert about(expected(quiet_cast.topic), at + 8 * H)  # a turn of all places, and then it
    for number in range(10):
        _waits(quiet_cast, number)
    assert about(expected(quiet_cast.topic), at + 12 * H)
    Workload.objects.update(open_count=0)
    assert about(expected(quiet_cast.topic), at + 8 * H)  # ten places, all of them spoken for


def _waits(cast: Cast, number: int) -> Question:
    made = intake.submit(
        cast.alice, f"Vraag {number}", request_key=f"q{number}", source="api", received_at=clock.now(), topic=cast.topic
    )
    made.mark_routing(cast.topic, confidence=None, chosen_by="asker", at=clock.now())
    return made


def test_history_tells_how_long_answers_take(quiet_cast: Cast) -> None:
    at = clock.now()
    for number in range(30):
        question = _waits(quiet_cast, number)
        Question.objects.filter(pk=question.pk).update(route_at=None)
        _answered_within(question, quiet_cast.bob, at - 24 * H, 9 * H)
    assert about(expected(quiet_cast.topic), at + 9 * H)


def _answered_within(question: Question, who: Person, offered_at: datetime, took: timedelta) -> None:
    assignment = Assignment.objects.create(
        question=question,
        round=question.current_round,
        expert=who,
        state="answered",
        by_hand=True,
        offered_at=offered_at,
        expires_at=offered_at + took,
        ended_at=offered_at + took,
    )
    Answer.objects.create(
        question=question,
        round=question.current_round,
        assignment=assignment,
        author=who,
        text="Zo.",
        source="api",
        state="released",
        received_at=offered_at + took,
    )


# --- told ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["via_me", "direct"])
def test_the_api_tells_it_beside_the_promise(cast: Cast, mode: str) -> None:
    expectation.refresh()
    body = {"text": "Waarom is de rekening zo hoog?", "topic": "billing", "answer_mode": mode}
    told = post(api(cast.alice), "/questions", body, key="first-question").json()
    wanted = parse_datetime(told["expected_at"])
    assert wanted is not None
    assert about(wanted, clock.now() + 4 * H)
    due_at = parse_datetime(told["promise"]["due_at"])
    assert due_at is not None
    assert due_at > wanted


def test_the_sms_receipt_tells_it(cast: Cast) -> None:
    expectation.refresh()
    text(cast.alice, "VRAAG Waarom is de rekening zo hoog?")
    work()
    at = Question.objects.get().expected_at
    assert at is not None
    assert at.astimezone(AMSTERDAM).strftime("%H:%M") in texts(cast.alice)[0]


def test_the_receipt_of_a_direct_question_tells_it_too(cast: Cast) -> None:
    expectation.refresh()
    body = {"text": "Waarom is de rekening zo hoog?", "topic": "billing", "answer_mode": "direct"}
    post(api(cast.alice), "/questions", body, key="first-question")
    question = Question.objects.get()
    assert question.expected_at is not None
    words_told = words.received(question, cast.alice, "A7")
    assert question.expected_at.astimezone(AMSTERDAM).strftime("%H:%M") in words_told
    assert question.current_round.due_at.astimezone(AMSTERDAM).strftime("%H:%M") in words_told


def test_an_old_forecast_is_not_told(cast: Cast) -> None:
    expectation.refresh()
    later(minutes=31)
    assert ask(cast.alice).expected_at is None


def test_while_the_topic_is_unknown_one_badly_staffed_topic_in_five_does_not_speak_for_all(cast: Cast) -> None:
    at = clock.now()
    Topic.objects.all().update(is_active=False)
    for number in range(10):
        Topic.objects.create(
            slug=f"t{number}",
            mail_key=f"t{number}",
            name_nl="T",
            name_en="T",
            forecast_at=at,
            expected_at=at,
            expected_by_desk_at=at + number * H,
        )
    assert ask(cast.alice).expected_at == at + 7 * H


def test_what_the_desk_must_sort_first_waits_for_its_duty(quiet_cast: Cast) -> None:
    at = clock.now()
    DutyShift.objects.create(person=quiet_cast.dana, starts_at=at + 10 * H, ends_at=at + 18 * H)
    assert about(expected(quiet_cast.topic), at + 4 * H)
    assert about(quiet_cast.topic.expected_by_desk_at, at + 14 * H)  # type: ignore[arg-type]


def test_fifty_topics_and_two_hundred_experts_cost_as_many_queries_as_one(quiet_cast: Cast) -> None:
    few = _queries(expectation.refresh)
    topics = [
        Topic.objects.create(slug=f"t{number}", mail_key=f"t{number}", name_nl="T", name_en="T") for number in range(50)
    ]
    for number in range(200):
        who = person(f"E{number + 100}", f"Expert{number} X", "expert", mail=False, mobile=False)
        Expertise.objects.create(topic=topics[number % 50], person=who)
        Expertise.objects.create(topic=topics[(number + 7) % 50], person=who)
    many = _queries(expectation.refresh)
    assert many == few
    assert many <= 14
    assert not Topic.objects.filter(expected_at=None, is_active=True).exists()


def _queries(act: Callable[[], None]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)
