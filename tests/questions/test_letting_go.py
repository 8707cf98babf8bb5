"""Hand-back and pass-on: by app, SMS and mail; the question goes on and nobody keeps a place they do not use."""

from collections.abc import Callable

import pytest

from questions.models import Assignment, Expertise, Question, Workload
from tests.conftest import Cast, api, ask, code_of, mail, mails, offer_of, person, post, reply_to, text, texts, work


def accepted(cast: Cast) -> tuple[Question, Assignment]:
    question = ask(cast.alice)
    text(cast.bob, f"JA {code_of(cast.bob, offer_of(question).item)}")
    work()
    return question, offer_of(question)


BACK: dict[str, Callable[[Cast, Assignment], object]] = {
    "api": lambda cast, a: [post(api(cast.bob), f"/assignments/{a.pk}/hand-back") for _twice in range(2)],
    "sms": lambda cast, a: text(cast.bob, f"TERUG {code_of(cast.bob, a.item)}"),
    "mail": lambda cast, a: mail(str(cast.bob.email), reply_to(a), "Terug."),
}
PASS: dict[str, Callable[[Cast, Assignment], object]] = {
    "api": lambda cast, a: post(api(cast.bob), f"/assignments/{a.pk}/pass", {"colleague": str(cast.charlie.pk)}),
    "sms": lambda cast, a: text(cast.bob, f"DOOR {code_of(cast.bob, a.item)} charlie"),
    "mail": lambda cast, a: mail(str(cast.bob.email), reply_to(a), "Door Charlie Cohen"),
}


def load(cast: Cast) -> tuple[int, int]:
    counts = dict(Workload.objects.values_list("person", "open_count"))
    return counts[cast.bob.pk], counts[cast.charlie.pk]


@pytest.mark.parametrize("way", BACK)
def test_handed_back_it_goes_to_somebody_else(cast: Cast, way: str) -> None:
    question, assignment = accepted(cast)
    BACK[way](cast, assignment)
    work()
    assignment.refresh_from_db()
    assert (assignment.state, offer_of(question).expert) == ("handed_back", cast.charlie)
    assert load(cast) == (0, 1)
    assert question.events.filter(kind="handed_back", actor=cast.bob).count() == 1
    assert not question.answers.exists()


@pytest.mark.parametrize("way", PASS)
def test_passed_on_a_colleague_is_asked(cast: Cast, way: str) -> None:
    question, assignment = accepted(cast)
    PASS[way](cast, assignment)
    work()
    assignment.refresh_from_db()
    made = offer_of(question)
    assert (assignment.state, made.expert, made.state, made.by_hand) == ("moved", cast.charlie, "offered", True)
    assert load(cast) == (0, 1)
    assert "gekozen door Bob Bakker" in mails(cast.charlie)[-1]
    assert question.events.get(kind="passed_on").data == {"to": str(cast.charlie.pk)}
    assert not question.answers.exists()


def test_not_to_whom_cannot_have_it(cast: Cast) -> None:
    _question, assignment = accepted(cast)
    Expertise.objects.create(topic=cast.topic, person=cast.alice)
    cast.alice.roles = ["employee", "expert"]
    cast.alice.save()
    for nobody in (cast.alice, cast.dana, cast.bob):
        response = post(api(cast.bob), f"/assignments/{assignment.pk}/pass", {"colleague": str(nobody.pk)})
        assert (response.status_code, response.json()["code"]) == (409, "colleague_cannot")
    Workload.set_capacity(cast.charlie, 0)
    response = post(api(cast.bob), f"/assignments/{assignment.pk}/pass", {"colleague": str(cast.charlie.pk)})
    assert (response.status_code, response.json()["code"]) == (409, "colleague_cannot")
    assert "Charlie Cohen heeft geen plaats" in response.json()["detail"]
    assignment.refresh_from_db()
    assert assignment.state == "accepted"
    assert load(cast) == (1, 0)


def test_whom_one_may_choose_from(cast: Cast) -> None:
    _question, assignment = accepted(cast)
    full = person("E8", "Vera Vol", "expert")
    Expertise.objects.create(topic=cast.topic, person=full)
    Workload.set_capacity(full, 0)
    found = api(cast.bob).get(f"/api/v1/assignments/{assignment.pk}/colleagues").json()
    assert found == [{"id": str(cast.charlie.pk), "name": "Charlie Cohen"}]
    assert api(cast.mallory).get(f"/api/v1/assignments/{assignment.pk}/colleagues").status_code == 404


def test_a_name_that_fits_nobody_or_two_changes_nothing(cast: Cast) -> None:
    question, assignment = accepted(cast)
    code = code_of(cast.bob, assignment.item)
    Expertise.objects.create(topic=cast.topic, person=person("E8", "Charlie Citroen", "expert", mail=False))
    for said, heard in (("Zwart", "Zwart"), ("charlie", "Charlie Citroen, Charlie Cohen"), ("", "Charlie Citroen")):
        text(cast.bob, f"DOOR {code} {said}")
        work()
        assert heard in texts(cast.bob)[-1]
    assignment.refresh_from_db()
    assert assignment.state == "accepted"
    assert question.assignments.count() == 1


def test_what_is_somebody_elses_cannot_be_let_go(cast: Cast) -> None:
    _question, assignment = accepted(cast)
    for path in ("hand-back", "pass"):
        response = post(api(cast.charlie), f"/assignments/{assignment.pk}/{path}", {"colleague": str(cast.charlie.pk)})
        assert response.status_code == 404
    assignment.refresh_from_db()
    assert assignment.state == "accepted"


def test_what_is_over_cannot_be_passed_on(cast: Cast) -> None:
    _question, assignment = accepted(cast)
    post(api(cast.bob), f"/assignments/{assignment.pk}/hand-back")
    response = post(api(cast.bob), f"/assignments/{assignment.pk}/pass", {"colleague": str(cast.charlie.pk)})
    assert (response.status_code, response.json()["code"]) == (409, "offer_gone")


def test_another_topic_by_mail_goes_to_the_desk(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "ANDERS")
    work()
    question.refresh_from_db()
    assert question.state == "triage"
    assert question.reference in mails(cast.dana)[-1]


def test_the_next_expert_reads_what_was_asked_back_and_replied_already(cast: Cast) -> None:
    question, assignment = accepted(cast)
    text(cast.bob, f"VRAAG {code_of(cast.bob, assignment.item)} Welke maand?")
    work()
    [asked] = question.clarifications.all()
    text(cast.alice, f"{code_of(cast.alice, f'clarification:{asked.pk}')} Van juni, bel 0612345678")
    work()
    BACK["api"](cast, assignment)
    work()
    offered = mails(cast.charlie)[-1].replace("\r\n", "\n")
    assert "Een collega vroeg: Welke maand?\nHet antwoord: Van juni" in offered
    assert "0612345678" not in offered
