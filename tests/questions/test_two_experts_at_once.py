"""The first answer wins, by the database; the other expert gets a clear word and loses no text."""

from questions import answering, promise
from questions.models import Answer, Assignment, Workload
from tests.conftest import Cast, ask, in_parallel, later, mails, offer_of, work


def _swarmed(cast: Cast) -> list[Assignment]:
    question = ask(cast.alice)
    answering.accept(cast.bob, offer_of(question).pk)
    later(hours=18, seconds=1)
    promise.run_due()
    return list(Assignment.objects.filter(question=question).select_related("expert").order_by("offered_at"))


def test_two_experts_answer_at_once_and_one_answer_is_released(cast: Cast) -> None:
    first, second = _swarmed(cast)
    at = first.offered_at

    def answer(number: int) -> Answer:
        one = (first, second)[number]
        return answering.answer(one.expert, one.pk, f"Antwoord {number}", received_at=at, source="api")

    given = in_parallel(2, answer)
    work()
    assert sorted(one.state for one in given) == ["refused", "released"]
    assert Answer.objects.filter(state="released").count() == 1
    loser = next(one for one in given if one.state == "refused").author
    assert any("heeft" in body or "has answered" in body for body in mails(loser))
    assert set(Workload.objects.values_list("open_count", flat=True)) == {0}


def test_a_late_text_by_api_is_kept_and_refused_with_a_code(cast: Cast) -> None:
    from tests.conftest import api, post

    first, second = _swarmed(cast)
    answering.answer(first.expert, first.pk, "De eerste.", received_at=first.offered_at, source="api")
    path = f"/assignments/{second.pk}/answer"
    response = post(api(second.expert), path, {"text": "De tweede."}, key="late-answer-1")
    assert response.status_code == 409
    assert response.json()["code"] == "already_answered"
    assert Answer.objects.get(author=second.expert).text == "De tweede."
