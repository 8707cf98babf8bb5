"""What every answer has, whatever the operation: a name, a validator, a clear refusal, the reader's language."""

import gzip
import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from backend import versions
from backend.log_lines import NameRequest
from people.models import AccessToken, Person
from questions.models import Topic
from tests.conftest import Cast, api, ask, offer_of, post

BODY = '{"text": "Waarom?"}'


def spoken(who: Person, language: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {AccessToken.issue(who)}", "Accept-Language": language})


def refused(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_every_answer_has_a_name_and_takes_the_callers(quiet_cast: Cast) -> None:
    client = api(quiet_cast.alice)
    names = {client.get(path)["X-Request-ID"] for path in ("/api/v1/me", "/api/v1/nothing", "/", "/accounts/login/code/")}
    assert len(names) == 4
    assert client.get("/api/v1/me", headers={"X-Request-ID": "phone-7_abcdef"})["X-Request-ID"] == "phone-7_abcdef"
    for forged in ("a\nb-injected-line", "short", "x" * 65, "<script>alert"):
        assert client.get("/api/v1/me", headers={"X-Request-ID": forged})["X-Request-ID"] not in {forged}


def test_every_line_of_the_log_says_during_which_request(quiet_cast: Cast, caplog: Any) -> None:
    caplog.handler.addFilter(NameRequest())
    with caplog.at_level(logging.WARNING):
        api(quiet_cast.alice).get("/api/v1/nothing", headers={"X-Request-ID": "phone-7_abcdef"})
    assert {record.request_id for record in caplog.records if record.name == "django.request"} == {"phone-7_abcdef"}
    formatters: Any = settings.LOGGING["formatters"]
    assert "request_id" in formatters["line"]["format"]


@pytest.mark.parametrize(
    "path", ["/me", "/topics", "/topics/cards", "/wallet", "/directory", "/offers", "/questions", "/badges"]
)
def test_what_has_not_changed_is_not_sent_again(quiet_cast: Cast, path: str) -> None:
    client = api(quiet_cast.alice)
    first = client.get(f"/api/v1{path}")
    assert first["Cache-Control"] == "private, no-cache" or set(first["Cache-Control"].split(", ")) == {
        "private",
        "no-cache",
    }
    assert {"Accept-Language", "Authorization"} <= set(first["Vary"].split(", "))
    same = client.get(f"/api/v1{path}", headers={"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get(f"/api/v1{path}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_validator_is_of_its_language_and_dies_with_a_change(quiet_cast: Cast) -> None:
    dutch = spoken(quiet_cast.alice, "nl").get("/api/v1/topics")
    english = spoken(quiet_cast.alice, "en").get("/api/v1/topics")
    assert dutch["ETag"] != english["ETag"]
    Topic.objects.filter(slug="billing").update(name_nl="Facturen")
    client = spoken(quiet_cast.alice, "nl")
    assert client.get("/api/v1/topics", headers={"If-None-Match": dutch["ETag"]}).status_code == 200


def test_answers_travel_compressed_when_the_app_can_read_it(quiet_cast: Cast) -> None:
    plain = api(quiet_cast.alice).get("/api/v1/directory")
    packed = api(quiet_cast.alice).get("/api/v1/directory", headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "Accept-Encoding" in packed["Vary"]
    client = api(quiet_cast.alice)
    same = client.get("/api/v1/directory", headers={"Accept-Encoding": "gzip", "If-None-Match": packed["ETag"]})
    assert same.status_code == 304


def test_head_is_get_without_its_body(quiet_cast: Cast) -> None:
    client = api(quiet_cast.alice)
    whole, head = client.get("/api/v1/topics"), client.head("/api/v1/topics")
    assert (head.status_code, head.content) == (200, b"")
    assert (head["ETag"], head["Content-Length"]) == (whole["ETag"], str(len(whole.content)))
    assert Client().head("/api/v1/topics").status_code == 401


def test_options_says_what_can_be_done(quiet_cast: Cast) -> None:
    answer = Client().options("/api/v1/questions")
    assert (answer.status_code, answer["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "Access-Control-Allow-Origin" not in answer
    assert refused(Client().options("/api/v1/nothing")) == (404, "not_found")


def test_only_origins_that_are_ours_may_call_from_a_browser(quiet_cast: Cast, settings: Any) -> None:
    settings.CORS_ORIGINS = frozenset({"https://app.example"})
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    for path in ("/api/v1/questions", "/_allauth/app/v1/auth/code/request"):
        preflight = Client().options(path, headers=asked)
        assert preflight.status_code == 204
        assert preflight["Access-Control-Allow-Origin"] == "https://app.example"
        assert "Idempotency-Key" in preflight["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in preflight
    answer = api(quiet_cast.alice).get("/api/v1/me", headers={"Origin": "https://app.example"})
    assert "ETag" in answer["Access-Control-Expose-Headers"]
    assert "Origin" in answer["Vary"]
    for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
        other = Client().options("/api/v1/questions", headers={**asked, "Origin": origin})
        assert "Access-Control-Allow-Origin" not in other


def test_refusals_of_the_server_itself_have_the_one_shape(quiet_cast: Cast) -> None:
    client = api(quiet_cast.alice)
    key = {"Idempotency-Key": uuid.uuid4().hex}
    assert refused(client.get("/api/v1/nothing")) == (404, "not_found")
    other_method = client.delete("/api/v1/topics")
    assert refused(other_method) == (405, "method_not_allowed")
    assert other_method["Allow"] == "GET, HEAD, OPTIONS"
    large = '{"text": "' + "a" * 300_000 + '"}'
    assert refused(client.post("/api/v1/questions", large, "application/json", headers=key)) == (413, "content_too_large")
    assert refused(client.post("/api/v1/questions", BODY, "text/plain", headers=key)) == (415, "unsupported_media_type")


def test_how_much_is_left_is_told_and_too_much_is_refused(quiet_cast: Cast, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    client, other = api(quiet_cast.alice), api(quiet_cast.bob)
    answers = [client.get("/api/v1/me") for _number in range(7)]
    assert answers[0]["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert [answer["RateLimit"].split(";")[1] for answer in answers[:3]] == ["r=2", "r=1", "r=0"] or any(
        answer.status_code == 429 for answer in answers
    )
    late = [answer for answer in answers if answer.status_code == 429]
    assert late, "seven requests do not fit into two windows of three"
    assert refused(late[0]) == (429, "too_many_requests")
    assert 0 < int(late[0]["Retry-After"]) <= 60
    assert other.get("/api/v1/me").status_code == 200, "others go on"


def test_accept_language_decides_and_else_the_person(cast: Cast) -> None:
    question = ask(cast.alice)
    path = f"/api/v1/assignments/{offer_of(question).pk}"
    english, dutch = spoken(cast.bob, "en-GB,en;q=0.9").get(path), spoken(cast.bob, "nl").get(path)
    assert (english["Content-Language"], dutch["Content-Language"]) == ("en", "nl")
    assert english.json()["reasons"][0]["text"].startswith("knows")
    assert dutch.json()["reasons"][0]["text"].startswith("kent")
    assert (english.json()["topic"]["name"], dutch.json()["topic"]["name"]) == ("Billing", "Rekening")
    assert api(cast.bob).get(path).json() == dutch.json(), "Bob is Dutch"
    assert api(cast.mallory).get("/api/v1/topics").json()[0]["name"] == "Billing", "Mallory is not"
    unknown = spoken(cast.mallory, "en").get(f"/api/v1/questions/{uuid.uuid4()}").json()["detail"]
    assert unknown != spoken(cast.mallory, "nl").get(f"/api/v1/questions/{uuid.uuid4()}").json()["detail"]


def test_an_operation_that_will_go_says_so(quiet_cast: Cast, monkeypatch: Any) -> None:
    ends = versions.Deprecation(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "https://app.example/changes"
    )
    monkeypatch.setitem(versions.DEPRECATED, ("GET", "/api/v1/questions/{question_id}"), ends)
    client = api(quiet_cast.alice)
    going = client.get(f"/api/v1/questions/{uuid.uuid4()}")
    assert going["Deprecation"] == "@1767225600"
    assert going["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert going["Link"] == '<https://app.example/changes>; rel="deprecation"'
    assert "Deprecation" not in client.get("/api/v1/questions")


def test_a_key_makes_any_write_happen_once(cast: Cast) -> None:
    question = ask(cast.alice)
    client = api(cast.alice)
    first = post(client, f"/questions/{question.pk}/withdraw", key="withdraw-key")
    assert first.json()["state"] == "withdrawn"
    again = post(client, f"/questions/{question.pk}/withdraw", key="withdraw-key")
    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert refused(post(client, f"/questions/{question.pk}/relay", key="withdraw-key")) == (422, "idempotency_key_reused")
    assert refused(post(client, f"/questions/{question.pk}/relay", key="short")) == (422, "invalid")
    refusal = post(client, f"/questions/{question.pk}/relay", key="relay-key-1")
    assert refused(refusal) == (409, "no_answer_yet")
    assert post(client, f"/questions/{question.pk}/relay", key="relay-key-1")["Idempotent-Replayed"] == "true"


def test_a_patch_and_a_delete_with_a_key_answer_the_repetition_alike(cast: Cast) -> None:
    client = api(cast.alice)
    key = {"Idempotency-Key": "patch-key-1"}
    body = '{"language": "en"}'
    first = client.patch("/api/v1/me", body, "application/json", headers=key)
    Person.objects.filter(pk=cast.alice.pk).update(language="nl")
    again = client.patch("/api/v1/me", body, "application/json", headers=key)
    assert first.content == again.content
    assert Person.objects.get(pk=cast.alice.pk).language == "nl", "it was not done again"
    made = post(client, "/inbox/00000000-0000-0000-0000-000000000000/read", key="read-key-1")
    assert refused(made) == (404, "not_found")
