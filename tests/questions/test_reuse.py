"""“This answers it”: a question is closed with an earlier answer, counted once a person, and its author hears of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend import clock
from people.models import Person
from questions import answering, corrections
from questions.models import Answer, Event, Question, Reuse, Workload
from tests.conftest import Cast, answered, api, ask, in_parallel, later, letters, mails, offer_of, person, post, texts, work

BILL = "Mijn zus vraagt waarom haar rekening deze maand zo hoog is?"
BECAUSE = "Er staat een eenmalige aansluiting op."


def answer_to(cast: Cast) -> Answer:
    return answered(cast, BILL, BECAUSE).answers.get()


def reuse(who: Person, question: Question, answer: Answer) -> Any:
    return post(api(who), f"/questions/{question.pk}/reuse", {"answer": str(answer.pk)})


def use(who: Person, answer: Answer, key: str, text: str = "Waarom is de rekening hoog?") -> Any:
    return post(api(who), f"/knowledge/{answer.pk}/reuse", {"text": text}, key=key)


def test_an_open_question_is_closed_and_its_expert_freed(cast: Cast) -> None:
    answer, question = answer_to(cast), ask(cast.alice)
    for _twice in range(2):
        response = reuse(cast.alice, question, answer)
        assert (response.status_code, response.json()["close_reason"]) == (200, "reused")
    work()
    shown = api(cast.alice).get(f"/api/v1/questions/{question.pk}").json()
    assert (shown["state"], shown["answer"]["text"], shown["promise"]["status"]) == ("closed", BECAUSE, "void")
    assert [item["kind"] for item in shown["thread"]][-2:] == ["closed", "reused"]
    assert Workload.objects.get(person=cast.bob).open_count == 0
    assert question.reference in mails(cast.bob)[-1]
    assert (Reuse.objects.count(), Answer.objects.count()) == (1, 1)
    assert BECAUSE in Client().get(f"/q/{question.friend_key}").content.decode()


def test_a_question_not_passed_on_yet_is_made_closed_and_nobody_is_bothered(cast: Cast) -> None:
    answer = answer_to(cast)
    first, again = use(cast.alice, answer, "not-yet-asked"), use(cast.alice, answer, "not-yet-asked")
    assert (first.status_code, first.json()["close_reason"]) == (201, "reused")
    assert first.json() == again.json()
    work()
    question = Question.objects.get(asker=cast.alice)
    assert (first.json()["promise"]["status"], question.topic) == ("void", cast.topic)
    assert not question.assignments.exists()
    assert BECAUSE in Client().get(f"/q/{question.friend_key}").content.decode()
    assert texts(cast.alice) == []


def test_somebody_elses_question_and_unusable_answers_are_refused(cast: Cast) -> None:
    answer, question = answer_to(cast), ask(cast.alice)
    assert reuse(cast.mallory, question, answer).status_code == 404
    secret = answered(cast, BILL, "Geheim.", is_confidential=True).answers.get()
    soon = answered(cast, BILL, "Tot straks.", valid_until=(clock.now() + timedelta(hours=1)).isoformat()).answers.get()
    old = answered(cast, BILL, "Oud.").answers.get()
    corrections.correct(cast.bob, old.question_id, answering.Draft("Nieuw.", clock.now(), "api"))
    later(hours=1)
    for unusable in (secret, soon, old, Answer(pk=question.pk)):
        refused = reuse(cast.alice, question, unusable), use(cast.alice, unusable, f"unusable-{unusable.pk}")
        assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "answer_not_reusable")] * 2
    question.refresh_from_db()
    assert question.state == "offered"
    assert not Reuse.objects.exists()
    assert Question.objects.filter(asker=cast.alice).count() == 1


def test_an_answered_question_is_not_closed_with_another_answer(cast: Cast) -> None:
    answer, question = answer_to(cast), ask(cast.alice)
    answering.answer(cast.bob, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api")
    response = reuse(cast.alice, question, answer)
    assert (response.status_code, response.json()["code"]) == (409, "question_not_open")
    response = reuse(cast.charlie, answer.question, answer)
    assert (response.status_code, response.json()["code"]) == (409, "answer_not_reusable")


def test_a_draft_that_waits_for_approval_can_not_leave_any_more(cast: Cast) -> None:
    answer = answer_to(cast)
    cast.topic.needs_approval = True
    cast.topic.save()
    question = ask(cast.alice)
    draft = answering.answer(cast.bob, offer_of(question).pk, "Zo.", received_at=clock.now(), source="api")
    assert reuse(cast.alice, question, answer).status_code == 200
    assert api(cast.dana).get("/api/v1/approvals").json()["items"] == []
    response = post(api(cast.dana), f"/approvals/{draft.pk}/approve")
    assert (response.status_code, response.json()["code"]) == (409, "not_waiting")


def count(cast: Cast) -> int:
    client = api(cast.bob)
    with CaptureQueriesContext(connection) as asked:
        rows = client.get("/api/v1/assignments").json()["items"]
    assert len(asked) == 2  # who it is, and the list with its counts
    return int(rows[-1]["reused"])


def test_a_use_counts_once_a_person_and_the_authors_own_not_at_all(cast: Cast) -> None:
    answer = answer_to(cast)
    use(cast.bob, answer, "the-author")
    assert count(cast) == 0
    for number in range(3):
        use(cast.alice, answer, f"alice-uses-{number}")
    assert count(cast) == 1
    use(cast.mallory, answer, "mallory-uses")
    assert count(cast) == 2
    assert Reuse.objects.count() == 5
    with pytest.raises(IntegrityError, match="reuse_counts_once_a_person"), transaction.atomic():
        Reuse.objects.filter(person=cast.alice).update(is_counted=True)


def test_ten_presses_at_once_count_once(cast: Cast) -> None:
    answer = answer_to(cast)
    results = in_parallel(10, lambda number: use(cast.alice, answer, f"at-once-{number}").status_code)
    assert results == [201] * 10
    assert Reuse.objects.filter(is_counted=True).count() == 1


def test_the_author_hears_of_a_days_uses_in_one_message_that_is_not_urgent(cast: Cast) -> None:
    answer, other = answer_to(cast), answered(cast, "Hoe betaal ik?", "Met iDEAL.").answers.get()
    use(cast.alice, answer, "alice-uses")
    use(cast.alice, answer, "alice-again")
    work()
    before = len(mails(cast.bob)), len(texts(cast.bob))
    later(hours=12)
    use(cast.mallory, other, "mallory-uses")
    work()
    assert (len(mails(cast.bob)), len(texts(cast.bob))) == before
    later(hours=12)
    work()
    work()
    assert (len(mails(cast.bob)), len(texts(cast.bob))) == (before[0] + 1, before[1])
    told = mails(cast.bob)[-1]
    assert "2 keer" in told
    assert answer.question.reference in told
    assert other.question.reference in told
    assert Reuse.objects.filter(is_counted=True, is_told=False).count() == 0


def test_a_correction_reaches_the_asker_and_everybody_who_used_the_old_text(cast: Cast) -> None:
    answer, question = answer_to(cast), ask(cast.alice)
    reuse(cast.alice, question, answer)
    use(cast.mallory, answer, "mallory-uses")
    other = answered(cast, "Hoe betaal ik?", "Met iDEAL.", asker=person("E9", "Nora Nagel")).answers.get()
    corrections.correct(cast.bob, answer.question_id, answering.Draft("Het was de boete.", clock.now(), "api"))
    work()
    assert "Het was de boete." in texts(cast.alice)[-1]
    assert question.reference in texts(cast.alice)[-1]
    assert "Het was de boete." in mails(cast.mallory)[-1]
    assert "Het was de boete." in mails(cast.charlie)[-1]
    assert "boete" not in str(mails(other.question.asker))
    assert "Het was de boete." in Client().get(f"/q/{question.friend_key}").content.decode()
    assert Reuse.objects.get(question=question).answer == answer  # what was passed on stays on record


def test_a_friend_with_an_address_gets_the_answer_and_its_correction(cast: Cast) -> None:
    from tests.questions.test_friend_direct import FRIEND, _confirm, _direct

    answer, question = answer_to(cast), _direct(cast)
    _confirm(question)
    reuse(cast.alice, question, answer)
    work()
    assert BECAUSE in letters(FRIEND)[-1].body
    corrections.correct(cast.bob, answer.question_id, answering.Draft("Het was de boete.", clock.now(), "api"))
    work()
    assert "Het was de boete." in letters(FRIEND)[-1].body
    assert len(letters(FRIEND)) == 3  # the code, the answer, the correction


def test_not_yet_opens_it_again_and_the_first_friends_rating_stays(cast: Cast) -> None:
    answer, question = answer_to(cast), ask(cast.alice)
    post(api(cast.charlie), f"/questions/{answer.question_id}/rating", {"helped": True})
    reuse(cast.alice, question, answer)
    page = f"/q/{question.friend_key}"
    assert "not_yet" in Client().get(page).content.decode()
    assert Client().post(page, {"action": "not_yet"}).status_code == 302
    work()
    question.refresh_from_db()
    assert (question.state, question.close_reason) == ("offered", "")
    answer.refresh_from_db()
    assert answer.helped is True
    told = len(texts(cast.alice))
    corrections.correct(cast.bob, answer.question_id, answering.Draft("Het was de boete.", clock.now(), "api"))
    work()
    assert len(texts(cast.alice)) == told  # it waits for an answer of its own now
    answering.answer(cast.bob, offer_of(question).pk, "Een eigen antwoord.", received_at=clock.now(), source="api")
    assert "Een eigen antwoord." in Client().get(page).content.decode()


def test_helped_is_counted_for_this_friend_once(cast: Cast) -> None:
    answer, question = answer_to(cast), ask(cast.alice)
    reuse(cast.alice, question, answer)
    page = f"/q/{question.friend_key}"
    for _twice in range(2):
        Client().post(page, {"action": "helped"})
    answer.refresh_from_db()
    assert answer.helped is None
    assert Reuse.objects.get().helped is True
    assert Event.objects.filter(question=question, kind="helped").count() == 1


def test_the_end_of_validity_reaches_everybody_who_passed_it_on_once(cast: Cast) -> None:
    answer = answered(cast, BILL, BECAUSE, valid_until=(clock.now() + timedelta(days=2)).isoformat()).answers.get()
    question = ask(cast.alice)
    reuse(cast.alice, question, answer)
    later(days=1, hours=23)
    work()
    before = len(texts(cast.alice)), len(mails(cast.charlie))
    later(hours=1)
    work()
    work()
    assert (len(texts(cast.alice)), len(mails(cast.charlie))) == (before[0] + 1, before[1] + 1)
    assert question.reference in texts(cast.alice)[-1]
    assert answer.question.reference in mails(cast.charlie)[-1]
    assert 'class="bad" role="alert"' in Client().get(f"/q/{question.friend_key}").content.decode()
    assert Event.objects.get(kind="answer_expired").at == answer.valid_until
