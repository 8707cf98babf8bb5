"""All that concerns me, then what changed since: nothing of anybody else's, nothing that did not change."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client

from backend import changes, clock
from notifications.models import Notification
from people.models import AccessToken
from questions.models import Question, Topic
from tests.conftest import Cast, answered, api, ask, offer_of, post, work
from tests.sync.mirror import Mirror, whole


def test_a_new_phone_gets_all_of_mine_and_nothing_of_anybody_elses(cast: Cast) -> None:
    question = answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)
    alice = Mirror(api(cast.alice)).sync()
    assert alice.copies["me"]["name"] == "Alice Achterberg"
    assert alice.copies["wallet"]["available"] >= 0
    assert [thing["id"] for thing in alice.of("question")] == [str(question.pk)]
    assert alice.of("question")[0] == api(cast.alice).get(f"/api/v1/questions/{question.pk}").json()
    assert {topic["slug"] for topic in alice.of("topic")} == {"billing", "roaming"}
    assert alice.of("inbox")
    bob = Mirror(api(cast.bob)).sync()
    assert [thing["id"] for thing in bob.of("assignment")] == [str(offer_of(question).pk)]
    assert bob.of("question") == []
    mallory = Mirror(api(cast.mallory)).sync()
    assert not {"question", "assignment", "inbox", "gift"} & {key.split(":")[0] for key in mallory.copies}


def test_what_has_not_changed_is_not_told_again(cast: Cast) -> None:
    ask(cast.alice)
    alice = Mirror(api(cast.alice)).sync()
    body = alice.ask().json()
    assert set(body) == {"cursor", "has_more", "starts_over"}
    assert not body["has_more"]
    assert not body["starts_over"]


def test_every_move_of_a_question_reaches_both_sides(cast: Cast) -> None:
    alice, bob, mallory = (Mirror(api(who)).sync() for who in (cast.alice, cast.bob, cast.mallory))
    nothing = mallory.copies
    question = ask(cast.alice)
    assert alice.sync().of("question")[0]["state"] == "offered"
    offer = bob.sync().of("assignment")[0]
    post(api(cast.bob), f"/assignments/{offer['id']}/ask-back", {"text": "Welke maand?"}, key="ask-back-1")
    assert alice.sync().of("question")[0]["clarifications"][0]["text"] == "Welke maand?"
    clarification = alice.of("question")[0]["clarifications"][0]["id"]
    post(api(cast.alice), f"/clarifications/{clarification}/reply", {"text": "Oktober."})
    assert bob.sync().of("assignment")[0]["clarifications"][0]["reply"] == "Oktober."
    post(api(cast.bob), f"/assignments/{offer['id']}/answer", {"text": "Door roaming."}, key="answer-key-1")
    assert alice.sync().of("question")[0]["answer"]["text"] == "Door roaming."
    assert bob.sync().of("assignment")[0]["state"] == "answered"
    post(api(cast.bob), f"/assignments/{offer['id']}/correction", {"text": "Door een fout."}, key="correction-1")
    assert alice.sync().of("question")[0]["answer"]["text"] == "Door een fout."
    post(api(cast.alice), f"/questions/{question.pk}/rating", {"helped": True})
    assert alice.sync().of("question")[0]["state"] == "closed"
    assert bob.sync().of("assignment")[0]["answer"]["helped"] is True
    assert mallory.sync().copies == nothing


def test_an_answer_that_was_used_again_is_corrected_on_that_phone_too(cast: Cast) -> None:
    question = answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)
    bob = Mirror(api(cast.bob)).sync()
    assignment = offer_of(question)
    answer = question.answers.get()
    made = post(api(cast.mallory), f"/knowledge/{answer.pk}/reuse", {"text": "Hoge rekening?"}, key="reuse-key-1")
    assert made.status_code == 201
    assert bob.sync().of("assignment")[0]["reused"] == 1
    mallory = Mirror(api(cast.mallory)).sync()
    path = f"/assignments/{assignment.pk}/correction"
    assert post(api(assignment.expert), path, {"text": "Door de winter."}, key="correction-2").status_code == 201
    assert mallory.sync().of("question")[0]["answer"]["text"] == "Door de winter."


def test_what_is_gone_is_told_once(cast: Cast) -> None:
    answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)
    alice = Mirror(api(cast.alice)).sync()
    kept = alice.of("inbox")
    gone = Notification.objects.filter(person=cast.alice)
    assert kept
    ids = {str(pk) for pk in gone.values_list("pk", flat=True)}
    gone.delete()
    Topic.objects.filter(slug="roaming").update(is_active=False)
    body = alice.ask().json()
    assert {thing["id"] for thing in body["removed"] if thing["kind"] == "inbox"} == ids
    alice.sync()
    assert alice.of("inbox") == []
    assert [topic["slug"] for topic in alice.of("topic")] == ["billing"]
    assert "removed" not in alice.ask().json()


def test_pages_hold_everything_and_what_changes_meanwhile_comes_after(cast: Cast) -> None:
    client = api(cast.alice)
    for number in range(7):
        post(client, "/questions", {"text": f"Vraag {number}?"}, key=f"page-key-{number}")
    phone = Mirror(client, limit=2)
    phone.step()
    post(client, "/questions", {"text": "Nog een?"}, key="page-key-8")
    Question.objects.filter(text="Vraag 0?").update(text="Vraag nul?")
    phone.sync()
    assert phone.answers > 4
    phone.sync()
    assert phone.copies == whole(client)
    for number in range(5):
        post(client, "/questions", {"text": f"Later {number}?"}, key=f"later-key-{number}")
    phone.sync()
    assert phone.copies == whole(client)
    assert len(phone.of("question")) == 13


def test_a_cursor_is_one_persons_and_one_languages(cast: Cast) -> None:
    alice = Mirror(api(cast.alice)).sync()
    stranger = Mirror(api(cast.mallory))
    stranger.cursor = alice.cursor
    assert stranger.ask().json()["code"] == "bad_request"
    for rubbish in ("x", "eyJ.x", alice.cursor[:-2], "1:1:"):
        stranger.cursor = rubbish
        assert (stranger.ask().status_code, stranger.ask().json()["code"]) == (400, "bad_request")
    english = Client(headers={"Authorization": f"Bearer {AccessToken.issue(cast.alice)}", "Accept-Language": "en"})
    other = english.get(f"/api/v1/sync?cursor={alice.cursor}")
    assert (other.status_code, other.json()["code"]) == (410, "resync_required")


def test_who_was_away_too_long_reads_everything_anew(cast: Cast) -> None:
    alice = Mirror(api(cast.alice)).sync()
    now = clock.real()
    ask(cast.alice)
    changes.purge(now)  # how far transactions are today
    ask(cast.alice)
    assert changes.purge(now + changes.KEEP - timedelta(hours=1)) == 0
    assert alice.ask().status_code == 200
    rows = _rows()
    assert changes.purge(now + changes.KEEP) > 0
    assert 0 < _rows() < rows, "only what is older than the mark goes"
    late = alice.ask()
    assert (late.status_code, late.json()["code"]) == (410, "resync_required")
    alice.cursor = ""
    assert alice.sync().copies == whole(api(cast.alice))


def test_a_cursor_after_the_mark_outlives_the_purge(cast: Cast) -> None:
    changes.purge(clock.real())
    alice = Mirror(api(cast.alice)).sync()
    ask(cast.alice)
    changes.purge(clock.real() + changes.KEEP)
    assert alice.sync().copies == whole(api(cast.alice))


def _rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM backend_change")
        return int(cursor.fetchone()[0])


def test_a_cursor_of_another_database_reads_everything_anew(cast: Cast, monkeypatch: Any) -> None:
    alice = Mirror(api(cast.alice)).sync()
    monkeypatch.setattr(changes, "database", lambda: "1")
    assert alice.ask().json()["code"] == "resync_required"


def test_a_delta_costs_the_same_queries_however_much_it_holds(cast: Cast, django_assert_max_num_queries: Any) -> None:
    client = api(cast.alice)
    phone = Mirror(client).sync()
    post(client, "/questions", {"text": "Een?"}, key="count-key-0")
    work(sending=False)
    with django_assert_max_num_queries(12):
        phone.ask()
    for number in range(1, 12):
        post(client, "/questions", {"text": f"Vraag {number}?"}, key=f"count-key-{number}")
    work(sending=False)
    with django_assert_max_num_queries(12):
        assert len(phone.ask().json()["questions"]) == 12
