"""A second pair of eyes: nothing leaves before somebody else has read it, and then exactly what they read."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from people import lifecycle
from people.models import Absence, Person
from questions import intake, promise
from questions.models import Answer, Assignment, Expertise, Question, Topic
from tests.conftest import (
    Cast,
    api,
    ask,
    code_of,
    later,
    letters,
    mail,
    mails,
    offer_of,
    person,
    post,
    reply_to,
    text,
    work,
)
from tests.questions.test_ask_back import fresh

QUERIES_OF_THE_LIST = 4  # the token with its person, the drafts, and room for no more than two by role


@pytest.fixture
def lead(cast: Cast) -> Person:
    """Lena leads the topic, whose answers want a second pair of eyes."""
    lena = person("E20", "Lena Lind")
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True, lead=lena)
    return lena


def written(cast: Cast, words: str = "Een dubbele maand.") -> Question:
    question = ask(cast.alice)
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} {words}")
    work()
    return question


def draft_of(question: Question) -> Answer:
    return Answer.objects.get(question=question, state="draft")


def told_alice(cast: Cast) -> str:
    return "".join(letter.body for letter in letters(cast.alice.mobile))


def test_nothing_leaves_before_it_is_read_and_the_clock_runs_until_then(cast: Cast, lead: Person) -> None:
    question = written(cast)
    assert fresh(question).state == "pending_approval"
    assert "dubbele" not in told_alice(cast)
    assert "dubbele" not in api(cast.alice).get(f"/api/v1/questions/{question.pk}").content.decode()
    assert fresh(question).current_round.verdict == ""
    assert "Een dubbele maand." in mails(lead)[-1]
    assert "dubbele" not in "".join(mails(cast.charlie))
    later(hours=25)
    work()
    assert fresh(question).current_round.verdict == "breached"
    assert draft_of(question)


def approve_by_api(who: Person, draft: Answer) -> None:
    for _twice in range(2):
        assert post(api(who), f"/approvals/{draft.pk}/approve").status_code == 204


def approve_by_sms(who: Person, draft: Answer) -> None:
    text(who, f"JA {code_of(who, f'approval:{draft.pk}')}")


def approve_by_mail(who: Person, draft: Answer) -> None:
    from django.conf import settings

    from notifications.models import ItemCode

    key = ItemCode.objects.get(person=who, item=f"approval:{draft.pk}").reply_key
    mail(str(who.email), f"{key}@{settings.MAIL_DOMAIN}", "Ja")


@pytest.mark.parametrize("approving", [approve_by_api, approve_by_sms, approve_by_mail])
def test_approved_it_leaves_as_it_was_read(cast: Cast, lead: Person, approving: object) -> None:
    question = written(cast)
    approving(lead, draft_of(question))  # type: ignore[operator]
    work()
    given = Answer.objects.get(question=question)
    assert (given.state, given.approved_by, given.author) == ("released", lead, cast.bob)
    assert (fresh(question).state, fresh(question).current_round.verdict) == ("answered", "kept")
    assert told_alice(cast).count("Een dubbele maand.") == 1
    assert question.events.get(kind="approved").actor == lead


def test_the_promise_is_judged_by_the_approval(cast: Cast, lead: Person) -> None:
    question = written(cast)
    draft = draft_of(question)
    later(hours=24, minutes=1)
    post(api(lead), f"/approvals/{draft.pk}/approve")
    assert fresh(question).current_round.verdict == "breached"


def test_an_approval_that_waits_in_the_queue_came_in_time(cast: Cast, lead: Person) -> None:
    question = written(cast)
    later(hours=23)
    approve_by_sms(lead, draft_of(question))
    later(hours=2)
    promise.run_due()
    assert fresh(question).current_round.verdict == ""
    work()
    assert fresh(question).current_round.verdict == "kept"


def test_nobody_approves_their_own_nor_an_answer_to_their_own_question(cast: Cast, lead: Person) -> None:
    Topic.objects.update(lead=cast.bob)
    question = written(cast)
    draft = draft_of(question)
    Expertise.objects.create(topic=cast.topic, person=cast.alice, level=3)
    for somebody in (cast.bob, cast.alice, cast.mallory, cast.charlie):
        for path, body in (("approve", None), ("reject", {"text": "Nee"})):
            assert post(api(somebody), f"/approvals/{draft.pk}/{path}", body).status_code == 404
        assert api(somebody).get("/api/v1/approvals").json()["items"] == []
    draft.refresh_from_db()
    assert draft.state == "draft"
    assert "Een dubbele maand." in "".join(mails(cast.dana))  # neither lead nor a second expert: the desk


def test_a_newer_text_takes_the_place_of_the_one_that_was_read(cast: Cast, lead: Person) -> None:
    question = written(cast)
    old = draft_of(question)
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} Toch een andere reden.")
    work()
    response = post(api(lead), f"/approvals/{old.pk}/approve")
    assert (response.status_code, response.json()["code"]) == (409, "not_waiting")
    text(lead, "JA")  # one draft waits, so it is clear which
    work()
    assert "Toch een andere reden." in told_alice(cast)
    assert "dubbele" not in told_alice(cast)
    assert Answer.objects.get(pk=old.pk).state == "refused"


def test_a_colleague_does_not_write_over_the_draft_that_waits(cast: Cast, lead: Person) -> None:
    question = ask(cast.alice)
    text(cast.bob, f"JA {code_of(cast.bob, offer_of(question).item)}")
    work()
    later(hours=18, seconds=1)
    promise.run_due()
    text(cast.bob, f"ANTW {code_of(cast.bob, Assignment.objects.get(expert=cast.bob).item)} Een dubbele maand.")
    work()
    charlies = Assignment.objects.get(question=question, expert=cast.charlie)
    response = post(api(cast.charlie), f"/assignments/{charlies.pk}/answer", {"text": "Iets anders."}, key="charlies-1")
    assert (response.status_code, response.json()["code"]) == (409, "already_answered")
    assert draft_of(question).author == cast.bob
    assert Answer.objects.get(author=cast.charlie).state == "refused"


def test_sent_back_its_author_reads_why_and_writes_anew(cast: Cast, lead: Person) -> None:
    question = written(cast)
    text(lead, f"AFKEUR {code_of(lead, f'approval:{draft_of(question).pk}')} Noem ook het bedrag.")
    work()
    assert fresh(question).state == "accepted"
    assert "Noem ook het bedrag." in mails(cast.bob)[-1]
    assert "dubbele" not in told_alice(cast)
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} Een dubbele maand: 40 euro.")
    work()
    approve_by_api(lead, draft_of(question))
    work()
    assert "40 euro" in told_alice(cast)


def test_sent_back_to_somebody_who_let_go_of_it_it_goes_to_the_next(cast: Cast, lead: Person) -> None:
    question = written(cast)
    draft = draft_of(question)
    post(api(cast.bob), f"/assignments/{offer_of(question).pk}/hand-back")
    assert fresh(question).state == "pending_approval"
    mails_before = len(mails(cast.bob))
    post(api(lead), f"/approvals/{draft.pk}/reject", {"text": "Klopt niet."})
    work()
    assert (fresh(question).state, offer_of(question).expert) == ("offered", cast.charlie)
    assert "Klopt niet." in mails(cast.bob)[mails_before]
    assert "ANTW" not in mails(cast.bob)[mails_before]


@pytest.mark.parametrize("end", ["withdrawn", "closed"])
def test_a_draft_ends_with_its_question(cast: Cast, lead: Person, end: str) -> None:
    question = written(cast)
    draft = draft_of(question)
    if end == "withdrawn":
        intake.withdraw(cast.alice, question.pk)
    else:
        post(api(cast.dana), f"/desk/items/{question.pk}/close", {"reason": "duplicate"})
    response = post(api(lead), f"/approvals/{draft.pk}/approve")
    assert (response.status_code, response.json()["code"]) == (409, "not_waiting")
    work()
    assert fresh(question).state == end
    assert "dubbele" not in told_alice(cast)
    assert Answer.objects.get().state == "refused"


@pytest.mark.parametrize("why", ["left", "absent"])
def test_when_the_approver_goes_the_next_one_is_asked(cast: Cast, lead: Person, why: str) -> None:
    Expertise.objects.filter(person=cast.charlie).update(level=3)
    question = written(cast)
    at = fresh(question).received_at
    if why == "left":
        lead.left_on = at.date() - timedelta(days=1)
        lead.save()
        lifecycle.left(lead)
    else:
        Absence.objects.create(person=lead, starts_at=at, ends_at=at + timedelta(days=9))
    work()
    assert "Een dubbele maand." in mails(cast.charlie)[-1]
    approve_by_mail(cast.charlie, draft_of(question))
    work()
    assert fresh(question).state == "answered"


def test_who_is_away_is_not_asked(cast: Cast, lead: Person) -> None:
    question = ask(cast.alice)
    begin = fresh(question).received_at
    Absence.objects.create(person=lead, starts_at=begin, ends_at=begin + timedelta(days=9))
    text(cast.bob, f"ANTW {code_of(cast.bob, offer_of(question).item)} Een dubbele maand.")
    work()
    assert mails(lead) == []
    assert "Een dubbele maand." in "".join(mails(cast.dana))


def test_the_desk_may_let_it_go_too(cast: Cast, lead: Person) -> None:
    question = written(cast)
    approve_by_api(cast.dana, draft_of(question))
    assert fresh(question).state == "answered"


def test_an_expert_who_leaves_while_it_waits_does_not_stop_it(cast: Cast, lead: Person) -> None:
    question = written(cast)
    cast.bob.left_on = fresh(question).received_at.date() - timedelta(days=1)
    cast.bob.save()
    lifecycle.left(cast.bob)
    work()
    assert fresh(question).state == "pending_approval"
    approve_by_api(lead, draft_of(question))
    work()
    assert "Een dubbele maand." in told_alice(cast)


def test_while_it_waits_it_is_not_passed_on_nor_assigned(cast: Cast, lead: Person) -> None:
    question = written(cast)
    body = {"colleague": str(cast.charlie.pk)}
    for who, path in (
        (cast.bob, f"/assignments/{offer_of(question).pk}/pass"),
        (cast.dana, f"/desk/items/{question.pk}/assign"),
    ):
        response = post(api(who), path, body)
        assert (response.status_code, response.json()["code"]) == (409, "awaits_approval")
    assert question.assignments.count() == 1


def test_a_draft_written_while_the_asker_was_asked_lets_the_clock_run(cast: Cast, lead: Person) -> None:
    question = ask(cast.alice)
    post(api(cast.bob), f"/assignments/{offer_of(question).pk}/ask-back", {"text": "Welk?"}, key="ask-back-1")
    later(hours=1)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Ik weet het al.")
    work()
    assert fresh(question).state == "pending_approval"
    assert fresh(question).current_round.paused_at is None
    later(hours=26)
    work()
    assert fresh(question).current_round.verdict == "breached"


def test_the_list_has_pages_and_costs_the_same_at_any_length(cast: Cast, lead: Person) -> None:
    first = ask(cast.alice)
    for number in range(24):
        made = post(
            api(cast.alice), "/questions", {"text": f"Vraag {number}?", "topic": "billing"}, key=f"question-{number}"
        )
        question = Question.objects.get(pk=made.json()["id"])
        Answer.objects.create(
            question=question,
            round=question.current_round,
            author=cast.bob,
            text=f"Antwoord {number}",
            source="api",
            state="draft",
            received_at=first.received_at,
        )
    seen: list[str] = []
    cursor, client = "", api(lead)
    counts = set()
    while cursor is not None:
        with CaptureQueriesContext(connection) as captured:
            page = client.get("/api/v1/approvals", {"limit": "10", **({"cursor": cursor} if cursor else {})}).json()
        counts.add(len(captured))
        seen += [item["text"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"Antwoord {number}" for number in range(24)]
    assert max(counts) <= QUERIES_OF_THE_LIST
