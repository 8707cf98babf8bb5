"""The live process, as itself: what moves reaches an open stream, nothing is lost between two, nobody else's is seen."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client

from backend import clock, embedded
from people.models import AccessToken, Person
from tests.conftest import Cast, api, ask, offer_of, post

WAIT_SECONDS = 60.0  # a limit for a machine that is busy; nothing is timed
PER_PERSON = 5


@dataclass
class Event:
    name: str
    id: str
    data: Any


class Stream:
    """An app that listens."""

    def __init__(self, url: str, token: str, **headers: str) -> None:
        self.response = requests.get(
            url, headers={"Authorization": f"Bearer {token}", **headers}, stream=True, timeout=WAIT_SECONDS
        )
        self.lines = self.response.iter_lines(chunk_size=1, decode_unicode=True)

    def next(self) -> Event:
        """Waits for the next event; comments are signs of life, which keep the line open and not the test."""
        fields: dict[str, str] = {}
        deadline = time.monotonic() + WAIT_SECONDS
        for line in self.lines:
            assert time.monotonic() < deadline, "nothing but signs of life"
            if not line and "event" in fields:
                return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            name, _colon, value = line.partition(": ")
            if name:
                fields[name] = value
        raise AssertionError("the stream ended")

    def until(self, wanted: Any) -> Event:
        """The first event of which `wanted(data)` holds."""
        while True:
            event = self.next()
            if event.name == "sync" and wanted(event.data):
                return event

    def close(self) -> None:
        self.response.close()


@pytest.fixture
def events(cast: Cast) -> Iterator[str]:
    """The address of the product's live process on the test's own database."""
    database, port = connection.settings_dict, embedded.free_port()
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--no-ws"]
    process = subprocess.Popen(
        [*command, "--workers-kill-timeout", "2", "backend.live:application"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": url},
    )
    try:
        address = f"http://127.0.0.1:{port}/api/v1/events"
        until(lambda: requests.get(address, timeout=2).status_code == 401)
        yield address
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def until(look: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            if look():
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def states(data: Any) -> list[str]:
    return [question["state"] for question in data.get("questions", [])]


def test_a_questions_movement_reaches_its_asker_and_its_expert_and_nobody_else(cast: Cast, events: str) -> None:
    who = {person.name: Stream(events, AccessToken.issue(person)) for person in (cast.alice, cast.bob, cast.mallory)}
    alice, bob, mallory = who.values()
    for stream in who.values():
        assert stream.next().name == "ready"
    question = ask(cast.alice)
    assert alice.until(lambda data: "offered" in states(data)).data["questions"][0]["id"] == str(question.pk)
    assignment = str(offer_of(question).pk)
    assert bob.until(lambda data: data.get("assignments")).data["assignments"][0]["id"] == assignment
    post(api(cast.bob), f"/assignments/{assignment}/answer", {"text": "Door roaming."}, key="live-answer")
    told = alice.until(lambda data: "answered" in states(data))
    assert told.data["questions"][0]["answer"]["text"] == "Door roaming."
    Person.objects.filter(pk=cast.mallory.pk).update(shows_badges=True)
    hers = mallory.next()
    assert hers.data["me"]["shows_badges"] is True
    assert set(hers.data) == {"cursor", "has_more", "starts_over", "me"}
    for stream in who.values():
        stream.close()


def test_after_a_lost_connection_it_goes_on_where_it_stopped(cast: Cast, events: str) -> None:
    token = AccessToken.issue(cast.alice)
    first = Stream(events, token)
    begun = first.next()
    question = ask(cast.alice)
    kept = first.until(lambda data: "offered" in states(data))
    first.close()
    post(api(cast.bob), f"/assignments/{offer_of(question).pk}/answer", {"text": "Door roaming."}, key="live-answer")
    again = Stream(events, token, **{"Last-Event-ID": kept.id})
    assert again.next().name == "ready"
    assert states(again.until(lambda data: data.get("questions")).data) == ["answered"]
    again.close()
    from_the_start = Stream(events, token, **{"Last-Event-ID": begun.id})
    assert from_the_start.until(lambda data: data.get("questions")).data["questions"][0]["id"] == str(question.pk)
    from_the_start.close()
    same = api(cast.alice).get(f"/api/v1/sync?cursor={kept.id}").json()
    assert states(same) == ["answered"]


def test_a_sign_out_here_or_elsewhere_or_a_leaver_ends_the_stream(cast: Cast, events: str) -> None:
    client_token, other = AccessToken.issue(cast.alice), Stream(events, AccessToken.issue(cast.alice))
    signed_out, leaver = Stream(events, client_token), Stream(events, AccessToken.issue(cast.bob))
    row, lost_token = AccessToken.issue_row(cast.alice)
    row.refresh_from_db()
    lost = Stream(events, lost_token)
    for stream in (other, signed_out, leaver, lost):
        assert stream.next().name == "ready"
    assert api(cast.alice).delete(f"/api/v1/me/sessions/{row.public_id}").status_code == 204
    assert lost.next().name == "signed_out"
    bearer = {"Authorization": f"Bearer {client_token}"}
    assert Client(headers=bearer).delete("/api/v1/me/session").status_code == 204
    assert signed_out.next().name == "signed_out"
    Person.objects.filter(pk=cast.bob.pk).update(left_on=clock.now().date())
    assert next(event.name for event in iter(leaver.next, None) if event.name != "sync") == "signed_out"
    ask(cast.alice)
    assert other.until(states), "another sign-in of the same person goes on"
    other.close()


def test_the_oldest_of_too_many_streams_makes_room(cast: Cast, events: str) -> None:
    token = AccessToken.issue(cast.alice)
    streams = [Stream(events, token) for _number in range(PER_PERSON)]
    for stream in streams:
        assert stream.next().name == "ready"
    newest = Stream(events, token)
    assert newest.next().name == "ready"
    assert streams[0].next().name == "replaced"
    ask(cast.alice)
    assert streams[1].until(states)
    assert newest.until(states)
    for stream in (*streams, newest):
        stream.close()


def test_a_stream_is_refused_in_the_one_shape(cast: Cast, events: str) -> None:
    bearer = {"Authorization": f"Bearer {AccessToken.issue(cast.alice)}"}
    cases: list[tuple[str, dict[str, str], int, str]] = [
        (events, {}, 401, "not_signed_in"),
        (events, {**bearer, "Last-Event-ID": "rubbish"}, 400, "bad_request"),
        (f"{events}?cursor=rubbish", bearer, 400, "bad_request"),
        (f"{events}/other", bearer, 404, "not_found"),
    ]
    for url, headers, status, code in cases:
        response = requests.get(url, headers=headers, timeout=WAIT_SECONDS)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["Content-Type"] == "application/problem+json"
    assert requests.post(events, headers=bearer, timeout=WAIT_SECONDS).status_code == 405
    misdirected = api(cast.alice).get("/api/v1/events")
    assert (misdirected.status_code, misdirected.json()["code"]) == (421, "events_elsewhere")
