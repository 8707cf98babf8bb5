"""Taking a question back, and passing an answer on."""

import pytest
from django.db import DatabaseError, connection, transaction

from questions import answering
from questions.models import Answer, Event, Question, Workload
from tests.conftest import Cast, api, ask, mail, mails, offer_of, post, reply_to, text, texts, work


def test_a_withdrawn_question_frees_its_expert_and_tells_them(cast: Cast) -> None:
    question = ask(cast.alice)
    assignment = offer_of(question)
    for _twice in range(2):
        response = post(api(cast.alice), f"/questions/{question.pk}/withdraw")
        assert (response.status_code, response.json()["state"]) == (200, "withdrawn")
    work()
    assert Workload.objects.get(person=cast.bob).open_count == 0
    assert question.reference in mails(cast.bob)[-1]
    mail(str(cast.bob.email), reply_to(assignment), "Toch nog een antwoord.")
    work()
    assert Answer.objects.get().state == "refused"
    assert Answer.objects.get().text == "Toch nog een antwoord."
    assert "Toch nog" not in "".join(texts(cast.alice))
    assert Question.objects.get().current_round.verdict == "void"


def test_an_answered_question_cannot_be_withdrawn(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.answer(cast.bob, offer_of(question).pk, "Zo.", received_at=question.received_at, source="api")
    response = post(api(cast.alice), f"/questions/{question.pk}/withdraw")
    assert (response.status_code, response.json()["code"]) == (409, "question_not_open")


def test_an_answer_is_relayed_once_there_is_one(cast: Cast) -> None:
    question = ask(cast.alice)
    response = post(api(cast.alice), f"/questions/{question.pk}/relay")
    assert (response.status_code, response.json()["code"]) == (409, "no_answer_yet")
    answering.answer(cast.bob, offer_of(question).pk, "Zo.", received_at=question.received_at, source="api")
    text(cast.alice, "DOORGEGEVEN")
    work()
    question.refresh_from_db()
    assert question.state == "relayed"
    assert Event.objects.filter(question=question, kind="relayed").count() == 1


def test_events_cannot_be_changed_by_anybody(cast: Cast) -> None:
    ask(cast.alice)
    for statement in ("UPDATE questions_event SET kind = 'x'", "DELETE FROM questions_event", "TRUNCATE questions_event"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Event.objects.all().delete()


def test_numbers_and_addresses_are_masked_for_the_expert(cast: Cast) -> None:
    body = "Waarom zo hoog? Nummer 06 12345678, IBAN NL91ABNA0417164300, jan@mail.example, 12 euro, sinds 2024"
    made = post(api(cast.alice), "/questions", {"text": body, "topic": "billing"}, key="masked-1").json()
    work()
    question = Question.objects.get(pk=made["id"])
    shown = mails(cast.bob)[-1]
    for secret in ("12345678", "NL91", "jan@mail"):
        assert secret not in shown
    assert "12 euro" in shown
    assert "2024" in shown
    assert api(cast.alice).get(f"/api/v1/questions/{question.pk}").json()["text"] == body


def test_the_magic_link_shows_on_get_and_answers_on_post(cast: Cast) -> None:
    from django.test import Client

    from questions import links

    assignment = offer_of(ask(cast.alice))
    path = links.answer_link(assignment).split("/a/")[1]
    page = Client().get(f"/a/{path}")
    assert page.status_code == 200
    assignment.refresh_from_db()
    assert assignment.state == "offered"
    assert Client().post(f"/a/{path}", {"action": "accept"}).status_code == 302
    assert Client().post(f"/a/{path}", {"action": "answer", "text": "Via de link."}).status_code == 302
    assert Answer.objects.get().source == "link"
    assert Client().get(f"/a/{path[:-2]}xx").status_code == 404
    assert Client().get("/a/rubbish").status_code == 404
