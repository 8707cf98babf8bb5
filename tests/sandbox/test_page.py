"""The sandbox page through its real URLs: what it shows, what can be done on it, and what is refused."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from backend import clock
from notifications import delivery, outbox, segments
from notifications.models import Delivery
from people.models import Person
from questions import answering, intake, routing
from questions.models import Question
from sandbox import courier
from sandbox.models import Letter, PhoneTrouble, Switch
from tests.conftest import Cast

STATE_QUERIES = 10  # letters, their statuses, questions, assignments, answers, events, apps, switches, phones, opt-outs
FILES = settings.BASE_DIR / "sandbox"
STRANGER, STRANGERS_MAIL = "+31699999999", "stranger@elsewhere.example"


def letter(address: str, body: str = "Hallo", **fields: Any) -> Letter:
    """Something that the product sent."""
    made = {
        "direction": "to_person",
        "channel": "email" if "@" in address else "sms",
        "provider_id": f"made-{Letter.objects.count()}",
        "other": f"key@{settings.MAIL_DOMAIN}" if "@" in address else settings.SMS_FROM,
        "status": "delivered",
        "created_at": clock.real(),
    }
    return Letter.objects.create(address=address, body=body, **{**made, **fields})


def ask(cast: Cast, key: str, *, answered: bool = False) -> Question:
    """A question that has an expert, and perhaps an answer."""
    question = intake.submit(
        cast.alice,
        f"Waarom is de rekening hoger? {key}",
        request_key=key,
        source="sms",
        received_at=clock.now(),
        topic=cast.topic,
        topic_chosen_by="asker",
    )
    routing.route(question.pk)
    if answered:
        offer = question.assignments.select_related("expert").get()
        answering.answer(offer.expert, offer.pk, "Omdat het kan.", received_at=clock.now(), source="email")
    return question


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(f"/sandbox/{path}", body, "application/json")


def state(client: Client, since: int | None = None, language: str = "en") -> Any:
    query = "" if since is None else f"?since={since}"
    response = client.get(f"/sandbox/state{query}", headers={"Accept-Language": language})
    assert response.status_code == 200
    return response.json()


# --- what it shows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_page_speaks_the_readers_language(quiet_cast: Cast, client: Client, language: str) -> None:
    response = client.get("/sandbox/", headers={"Accept-Language": language})
    assert response.status_code == 200
    assert f'<html lang="{language}">' in response.text
    assert response.context["setup"]["ask_addresses"][0]["address"] == f"vraag@{settings.MAIL_DOMAIN}"


def test_the_page_takes_nothing_from_elsewhere(quiet_cast: Cast, client: Client) -> None:
    sources = [client.get("/sandbox/").text, *((FILES / "static/sandbox" / name).read_text() for name in _assets())]
    for source in sources:
        loaded = re.findall(r"""(?:src|href|url\(|@import|fetch\()\s*=?\s*["'(]?\s*(https?:|//)[^"')\s]+""", source)
        assert loaded == []


def _assets() -> list[str]:
    found = sorted(path.name for path in (FILES / "static/sandbox").iterdir())
    assert found == ["page.css", "page.js"]
    return found


def test_the_script_never_makes_markup_of_a_text() -> None:
    script = (FILES / "static/sandbox/page.js").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "allow-scripts"):
        assert way not in script


def test_the_first_look_brings_the_cast_and_where_to_go_on_from(quiet_cast: Cast, client: Client) -> None:
    last = letter(str(quiet_cast.alice.mobile))
    seen = state(client)
    people = {one["name"]: one for one in seen["people"]}
    assert people["Alice Achterberg"]["mobile"] == quiet_cast.alice.mobile
    assert people["Alice Achterberg"]["email"] is None
    assert people["Bob Bakker"]["roles"] == ["expert"]
    assert seen["boxes"] == [{"address": quiet_cast.alice.mobile, "channel": "sms", "newest": last.pk}]
    assert (seen["letters"], seen["newest"]) == ([], last.pk)


def test_later_looks_bring_new_letters_and_how_far_the_known_ones_are(quiet_cast: Cast, client: Client) -> None:
    known = letter(str(quiet_cast.alice.mobile), status="sent")
    fresh = letter(str(quiet_cast.alice.mobile), "Tweede " + "x" * 160)
    seen = state(client, known.pk)
    assert "people" not in seen
    assert [one["body"] for one in seen["letters"]] == [fresh.body]
    assert seen["letters"][0]["segments"] == segments.count(fresh.body) == 2
    assert seen["changes"] == {str(known.pk): {"status": "sent", "copies": 1, "error": ""}}
    assert seen["newest"] == fresh.pk
    assert state(client, fresh.pk)["letters"] == []


def test_a_page_from_before_the_database_was_made_anew_is_told(quiet_cast: Cast, client: Client) -> None:
    last = letter(str(quiet_cast.alice.mobile))
    assert state(client, last.pk)["is_stale"] is False
    assert state(client, last.pk + 1000)["is_stale"] is True
    assert state(client, 0)["is_stale"] is False


@pytest.mark.parametrize("since", ["", "-1", "x", "9" * 40, "١", "1;DROP"])
def test_a_since_that_is_no_number_is_a_first_look(quiet_cast: Cast, client: Client, since: str) -> None:
    assert "people" in client.get("/sandbox/state", {"since": since}).json()


def test_a_question_is_shown_with_its_way_so_far(quiet_cast: Cast, client: Client) -> None:
    question = ask(quiet_cast, "one", answered=True)
    [shown] = state(client)["questions"]
    assert shown["reference"] == question.reference
    assert (shown["state"], shown["state_name"], shown["promise"]) == ("answered", "answered", "kept")
    assert shown["asker"] == {"number": "E1", "name": "Alice Achterberg"}
    assert shown["expert"] == {"number": "E2", "name": "Bob Bakker"}
    assert shown["topic"] == {"slug": "billing", "name": "Billing"}
    assert "knows Billing" in shown["why"]
    assert shown["answer"]["text"] == "Omdat het kan."
    assert [event["kind"] for event in shown["events"]][:2] == ["received", "offered"]
    assert shown["events"][1]["text"] == "Offered to Bob Bakker"
    assert shown["friend_link"].startswith(f"{settings.PUBLIC_BASE_URL}/q/")


def test_an_overdue_question_says_so_also_when_no_worker_ran(quiet_cast: Cast, client: Client) -> None:
    ask(quiet_cast, "one")
    clock.move(timedelta(hours=25))
    [shown] = state(client)["questions"]
    assert (shown["promise"], shown["unanswered"]) == ("overdue", True)


def test_the_state_costs_the_same_for_one_question_as_for_many(
    quiet_cast: Cast, client: Client, django_assert_num_queries: Any
) -> None:
    ask(quiet_cast, "one", answered=True)
    for known in (None, letter(str(quiet_cast.alice.mobile)).pk):
        with django_assert_num_queries(STATE_QUERIES):
            state(client, known)
    for number in range(4):
        ask(quiet_cast, f"more {number}", answered=number % 2 == 0)
        letter(str(quiet_cast.alice.mobile))
    for known in (None, Letter.objects.earliest("id").pk):
        with django_assert_num_queries(STATE_QUERIES):
            assert len(state(client, known)["questions"]) == 5


def test_a_device_opens_with_its_own_letters_only(quiet_cast: Cast, client: Client) -> None:
    letter(str(quiet_cast.alice.mobile), "voor Alice")
    letter(str(quiet_cast.bob.email), "voor Bob", html="<p>voor Bob</p>", subject="Vraag")
    found = client.get("/sandbox/letters", {"address": str(quiet_cast.bob.email)}).json()["letters"]
    assert [(one["subject"], one["html"]) for one in found] == [("Vraag", "<p>voor Bob</p>")]
    assert client.get("/sandbox/letters", {"address": "\x00"}).json() == {"letters": []}


# --- what people do --------------------------------------------------------------------------------------------------


def test_texting_makes_exactly_one_letter(quiet_cast: Cast, client: Client) -> None:
    response = post(client, "text", {"number": quiet_cast.alice.mobile, "text": "  VRAAG Mag dat?  "})
    assert response.status_code == 201
    made = Letter.objects.get()
    assert response.json() == {"letter": made.pk}
    assert (made.direction, made.channel, made.body) == ("from_person", "sms", "VRAAG Mag dat?")
    assert (made.address, made.other) == (quiet_cast.alice.mobile, settings.SMS_FROM)
    assert not Question.objects.exists()  # the courier hands it in: the page touches nothing of the product


def test_markup_in_an_sms_stays_text(quiet_cast: Cast, client: Client) -> None:
    markup = "VRAAG <script>alert(1)</script> & <b>vet</b>"
    post(client, "text", {"number": quiet_cast.alice.mobile, "text": markup})
    response = client.get("/sandbox/state?since=0")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.json()["letters"][0]["body"] == markup
    assert "alert(1)" not in client.get("/sandbox/").text


def test_what_is_written_into_the_page_itself_is_escaped(quiet_cast: Cast, client: Client) -> None:
    quiet_cast.topic.name_nl = quiet_cast.topic.name_en = "</script><script>alert(1)</script>"
    quiet_cast.topic.save()
    assert "<script>alert" not in client.get("/sandbox/").text


def test_a_new_mail_goes_to_the_address_of_a_topic(quiet_cast: Cast, client: Client) -> None:
    body = {
        "sender": "BOB@vonkmobiel.example",
        "to": f"rekening@{settings.MAIL_DOMAIN}",
        "subject": " Een\nvraag ",
        "text": "?",
    }
    assert post(client, "mail", body).status_code == 201
    made = Letter.objects.get()
    assert (made.address, made.other) == (quiet_cast.bob.email, body["to"])
    assert (made.subject, made.body) == ("Een vraag", "?")


def test_a_reply_goes_back_to_where_the_mail_asks_for_it_with_the_original_quoted(quiet_cast: Cast, client: Client) -> None:
    offer = letter(str(quiet_cast.bob.email), "Een collega vraagt", subject="Vraag Q-1")
    assert post(client, "reply", {"letter": offer.pk, "text": "Zo zit dat."}).status_code == 201
    made = Letter.objects.get(direction="from_person")
    assert (made.address, made.other, made.subject) == (quiet_cast.bob.email, offer.other, "Re: Vraag Q-1")
    assert made.in_reply_to == offer.provider_id
    assert made.body.startswith("Zo zit dat.\n")
    assert "> Een collega vraagt" in made.body


def test_nobody_can_act_for_a_stranger(quiet_cast: Cast, client: Client) -> None:
    to = f"vraag@{settings.MAIL_DOMAIN}"
    refused = [
        post(client, "text", {"number": STRANGER, "text": "VRAAG Mag dat?"}),
        post(client, "mail", {"sender": STRANGERS_MAIL, "to": to, "subject": "", "text": "?"}),
        post(client, "reply", {"letter": 12345, "text": "?"}),
    ]
    assert [response.status_code for response in refused] == [404, 404, 404]
    assert all(response.json()["error"] for response in refused)
    assert not Letter.objects.exists()


def test_a_friend_can_be_acted_for_once_the_product_wrote_to_them(quiet_cast: Cast, client: Client) -> None:
    letter(STRANGER, "Je code is 123456")
    assert post(client, "text", {"number": STRANGER, "text": "Bedankt"}).status_code == 201
    assert STRANGER in [box["address"] for box in state(client)["boxes"]]


def test_having_written_does_not_make_a_stranger_known(quiet_cast: Cast, client: Client) -> None:
    letter(STRANGER, direction="from_person")
    assert post(client, "text", {"number": STRANGER, "text": "Hallo"}).status_code == 404


def test_only_a_mail_that_came_in_can_be_replied_to(quiet_cast: Cast, client: Client) -> None:
    sms = letter(str(quiet_cast.alice.mobile))
    own = letter(str(quiet_cast.bob.email), direction="from_person")
    for wrong in (sms.pk, own.pk):
        assert post(client, "reply", {"letter": wrong, "text": "?"}).status_code == 404


ALICE, BOB = "+31612000001", "bob@vonkmobiel.example"
WELL = f"vraag@{settings.MAIL_DOMAIN}"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("text", b"{", 400),
        ("text", b'{"number": "+31612000001", "text": "\\ud800"}', 400),
        ("text", b"[]", 400),
        ("text", {"number": ALICE}, 422),
        ("text", {"number": ALICE, "text": "   "}, 422),
        ("text", {"number": ALICE, "text": "x" * 1601}, 422),
        ("text", {"number": ALICE, "text": "nul\x00"}, 422),
        ("text", {"number": ALICE, "text": ["?"]}, 422),
        ("text", {"number": 31612000001, "text": "?"}, 422),
        ("mail", {"sender": BOB, "to": "elders@example.com", "subject": "", "text": "?"}, 422),
        ("mail", {"sender": BOB, "to": f"a@b@{settings.MAIL_DOMAIN}", "subject": "", "text": "?"}, 422),
        ("mail", {"sender": BOB, "to": f"a\nBcc: x@{settings.MAIL_DOMAIN}", "subject": "", "text": "?"}, 422),
        ("mail", {"sender": BOB, "to": WELL, "subject": "x" * 201, "text": "?"}, 422),
        ("mail", {"sender": BOB, "to": WELL, "subject": "", "text": ""}, 422),
        ("reply", {"letter": "1", "text": "?"}, 422),
        ("reply", {"letter": True, "text": "?"}, 422),
        ("reply", {"letter": 2**70, "text": "?"}, 422),
        ("clock", {"hours": "1"}, 422),
        ("clock", {"hours": -1}, 422),
        ("clock", {"hours": True}, 422),
        ("clock", {"hours": 100_000}, 422),
        ("clock", b'{"hours": NaN}', 400),
    ],
)
def test_bad_input_is_refused_with_a_sentence(quiet_cast: Cast, client: Client, path: str, body: Any, status: int) -> None:
    response = post(client, path, body)
    assert response.status_code == status
    assert response.json()["error"]
    assert not Letter.objects.exists()
    assert not clock.offset()


@pytest.mark.parametrize("path", ["text", "mail", "reply", "clock"])
def test_opening_changes_nothing_and_a_form_elsewhere_cannot_post(quiet_cast: Cast, path: str) -> None:
    assert Client().get(f"/sandbox/{path}").status_code == 405
    forged = Client(enforce_csrf_checks=True)
    assert post(forged, path, {"number": quiet_cast.alice.mobile, "text": "?", "hours": 1}).status_code == 403
    assert not Letter.objects.exists()
    assert not clock.offset()


def test_the_page_hands_out_the_token_that_its_posts_need(quiet_cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    page = strict.get("/sandbox/")
    token = strict.cookies[page.context["setup"]["csrf_cookie"]].value
    body = {"number": quiet_cast.alice.mobile, "text": "VRAAG Mag dat?"}
    response = strict.post("/sandbox/text", body, "application/json", headers={"X-CSRFToken": token})
    assert response.status_code == 201


def test_the_clock_moves_forward_and_back_to_now(quiet_cast: Cast, client: Client) -> None:
    assert post(client, "clock", {"hours": 6}).json()["ahead_seconds"] == 6 * 3600
    assert post(client, "clock", {"hours": 1}).json()["ahead_seconds"] == 7 * 3600
    assert state(client)["clock"]["ahead_seconds"] == 7 * 3600
    assert post(client, "clock", {"hours": 0}).json()["ahead_seconds"] == 0
    assert not clock.offset()


def test_the_clock_cannot_be_pressed_ahead_for_ever(quiet_cast: Cast, client: Client) -> None:
    assert post(client, "clock", {"hours": 24 * 60}).status_code == 201
    assert post(client, "clock", {"hours": 1}).status_code == 422
    assert clock.offset() == timedelta(days=60)


def test_a_leaver_is_shown_as_such(quiet_cast: Cast, client: Client) -> None:
    Person.objects.filter(pk=quiet_cast.mallory.pk).update(left_on=clock.now().date())
    people = {one["name"]: one["has_left"] for one in state(client)["people"]}
    assert people["Mallory Mulder"] is True
    assert people["Alice Achterberg"] is False


# --- what can be broken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "code"), [("landline", "21614"), ("stopped", "21610")])
def test_a_phone_that_takes_no_sms_refuses_it_as_twilio_does(cast: Cast, client: Client, kind: str, code: str) -> None:
    number = str(cast.alice.mobile)
    assert post(client, "phone", {"number": number, "kind": kind}).status_code == 201
    assert state(client)["phones"] == {number: kind}
    outbox.enqueue(key="k", channel="sms", to=number, body="Hallo", person=cast.alice)
    delivery.send_due()
    assert (Delivery.objects.get().state, Delivery.objects.get().error) == ("failed", f"twilio {code}")
    assert not Letter.objects.exists()
    assert state(client)["stopped"] == [number]
    assert post(client, "phone", {"number": number, "kind": ""}).status_code == 201
    assert state(client)["phones"] == {}


def test_a_phone_without_coverage_gets_it_undelivered_with_a_reason(cast: Cast, client: Client) -> None:
    number = str(cast.alice.mobile)
    post(client, "phone", {"number": number, "kind": "no_coverage"})
    outbox.enqueue(key="k", channel="sms", to=number, body="Hallo", person=cast.alice)
    delivery.send_due()
    for status in ("sent", "undelivered"):
        assert courier._next_status(Letter.objects.get()) == status
        Letter.objects.update(status=status)
    shown = state(client, 0)["letters"]
    assert [(one["status"], one["error"]) for one in shown] == [("undelivered", 30003)]
    fields = courier.status_fields(Letter.objects.get(), "undelivered")
    assert fields["ErrorCode"] == "30003"


def test_after_texting_stop_the_provider_refuses_too_until_start(quiet_cast: Cast, client: Client) -> None:
    number = str(quiet_cast.alice.mobile)
    post(client, "text", {"number": number, "text": "Stop"})
    assert state(client)["phones"] == {number: "stopped"}
    post(client, "text", {"number": number, "text": "START"})
    assert state(client)["phones"] == {}


@pytest.mark.parametrize("kind", ["cut", "server_error_taken"])
def test_twilio_may_take_a_message_and_not_say_so(cast: Cast, client: Client, kind: str) -> None:
    assert post(client, "trouble", {"provider": "twilio", "kind": kind}).status_code == 201
    assert state(client)["troubles"]["twilio"] == kind
    outbox.enqueue(key="k", channel="sms", to=str(cast.alice.mobile), body="Hallo", person=cast.alice)
    delivery.send_due()
    assert Delivery.objects.get().state == "unknown"
    assert Letter.objects.count() == 1


def test_webhooks_come_twice_or_not_at_all_when_so_switched(quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(courier, "_post_once", lambda url, fields: sent.append(url))
    for kind, times in (("", 1), ("duplicates", 2), ("no_callbacks", 0)):
        Switch.objects.update_or_create(provider="twilio", defaults={"trouble": kind})
        sent.clear()
        courier._post("u", {"MessageStatus": "sent"})
        assert len(sent) == times


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("phone", {"number": "+31612000001", "kind": "on fire"}),
        ("phone", {"number": STRANGER, "kind": "landline"}),
        ("trouble", {"provider": "twilio", "kind": "on fire"}),
        ("trouble", {"provider": "carrier", "kind": "timeout"}),
        ("trouble", {"kind": "timeout"}),
    ],
)
def test_only_what_is_known_can_be_broken(quiet_cast: Cast, client: Client, path: str, body: Any) -> None:
    assert post(client, path, body).status_code in {404, 422}
    assert not PhoneTrouble.objects.exists()
    assert not Switch.objects.exists()
