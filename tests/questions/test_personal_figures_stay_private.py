"""Speed, ratings and learned levels count only where the works council agreed, and only the person sees their own."""

import json
from typing import Any

import pytest

from backend import clock
from questions import experts, records, routing
from questions.models import Answer, Assignment, Event, Question, Workload
from tests.conftest import Cast, api
from tests.questions import crowd


def _history(cast: Cast, who: Any, count: int, *, helped: bool) -> None:
    """Answers of a while ago, rated by friends."""
    first = Question.objects.count()
    for pk in crowd.questions(cast.alice, cast.topic, count, first=first):
        question = Question.objects.get(pk=pk)
        now = clock.now()
        Answer.objects.create(
            question=question, round=question.current_round, author=who, text="Zo.", source="api",
            state="released", received_at=now, helped=helped, rated_at=now,
        )  # fmt: skip
        Question.objects.filter(pk=pk).update(state="answered", route_at=None)


@pytest.fixture
def rated(quiet_cast: Cast) -> Cast:
    """Charlie and Bob know it equally well; Charlie's answers helped, Bob's did not."""
    quiet_cast.topic.expertise.update(level=1)
    _history(quiet_cast, quiet_cast.charlie, 6, helped=True)
    _history(quiet_cast, quiet_cast.bob, 6, helped=False)
    return quiet_cast


def _route(cast: Cast) -> Assignment:
    [pk] = crowd.questions(cast.alice, cast.topic, 1, first=900)
    routing.route(pk)
    return Assignment.objects.get(question=pk)


def test_off_nothing_personal_is_looked_up_counted_or_shown(
    rated: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.PERSONAL_SCORES is False

    def forbidden(*_: Any) -> None:
        raise AssertionError("a personal figure was computed")

    monkeypatch.setattr(records, "of", forbidden)
    assignment = _route(rated)
    assert assignment.expert == rated.bob  # equal but for the id
    assert api(rated.charlie).get("/api/v1/me/expertise").json()[0]["record"] is None


def test_on_they_decide_and_stand_in_no_reason_and_no_kept_score(rated: Cast, settings: Any) -> None:
    settings.PERSONAL_SCORES = True
    assignment = _route(rated)
    assert assignment.expert == rated.charlie
    kept = json.dumps([assignment.reasons, *Event.objects.filter(kind="offered").values_list("data", flat=True)])
    assert not {"record", "helped", "quick", "rating", "learned"} & set(kept.replace('"', " ").split())
    assert assignment.reasons[0]["level"] == 1  # what the lead or they said, not what was learned
    settings.PERSONAL_SCORES = False
    Workload.objects.update(open_count=0)
    question = routing.locked(assignment.question_id)
    Assignment.objects.all().delete()
    at = assignment.offered_at
    same = experts.candidates_for(question, at, question.current_round.due_at)
    scores = {
        one.person_id: one.score
        for one in routing.choose(same, now=at, until=question.current_round.due_at, language=question.language)
    }
    assert scores[rated.charlie.pk] == pytest.approx(assignment.score, abs=0.5)  # kept as if it did not count


def test_levels_are_learned_from_answers_that_helped(rated: Cast, settings: Any) -> None:
    settings.PERSONAL_SCORES = True
    found = records.of(rated.topic.pk, [rated.charlie.pk, rated.bob.pk])
    assert (found[rated.charlie.pk].level, found[rated.bob.pk].level) == (2, 1)
    assert found[rated.charlie.pk].score > 0.5 > records.Record(answers=9, not_helped=9).score
    assert 0 <= records.Record().score <= 1


def test_a_person_sees_their_own_and_the_lead_sees_nobodys(rated: Cast, settings: Any) -> None:
    settings.PERSONAL_SCORES = True
    [mine] = api(rated.charlie).get("/api/v1/me/expertise").json()
    assert mine["record"] == {"answers": 6, "quick": 6, "helped": 6, "not_helped": 0, "level": 2}
    rated.topic.lead = rated.dana
    rated.topic.save()
    seen = api(rated.dana).get("/api/v1/topics/billing/experts").json()
    assert [set(row) for row in seen] == [{"person", "name", "level"}] * 2
