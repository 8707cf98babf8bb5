"""Who is chosen, and that no crowd of workers can overload anybody."""

import uuid
from datetime import UTC, datetime, timedelta

from backend import clock
from people.models import Absence
from questions import answering, routing
from questions.experts import Candidate
from questions.models import Assignment, Question, Workload
from tests.conftest import Cast, ask, code_of, in_parallel, later, offer_of, text, texts, work

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def candidate(number: int, **changes: object) -> Candidate:
    usual = {
        "person_id": uuid.UUID(int=number),
        "level": 1,
        "open_count": 0,
        "capacity": 5,
        "language": "nl",
        "works": (NOW - HOUR, NOW + 8 * HOUR),
    }
    return Candidate(**{**usual, **changes})  # type: ignore[arg-type]


def order(*candidates: Candidate) -> list[int]:
    ranked = routing.choose(list(candidates), now=NOW, until=NOW + 24 * HOUR, language="nl")
    return [one.person_id.int for one in ranked]


def test_whoever_is_at_work_comes_before_a_better_one_who_is_not() -> None:
    away = candidate(1, level=3, works=(NOW + HOUR, NOW + 9 * HOUR))
    assert order(away, candidate(2)) == [2, 1]


def test_level_then_room_then_language_decide() -> None:
    assert order(candidate(1), candidate(2, level=3)) == [2, 1]
    assert order(candidate(1, open_count=4), candidate(2)) == [2, 1]
    assert order(candidate(1, language="en"), candidate(2)) == [2, 1]


def test_the_full_and_those_who_come_too_late_are_left_out() -> None:
    late = candidate(1, works=(NOW + 25 * HOUR, NOW + 30 * HOUR))
    assert order(late, candidate(2, open_count=5), candidate(3, works=None)) == []


def test_equal_candidates_are_chosen_the_same_way_every_time() -> None:
    assert order(candidate(2), candidate(1)) == order(candidate(1), candidate(2)) == [1, 2]


def test_the_asker_is_never_asked(cast: Cast) -> None:
    question = ask(cast.bob)
    assert offer_of(question).expert == cast.charlie


def test_an_absentee_and_a_leaver_are_never_asked(cast: Cast) -> None:
    now = clock.now()
    Absence.objects.create(person=cast.bob, starts_at=now - HOUR, ends_at=now + 48 * HOUR)
    cast.charlie.left_on = now.date()
    cast.charlie.save()
    question = ask(cast.alice)
    assert question.state == "unstaffed"
    assert not Assignment.objects.exists()


def test_the_reasons_are_kept_and_can_be_read(cast: Cast) -> None:
    from questions import words

    assignment = offer_of(ask(cast.alice))
    assert [reason["code"] for reason in assignment.reasons] == ["knows", "load", "works_now", "speaks"]
    assert "Rekening" in words.why(assignment, cast.bob)


def test_no_crowd_of_workers_exceeds_anybodys_capacity(cast: Cast) -> None:
    Workload.objects.update(capacity=2)
    for number in range(9):
        text(cast.alice, f"VRAAG Waarom is rekening {number} zo hoog?")
    from notifications import inbound
    from notifications.inbound import handling

    for message_id in inbound.due_ids(50):
        handling.handle(message_id)
    ids = routing.due_ids(50)
    assert len(ids) == 9
    in_parallel(6, lambda n: [routing.route(pk) for pk in ids[n:] + ids[:n]])
    assert Assignment.objects.filter(state="offered").count() == 4
    assert set(Workload.objects.values_list("open_count", flat=True)) == {2}
    assert Question.objects.filter(state="routing").count() == 5


def test_a_place_that_becomes_free_goes_to_the_nearest_promise_at_once(cast: Cast) -> None:
    Workload.objects.update(capacity=1)
    first, second = ask(cast.alice), ask(cast.alice, "Twee: waarom is de rekening hoog?")
    waiting = ask(cast.alice, "Drie: waarom is de rekening hoog?")
    later(minutes=1)
    last = ask(cast.alice, "Vier: waarom is de rekening hoog?")
    assert (waiting.state, last.state) == ("routing", "routing")
    assignment = offer_of(first)
    answering.answer(assignment.expert, assignment.pk, "Zo zit het.", received_at=clock.now(), source="api")
    work()
    waiting.refresh_from_db()
    last.refresh_from_db()
    second.refresh_from_db()
    assert (second.state, waiting.state, last.state) == ("offered", "offered", "routing")


def test_a_declined_question_goes_to_somebody_else_and_never_back(cast: Cast) -> None:
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    text(cast.bob, f"NEE {code}")
    work()
    assert offer_of(question).expert == cast.charlie
    answering.decline(cast.charlie, offer_of(question).pk, "no_time")
    work()
    question.refresh_from_db()
    assert question.state == "unstaffed"
    assert Assignment.objects.filter(question=question).count() == 2
    assert any("goes to somebody else" in body or "iemand anders" in body for body in texts(cast.bob))


def test_an_offer_nobody_reacts_to_passes_on_and_a_late_accept_is_refused(cast: Cast) -> None:
    from tests.conftest import api, post

    question = ask(cast.alice)
    first = offer_of(question)
    later(hours=7)
    work()
    assert offer_of(question).expert == cast.charlie
    response = post(api(cast.bob), f"/assignments/{first.pk}/accept")
    assert (response.status_code, response.json()["code"]) == (409, "offer_gone")


def test_a_vague_question_goes_to_triage_and_the_desk_is_told(cast: Cast) -> None:
    from tests.conftest import mails

    question = ask(cast.alice, "Doet hij het nog?")
    assert question.state == "triage"
    assert any(question.reference in body for body in mails(cast.dana))
