"""`manage.py evaluate_routing`: what the choice of topics got right on the company's own history."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from backend import clock
from questions import answering, classifier, desk, evaluation, intake, routing
from questions.classifier import Model, Sample
from questions.evaluation import Decision, shares
from questions.models import Event, Question, Topic, TopicExample, record
from tests.conftest import Cast

BILLS = ("Waarom is de rekening van {} zo hoog?", "Wat zijn de extra kosten op de factuur van {}?")
TRIPS = ("Werkt de bundel van {} ook in Marokko?", "Wat kost bellen in Turkije voor {}?")
PEOPLE = ("mijn zus", "mijn broer", "oma", "de buurman", "mijn nicht", "tante Riet")


def evaluate(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("evaluate_routing", "--json", *options, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def said(*options: str) -> str:
    out = StringIO()
    call_command("evaluate_routing", *options, stdout=out)
    return out.getvalue()


def asked(cast: Cast, body: str, *, days_ago: float = 0) -> Question:
    """A question that came in then and was looked at by the classifier."""
    at = clock.now() - timedelta(days=days_ago)
    question = intake.submit(cast.alice, body, request_key=f"{body}{days_ago}", source="api", received_at=at)
    routing.route(question.pk)
    question.refresh_from_db()
    return question


def answer(cast: Cast, question: Question, topic: Topic) -> None:
    """It ends under this topic: the desk moves it there, and answers."""
    question.refresh_from_db()
    if question.topic != topic:
        question.mark_back_in_triage([], clock.now())
        desk.choose_topic(cast.dana, question.pk, topic)
    draft = answering.Draft(text="Zo zit het.", source="api", received_at=clock.now())
    assert desk.answer(cast.dana, question.pk, draft).state == "released"


def history(cast: Cast, count: int = len(PEOPLE)) -> None:
    roaming = Topic.objects.get(slug="roaming")
    for number, who in enumerate(PEOPLE[:count]):
        for topic, texts in ((cast.topic, BILLS), (roaming, TRIPS)):
            for place, body in enumerate(texts):
                answer(cast, asked(cast, body.format(who), days_ago=60 - number - place / 10), topic)


def test_an_empty_history_is_said_in_a_sentence(db: None) -> None:
    printed = said()
    assert "No question that the classifier decided about has been answered yet." in printed
    assert "Fewer than 10 questions have been answered" in printed
    assert evaluate()["recorded"]["questions"] == evaluate()["held_out"]["questions"] == 0


def test_what_was_decided_is_held_against_the_topic_that_answered(quiet_cast: Cast) -> None:
    roaming = Topic.objects.get(slug="roaming")
    for who in PEOPLE[:3]:
        answer(quiet_cast, asked(quiet_cast, f"Waarom is de rekening van {who} zo hoog?"), quiet_cast.topic)
    answer(quiet_cast, asked(quiet_cast, "Waarom is mijn rekening zo hoog na Spanje?"), roaming)  # routed wrongly
    vague = asked(quiet_cast, "Doet hij het nog?")
    assert vague.state == "triage"
    answer(quiet_cast, vague, Topic.objects.get(pk=vague.topic_guesses[1]))
    asked(quiet_cast, "Waarom is de rekening van mijn tante zo hoog?")  # not answered: its topic is not certain yet
    found = evaluate()["recorded"]
    assert {key: found[key] for key in ("questions", "top1", "top3", "sent_to_triage", "misroutes")} == {
        "questions": 5,
        "top1": 0.6,
        "top3": 1.0,
        "sent_to_triage": 0.2,
        "misroutes": 0.25,
    }
    assert found["by_topic"]["roaming"]["misroutes"] == 1.0


def test_the_first_decision_counts_and_a_persons_choice_does_not(quiet_cast: Cast) -> None:
    by_asker = intake.submit(
        quiet_cast.alice,
        "Waarom?",
        request_key="1",
        source="api",
        received_at=clock.now(),
        topic=quiet_cast.topic,
        topic_chosen_by="asker",
    )
    record(by_asker, "answered")
    desks = asked(quiet_cast, "Doet hij het nog?")
    answer(quiet_cast, desks, quiet_cast.topic)
    assert list(Event.objects.filter(question=desks, kind="topic_chosen").values_list("data__by", flat=True)) == ["desk"]
    [decision] = evaluation.recorded()
    assert not decision.alone


def test_since_looks_no_further_back(quiet_cast: Cast) -> None:
    answer(quiet_cast, asked(quiet_cast, "Waarom is de rekening van oma zo hoog?", days_ago=40), quiet_cast.topic)
    answer(quiet_cast, asked(quiet_cast, "Waarom is de rekening van opa zo hoog?", days_ago=2), quiet_cast.topic)
    begin = (clock.now() - timedelta(days=10)).date().isoformat()
    assert (evaluate()["recorded"]["questions"], evaluate("--since", begin)["recorded"]["questions"]) == (2, 1)


def test_the_latest_fifth_is_asked_and_never_learned(quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    history(quiet_cast)
    latest = "Waarom is de rekening van de burgemeester zo hoog?"
    answer(quiet_cast, asked(quiet_cast, latest), quiet_cast.topic)
    TopicExample.objects.create(topic=quiet_cast.topic, language="nl", text=latest, source="given")
    learned: list[str] = []
    fit = classifier.fit

    def noted(samples: list[Sample], names: dict[str, list[str]]) -> Model:
        learned.extend(sample.text for sample in samples)
        return fit(samples, names)

    monkeypatch.setattr(classifier, "fit", noted)
    found = evaluate()["held_out"]
    assert found["questions"] == 25 // 5
    assert learned
    assert not any("burgemeester" in text or "tante Riet" in text for text in learned)
    assert any("mijn zus" in text for text in learned)
    assert found["top1"] == found["top3"] == 1.0
    assert found["misroutes"] in {0.0, None}
    assert sum(one["questions"] for one in found["by_examples"].values()) == found["questions"]


def test_confidential_questions_are_neither_learned_nor_asked(quiet_cast: Cast) -> None:
    history(quiet_cast)
    Question.objects.update(is_confidential=True)
    assert evaluation.held_out() == []


def test_the_table_names_every_topic_and_group(quiet_cast: Cast) -> None:
    history(quiet_cast, 3)
    printed = said()
    assert "billing" in printed
    assert "roaming" in printed
    assert "10-29 examples" in printed


def test_shares_are_worked_out_by_hand() -> None:
    found = shares(
        [
            Decision("a", ["a", "b", "c"], alone=True, examples=12),
            Decision("a", ["b", "a", "c"], alone=True, examples=12),
            Decision("b", ["a", "c", "d"], alone=False, examples=3),
            Decision("b", ["b", "c", "d"], alone=False, examples=0),
        ]
    )
    assert (found.top1, found.top3, found.sent_to_triage, found.misroutes) == (0.5, 0.75, 0.5, 0.5)
    assert {name: one.questions for name, one in found.by_examples.items()} == {"0": 1, "1-4": 1, "10-29": 2}
    assert found.by_topic["b"].misroutes is None
