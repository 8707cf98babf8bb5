"""One error shape, bounded input, keys that make repetition harmless, and nothing of anybody else's."""

import uuid
from typing import Any

import pytest
from django.test import Client

from people.models import AccessToken
from questions.models import Question
from tests.conftest import Cast, api, ask, in_parallel, offer_of, post


def problem(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "code", "detail", "errors"}
    assert body["status"] == response.status_code
    return response.status_code, body["code"]


def test_without_a_token_nothing_is_told(quiet_cast: Cast) -> None:
    for path in ("/me", "/questions", "/assignments", "/inbox", "/topics"):
        assert problem(Client().get(f"/api/v1{path}")) == (401, "not_signed_in")


def test_a_revoked_token_and_a_leavers_are_dead(quiet_cast: Cast) -> None:
    from backend import clock

    client = api(quiet_cast.alice)
    assert client.get("/api/v1/me").status_code == 200
    assert client.delete("/api/v1/me/session").status_code == 204
    assert client.get("/api/v1/me").status_code == 401
    other = api(quiet_cast.bob)
    quiet_cast.bob.left_on = clock.now().date()
    quiet_cast.bob.save()
    assert other.get("/api/v1/me").status_code == 401


def test_a_token_is_not_in_the_database(quiet_cast: Cast) -> None:
    token = AccessToken.issue(quiet_cast.alice)
    assert bytes(AccessToken.objects.get().digest) == AccessToken.digest_of(token)


def test_the_same_key_gives_the_first_answer_byte_for_byte(cast: Cast) -> None:
    client = api(cast.alice)
    first = post(client, "/questions", {"text": "Waarom is de rekening zo hoog?"}, key="key-00001")
    again = post(client, "/questions", {"text": "Waarom is de rekening zo hoog?"}, key="key-00001")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again["Idempotent-Replayed"] == "true"
    assert Question.objects.count() == 1
    other = post(client, "/questions", {"text": "Iets anders?"}, key="key-00001")
    assert problem(other) == (422, "idempotency_key_reused")


def test_twenty_requests_with_one_key_at_once_make_one_question(cast: Cast) -> None:
    token = AccessToken.issue(cast.alice)

    def send(_number: int) -> bytes:
        client = Client(headers={"Authorization": f"Bearer {token}"})
        return bytes(post(client, "/questions", {"text": "Waarom?"}, key="key-00002").content)

    assert len(set(in_parallel(20, send))) == 1
    assert Question.objects.count() == 1


def test_a_key_is_one_persons_own(cast: Cast) -> None:
    for who in (cast.alice, cast.bob):
        assert post(api(who), "/questions", {"text": "Waarom?"}, key="key-00003").status_code == 201
    assert Question.objects.count() == 2


def test_an_id_made_by_the_app_is_kept_and_cannot_be_somebody_elses(cast: Cast) -> None:
    made = str(uuid.uuid4())
    assert post(api(cast.alice), "/questions", {"id": made, "text": "Waarom?"}, key="key-00004").json()["id"] == made
    again = post(api(cast.alice), "/questions", {"id": made, "text": "Waarom?"}, key="key-00005")
    assert again.json()["id"] == made
    theirs = post(api(cast.bob), "/questions", {"id": made, "text": "Waarom?"}, key="key-00006")
    assert problem(theirs) == (409, "id_taken")


def test_what_belongs_to_somebody_else_is_not_found(cast: Cast) -> None:
    question = ask(cast.alice)
    stranger = api(cast.mallory)
    paths = [f"/questions/{question.pk}", f"/assignments/{offer_of(question).pk}"]
    assert [problem(stranger.get(f"/api/v1{path}")) for path in paths] == [(404, "not_found")] * 2
    acts: list[tuple[str, Any]] = [("withdraw", {}), ("relay", {}), ("rating", {"helped": True})]
    for verb, body in acts:
        assert problem(post(stranger, f"/questions/{question.pk}/{verb}", body)) == (404, "not_found")
    answers: list[tuple[str, Any]] = [("accept", {}), ("decline", {"reason": "other"}), ("answer", {"text": "x"})]
    for verb, body in answers:
        path = f"/assignments/{offer_of(question).pk}/{verb}"
        assert problem(post(stranger, path, body, key="key-00007-" + verb)) == (404, "not_found")


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        ("{", "application/json", (400, "bad_request")),
        (b"\xff\xfe", "application/json", (400, "bad_request")),
        ('{"text": "\\ud800"}', "application/json", (400, "bad_request")),
        ('{"text": "a"}', "text/plain", (415, "unsupported_media_type")),
        ('{"text": ""}', "application/json", (422, "validation_failed")),
        ('{"text": "   "}', "application/json", (422, "validation_failed")),
        ('{"text": "a\\u0000b"}', "application/json", (422, "validation_failed")),
        ('{"text": 5}', "application/json", (422, "validation_failed")),
        ('{"text": "' + "a" * 4001 + '"}', "application/json", (422, "validation_failed")),
        ('{"text": "a", "answer_mode": "pigeon"}', "application/json", (422, "validation_failed")),
        ('{"text": "a", "topic": "nothing-like-it"}', "application/json", (422, "invalid")),
        ("[]", "application/json", (400, "bad_request")),
    ],
)
def test_rubbish_in_a_body_is_a_clear_error(
    quiet_cast: Cast, content: Any, content_type: str, expected: tuple[int, str]
) -> None:
    client = api(quiet_cast.alice)
    response = client.post("/api/v1/questions", content, content_type, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert problem(response) == expected
    assert not Question.objects.exists()


def test_a_creating_post_needs_its_key(quiet_cast: Cast) -> None:
    response = post(api(quiet_cast.alice), "/questions", {"text": "Waarom?"})
    assert problem(response) == (422, "validation_failed")
    assert response.json()["errors"][0]["field"] == "header.Idempotency-Key"


@pytest.mark.parametrize("query", ["cursor=rubbish", "cursor=%00", "limit=0", "limit=99999999999999999999", "limit=x"])
def test_rubbish_in_a_query_is_a_clear_error(quiet_cast: Cast, query: str) -> None:
    assert problem(api(quiet_cast.alice).get(f"/api/v1/questions?{query}"))[0] in {400, 422}


def test_pages_hold_everything_once_in_order(cast: Cast) -> None:
    client = api(cast.alice)
    made = [post(client, "/questions", {"text": f"Vraag {n}?"}, key=f"page-key-{n}").json()["id"] for n in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/api/v1/questions?limit=3{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


def test_a_list_costs_the_same_queries_however_long(cast: Cast, django_assert_num_queries: Any) -> None:
    client = api(cast.alice)
    for number in range(12):
        post(client, "/questions", {"text": f"Vraag {number}?"}, key=f"count-key-{number}")
    for limit in (1, 12):
        with django_assert_num_queries(2):  # the token with its person, and the page
            client.get(f"/api/v1/questions?limit={limit}")


def test_errors_speak_the_readers_language(quiet_cast: Cast) -> None:
    english = Client().get("/api/v1/me", headers={"Accept-Language": "en"}).json()["detail"]
    dutch = Client().get("/api/v1/me", headers={"Accept-Language": "nl"}).json()["detail"]
    assert english != dutch
