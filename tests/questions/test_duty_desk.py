"""The desk works by app, SMS and mail: take, topic, assign, answer, hand back, close, correct; one item, one colleague."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.models import ItemCode
from people.models import Person
from questions import promise, routing
from questions.models import Answer, Question, Topic, Workload
from tests.conftest import (
    Cast,
    api,
    ask,
    code_of,
    in_parallel,
    later,
    letters,
    mail,
    mails,
    offer_of,
    person,
    post,
    text,
    texts,
    work,
)
from tests.questions.test_ask_back import fresh

STRANGE = "Zjoefel flapdrol kwibus, wanneer is de kermis in Appelscha?"
ANSWER = "Bel even met de gemeente."
QUERIES_OF_A_PAGE = 3  # the token with its person, the items, their guessed topics


@pytest.fixture
def triage(cast: Cast) -> Question:
    question = ask(cast.alice, STRANGE)
    assert question.state == "triage"
    later(minutes=12)
    return question


@pytest.fixture
def unstaffed(cast: Cast) -> Question:
    """Everybody who knows it is away, and then one of them is back."""
    Workload.objects.update(open_count=5)
    question = ask(cast.alice)
    Workload.objects.update(open_count=0)
    Question.objects.filter(pk=question.pk).update(state="unstaffed", route_at=None, queued_at=None)
    return fresh(question)


def app(who: Person, question: Question, act: str, body: Any = None, key: str = "") -> Any:
    return post(api(who), f"/desk/items/{question.pk}/{act}", body, key=key)


def sms(who: Person, question: Question, before: str, behind: str = "") -> None:
    code = code_of(who, f"desk:{question.pk}")
    text(who, f"{before} {code} {behind}".strip())
    work()


def letter(who: Person, question: Question, words: str) -> None:
    key = ItemCode.objects.get(person=who, item=f"desk:{question.pk}").reply_key
    mail(str(who.email), f"{key}@{settings.MAIL_DOMAIN}", words)
    work()


def event(question: Question, kind: str, who: Person, minutes: int = 12) -> None:
    found = question.events.get(kind=kind)
    assert (found.actor, found.data["minutes"]) == (who, minutes)


Way = Callable[[Person, Question], object]
TAKE: dict[str, Way] = {
    "api": lambda who, q: [app(who, q, "take") for _twice in range(2)],
    "sms": lambda who, q: sms(who, q, "JA"),
    "mail": lambda who, q: letter(who, q, "ja"),
}
BACK: dict[str, Way] = {
    "api": lambda who, q: app(who, q, "hand-back"),
    "sms": lambda who, q: sms(who, q, "TERUG"),
    "mail": lambda who, q: letter(who, q, "Terug"),
}
TOPIC: dict[str, Way] = {
    "api": lambda who, q: app(who, q, "topic", {"topic": "billing"}),
    "sms": lambda who, q: sms(who, q, "ONDERWERP", "rekening"),
    "mail": lambda who, q: letter(who, q, "TOPIC billing"),
    "sms, by the number of the guess": lambda who, q: sms(who, q, "ONDERWERP", number_of_billing(q)),
}
ASSIGN: dict[str, Way] = {
    "api": lambda who, q: app(who, q, "assign", {"colleague": str(Person.objects.get(employee_number="E3").pk)}),
    "sms": lambda who, q: sms(who, q, "DOOR", "Charlie"),
    "mail": lambda who, q: letter(who, q, "PASS cohen"),
}
ANSWERING: dict[str, Way] = {
    "api": lambda who, q: app(who, q, "answer", {"text": ANSWER}, key="desk-answer-1"),
    "sms": lambda who, q: sms(who, q, "ANTW", ANSWER),
    "mail": lambda who, q: letter(who, q, f"ANTW {ANSWER}"),
}
CLOSE: dict[str, Way] = {
    "api": lambda who, q: app(who, q, "close", {"reason": "not_a_question"}),
    "sms": lambda who, q: sms(who, q, "SLUIT", "geen vraag"),
    "mail": lambda who, q: letter(who, q, "CLOSE not a question."),
}


def number_of_billing(question: Question) -> str:
    return str(question.topic_guesses.index(Topic.objects.get(slug="billing").pk) + 1)


def test_the_desk_hears_of_it_with_the_guesses_and_the_words_to_use(cast: Cast, triage: Question) -> None:
    told = mails(cast.dana)[-1]
    assert STRANGE in told
    for words in ("JA:", "ONDERWERP", "1 = ", "DOOR", "SLUIT geen vraag"):
        assert words in told
    assert letters(cast.mallory.email) == []


@pytest.mark.parametrize("way", TAKE)
def test_taken(cast: Cast, triage: Question, way: str) -> None:
    TAKE[way](cast.dana, triage)
    assert fresh(triage).desk_holder == cast.dana
    event(triage, "desk_took", cast.dana)
    assert fresh(triage).state == "triage"


@pytest.mark.parametrize("way", BACK)
def test_handed_back_the_others_hear_of_it_again(cast: Cast, triage: Question, way: str) -> None:
    TAKE["api"](cast.dana, triage)
    before = len(mails(cast.dana))
    BACK[way](cast.dana, triage)
    work()
    assert fresh(triage).desk_holder is None
    assert triage.events.filter(kind="desk_handed_back", actor=cast.dana).count() == 1
    assert any(triage.reference in body and STRANGE in body for body in mails(cast.dana)[before:])


@pytest.mark.parametrize("way", TOPIC)
def test_a_topic_sends_it_to_the_experts(cast: Cast, triage: Question, way: str) -> None:
    TOPIC[way](cast.dana, triage)
    work()
    assert (fresh(triage).topic, fresh(triage).state, offer_of(triage).expert) == (cast.topic, "offered", cast.bob)
    event(triage, "topic_chosen", cast.dana)


@pytest.mark.parametrize("way", ASSIGN)
def test_assigned_to_an_expert(cast: Cast, unstaffed: Question, way: str) -> None:
    if way != "api":
        text(cast.dana, "BALIE")
        work()
    ASSIGN[way](cast.dana, unstaffed)
    work()
    made = offer_of(unstaffed)
    assert (fresh(unstaffed).state, made.expert, made.by_hand) == ("offered", cast.charlie, True)
    event(unstaffed, "desk_assigned", cast.dana, minutes=0)
    assert not unstaffed.events.filter(kind="passed_on").exists()
    assert unstaffed.reference in mails(cast.charlie)[-1]


@pytest.mark.parametrize("way", ANSWERING)
def test_answered_by_the_desk(cast: Cast, triage: Question, way: str) -> None:
    ANSWERING[way](cast.dana, triage)
    work()
    given = Answer.objects.get()
    assert (given.author, given.state, fresh(triage).state) == (cast.dana, "released", "answered")
    assert ANSWER in texts(cast.alice)[-1]
    assert fresh(triage).current_round.verdict == "kept"
    event(triage, "desk_answered", cast.dana)


@pytest.mark.parametrize("way", CLOSE)
def test_closed_as_no_question(cast: Cast, triage: Question, way: str) -> None:
    CLOSE[way](cast.dana, triage)
    work()
    assert (fresh(triage).state, fresh(triage).close_reason) == ("closed", "not_a_question")
    assert fresh(triage).current_round.verdict == "void"
    assert f"{triage.reference} is gesloten" in texts(cast.alice)[-1]
    event(triage, "desk_closed", cast.dana)


def test_closed_as_a_duplicate_its_expert_hears_it_too(cast: Cast) -> None:
    question = ask(cast.alice)
    app(cast.dana, question, "close", {"reason": "duplicate"})
    work()
    assert fresh(question).close_reason == "duplicate"
    assert question.reference in mails(cast.bob)[-1]
    assert Workload.objects.get(person=cast.bob).open_count == 0
    assert app(cast.dana, question, "close", {"reason": "helped"}).status_code == 422


def test_two_people_at_once_one_gets_it_and_the_other_is_told_who(cast: Cast, triage: Question) -> None:
    erik = person("E6", "Erik Evers", "duty_desk")
    clients = [api(cast.dana), api(erik), api(cast.dana), api(erik)]
    responses = in_parallel(4, lambda n: post(clients[n], f"/desk/items/{triage.pk}/take"))
    assert sorted(response.status_code for response in responses) == [200, 200, 409, 409]
    refused = next(response.json() for response in responses if response.status_code == 409)
    holder = fresh(triage).desk_holder
    assert holder is not None
    assert refused["code"] == "taken"
    assert holder.name in refused["detail"]
    assert triage.events.filter(kind="desk_took").count() == 1


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("take", None),
        ("hand-back", None),
        ("topic", {"topic": "billing"}),
        ("assign", {"colleague": "00000000-0000-0000-0000-000000000000"}),
        ("answer", {"text": ANSWER}),
        ("close", {"reason": "duplicate"}),
    ],
)
def test_what_a_colleague_has_is_left_alone(cast: Cast, triage: Question, act: str, body: Any) -> None:
    erik = person("E6", "Erik Evers", "duty_desk")
    app(cast.dana, triage, "take")
    events = triage.events.count()
    response = app(erik, triage, act, body, key="somebody-elses")
    assert (response.status_code, response.json()["code"]) == (409, "taken")
    assert (fresh(triage).state, fresh(triage).desk_holder, triage.events.count()) == ("triage", cast.dana, events)
    assert not Answer.objects.exists()


@pytest.mark.parametrize("who", ["alice", "bob", "mallory"])
def test_nobody_else_works_at_the_desk(cast: Cast, triage: Question, who: str) -> None:
    somebody = getattr(cast, who)
    for act, body in (("take", None), ("topic", {"topic": "billing"}), ("close", {"reason": "duplicate"})):
        assert app(somebody, triage, act, body).status_code == 403
    for path in ("/desk/items", "/desk/rota", f"/desk/items/{triage.pk}/experts"):
        assert api(somebody).get(f"/api/v1{path}").status_code == 403
    text(somebody, "BALIE")
    text(somebody, "DIENST")
    work()
    assert STRANGE[:20] not in "".join(texts(somebody)[-2:])
    assert fresh(triage).state == "triage"


def test_nobody_answers_their_own_question(cast: Cast) -> None:
    cast.alice.roles = ["employee", "duty_desk"]
    cast.alice.save()
    question = ask(cast.alice, STRANGE)
    response = app(cast.alice, question, "answer", {"text": ANSWER}, key="own-answer-1")
    assert (response.status_code, response.json()["code"]) == (403, "not_allowed")


def test_an_answer_that_comes_too_late_is_kept(cast: Cast) -> None:
    question = ask(cast.alice)
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} Een dubbele maand.")
    work()
    response = app(cast.dana, question, "answer", {"text": ANSWER}, key="too-late-1")
    assert (response.status_code, response.json()["code"]) == (409, "already_answered")
    assert Answer.objects.get(author=cast.dana).state == "refused"
    assert not question.events.filter(kind="desk_answered").exists()


def test_to_whom_it_can_be_given_with_what_they_hold(cast: Cast, unstaffed: Question) -> None:
    Workload.objects.filter(person=cast.bob).update(open_count=2)
    found = api(cast.dana).get(f"/api/v1/desk/items/{unstaffed.pk}/experts").json()
    assert [(one["name"], one["open"], one["capacity"]) for one in found] == [("Bob Bakker", 2, 5), ("Charlie Cohen", 0, 5)]
    Workload.objects.filter(person=cast.bob).update(open_count=5)
    assert len(api(cast.dana).get(f"/api/v1/desk/items/{unstaffed.pk}/experts").json()) == 1
    response = app(cast.dana, unstaffed, "assign", {"colleague": str(cast.bob.pk)})
    assert (response.status_code, response.json()["code"]) == (409, "colleague_cannot")


def test_the_desk_gives_it_to_somebody_else_while_the_asker_is_asked(cast: Cast) -> None:
    question = ask(cast.alice)
    post(api(cast.bob), f"/assignments/{offer_of(question).pk}/ask-back", {"text": "Welk?"}, key="ask-back-1")
    app(cast.dana, question, "assign", {"colleague": str(cast.charlie.pk)})
    assert (fresh(question).state, offer_of(question).expert) == ("offered", cast.charlie)
    assert fresh(question).current_round.paused_at is None
    assert fresh(question).current_round.next_step_at is not None


def test_who_has_it_and_goes_lets_it_go(cast: Cast, triage: Question) -> None:
    from people import lifecycle

    erik = person("E6", "Erik Evers", "duty_desk")
    app(erik, triage, "take")
    erik.left_on = fresh(triage).received_at.date()
    erik.save()
    lifecycle.left(erik)
    work()
    assert fresh(triage).desk_holder is None
    assert app(cast.dana, triage, "take").status_code == 200


def test_a_question_that_is_opened_again_is_nobodys_at_the_desk(cast: Cast, triage: Question) -> None:
    app(cast.dana, triage, "take")
    app(cast.dana, triage, "answer", {"text": ANSWER}, key="desk-answer-1")
    text(cast.alice, "NIETGELUKT")
    work()
    assert fresh(triage).desk_holder is None


def test_the_list_by_sms_and_by_mail(cast: Cast, triage: Question) -> None:
    text(cast.dana, "BALIE")
    mail(str(cast.dana.email), f"balie@{settings.MAIL_DOMAIN}", "Wat ligt er?")
    mail("mallory@vonkmobiel.example", f"desk@{settings.MAIL_DOMAIN}", "What is there?")
    work()
    code = code_of(cast.dana, f"desk:{triage.pk}")
    assert f"{code} {triage.reference}" in texts(cast.dana)[-1]
    assert f"{code} {triage.reference}" in mails(cast.dana)[-1]
    assert triage.reference not in mails(cast.mallory)[-1]
    app(cast.dana, triage, "close", {"reason": "duplicate"})
    text(cast.dana, "DESK")
    work()
    assert "Niets" in texts(cast.dana)[-1] or "niets" in texts(cast.dana)[-1]


def test_a_word_nobody_knows_brings_help_and_changes_nothing(cast: Cast, triage: Question) -> None:
    letter(cast.dana, triage, "Wat moet ik hiermee?")
    assert "SLUIT geen vraag" in mails(cast.dana)[-1]
    sms(cast.dana, triage, "ONDERWERP", "voetbal")
    assert "voetbal" in texts(cast.dana)[-1]
    sms(cast.dana, triage, "SLUIT", "zomaar")
    assert "geen vraag" in texts(cast.dana)[-1]
    assert fresh(triage).state == "triage"


def listed(who: Person) -> list[str]:
    return [one["id"] for one in api(who).get("/api/v1/desk/items").json()["items"]]


def test_nearly_due_it_waits_for_the_desk_too_and_answered_no_more(cast: Cast) -> None:
    question = ask(cast.alice)
    assert listed(cast.dana) == []
    later(hours=21, minutes=37)
    promise.run_due()
    assert listed(cast.dana) == [str(question.pk)]
    work()
    last = offer_of(question)
    text(last.expert, f"ANTW {code_of(last.expert, last.item)} Een dubbele maand.")
    work()
    assert listed(cast.dana) == []


def test_the_list_has_pages_soonest_first_and_costs_the_same_at_any_length(cast: Cast) -> None:
    client, counts = api(cast.dana), set()
    for number in range(25):
        post(api(cast.alice), "/questions", {"text": f"{STRANGE} {number}"}, key=f"question-{number}")
    for pk in routing.due_ids(50):
        routing.route(pk)
    dues: list[str] = []
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "10", **({"cursor": cursor} if cursor else {})}
        with CaptureQueriesContext(connection) as captured:
            page = client.get("/api/v1/desk/items", query).json()
        counts.add(len(captured))
        seen += [one["id"] for one in page["items"]]
        dues += [one["promise"]["due_at"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert len(set(seen)) == len(seen) == 25
    assert dues == sorted(dues)
    assert counts == {QUERIES_OF_A_PAGE}
    assert client.get("/api/v1/desk/items", {"cursor": "rubbish"}).status_code == 400
