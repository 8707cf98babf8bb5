"""An answer is learned by the worker, after it is out: never in the request, never lost."""

import pytest

from backend import clock
from questions import answering, corrections, embedding, knowledge, tasks
from questions.embedding import Floats
from questions.models import KnowledgeEntry, Question
from tests.conftest import Cast, answered, api, later, offer_of, post, work

BILL = "Mijn zus vraagt waarom haar rekening deze maand zo hoog is?"


def _offered(cast: Cast) -> Question:
    made = post(api(cast.charlie), "/questions", {"text": BILL, "topic": "billing"}, key="learning").json()
    work(sending=False)
    return Question.objects.get(pk=made["id"])


def test_the_answering_request_embeds_nothing(quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment = offer_of(_offered(quiet_cast))
    monkeypatch.setattr(embedding, "embed", lambda texts: pytest.fail("embedded in the request"))
    response = post(api(quiet_cast.bob), f"/assignments/{assignment.pk}/answer", {"text": "Zo."}, key="learning-1")
    assert response.status_code == 201
    entry = KnowledgeEntry.objects.get()
    assert (entry.embedding, entry.text, entry.learn_at is not None) == (None, "", True)


def test_a_ring_learns_it_and_a_lost_ring_is_swept(cast: Cast) -> None:
    question = _offered(cast)
    answering.answer(cast.bob, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api")
    tasks.learn_answer(str(question.pk))
    assert KnowledgeEntry.objects.get().text == BILL
    corrections.correct(cast.bob, question.pk, answering.Draft("Toch anders.", clock.now(), "api"))
    tasks.tend_knowledge()  # nobody rang
    entry = KnowledgeEntry.objects.select_related("answer").get()
    assert (entry.learn_at, entry.answer.text) == (None, "Toch anders.")
    assert "'ander':" in str(entry.words)
    assert "'zo'" not in str(entry.words)


def test_a_correction_under_the_workers_hands_is_learned_after_all(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    question = _offered(cast)
    answering.answer(cast.bob, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api")
    real = knowledge.vectors

    def corrected_meanwhile(texts: list[str]) -> Floats:
        monkeypatch.setattr(knowledge, "vectors", real)
        corrections.correct(cast.bob, question.pk, answering.Draft("Toch anders.", clock.now(), "api"))
        return real(texts)

    monkeypatch.setattr(knowledge, "vectors", corrected_meanwhile)
    knowledge.learn(question.pk)
    assert knowledge.due_ids(10) == [question.pk]
    knowledge.learn(question.pk)
    assert "'ander':" in str(KnowledgeEntry.objects.get().words)


def test_one_that_breaks_is_put_aside_and_the_others_are_learned(
    quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = answered(quiet_cast, BILL, "Eén.")
    second = answered(quiet_cast, "Hoe betaal ik mijn factuur?", "Twee.")
    KnowledgeEntry.objects.update(learn_at=clock.now(), text="")
    real = knowledge.vectors

    def poison(texts: list[str]) -> Floats:
        if texts == [BILL]:
            raise ValueError("poison")
        return real(texts)

    monkeypatch.setattr(knowledge, "vectors", poison)
    tasks.tend_knowledge()
    assert KnowledgeEntry.objects.get(pk=second.pk).learn_at is None
    assert knowledge.due_ids(10) == []
    monkeypatch.setattr(knowledge, "vectors", real)
    later(hours=1)
    assert knowledge.due_ids(10) == [first.pk]
