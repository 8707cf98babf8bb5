"""What may I say: a version is read once by everybody, and a newer one again."""

import json
from datetime import timedelta
from typing import Any

from django.test import Client

from backend import clock
from people.models import GroundRules, GroundRulesAcceptance
from tests.conftest import Cast, api, later, post


def publish(version: int, **later_by: float) -> GroundRules:
    return GroundRules.objects.create(
        version=version,
        text_nl=f"Regels {version}",
        text_en=f"Rules {version}",
        published_at=clock.now() + timedelta(**later_by),
    )


def test_without_rules_there_is_nothing_to_read(quiet_cast: Cast) -> None:
    assert api(quiet_cast.alice).get("/api/v1/ground-rules").status_code == 404
    assert Client().get("/api/v1/config").json()["ground_rules_version"] == 0


def test_the_newest_is_shown_in_the_readers_language_until_it_is_accepted(quiet_cast: Cast) -> None:
    publish(1)
    publish(2)
    publish(3, hours=2)
    alice, mallory = api(quiet_cast.alice), api(quiet_cast.mallory)
    shown = alice.get("/api/v1/ground-rules").json()
    assert (shown["version"], shown["text"], shown["accepted_at"]) == (2, "Regels 2", None)
    assert mallory.get("/api/v1/ground-rules").json()["text"] == "Rules 2"
    said = post(alice, "/ground-rules/2/accept").json()
    assert said["accepted_at"] is not None
    later(minutes=5)
    assert post(alice, "/ground-rules/2/accept").json()["accepted_at"] == said["accepted_at"], "the first time counts"
    assert mallory.get("/api/v1/ground-rules").json()["accepted_at"] is None
    later(hours=2)
    assert alice.get("/api/v1/ground-rules").json()["accepted_at"] is None, "a newer one is to be read anew"
    old = post(alice, "/ground-rules/2/accept")
    assert (old.status_code, old.json()["code"]) == (409, "newer_ground_rules")
    assert post(alice, "/ground-rules/4/accept").status_code == 404
    assert GroundRulesAcceptance.objects.count() == 1


def test_the_app_knows_what_it_must_before_anybody_signs_in(quiet_cast: Cast, settings: Any) -> None:
    settings.IOS_MINIMUM_VERSION = "1.4.2"
    publish(7)
    answer = Client().get("/api/v1/config")
    told = answer.json()
    assert told["minimum_versions"] == {"ios": "1.4.2", "android": ""}
    assert told["ground_rules_version"] == 7
    assert told["events_url"].endswith("/api/v1/events")
    assert Client().get("/api/v1/config", headers={"If-None-Match": answer["ETag"]}).status_code == 304


def test_phones_find_whose_links_these_are(quiet_cast: Cast, settings: Any) -> None:
    apple, android = "/.well-known/apple-app-site-association", "/.well-known/assetlinks.json"
    assert json.loads(Client().get(apple).content)["applinks"] == {"details": []}
    assert json.loads(Client().get(android).content) == []
    settings.IOS_APP_IDS = ["ABCDE12345.example.vonk.ceo"]
    settings.ANDROID_PACKAGE, settings.ANDROID_CERTIFICATES = "example.vonk.ceo", ["AB:CD"]
    answer = Client().get(apple)
    assert answer["Content-Type"] == "application/json"
    [detail] = json.loads(answer.content)["applinks"]["details"]
    assert detail == {"appIDs": settings.IOS_APP_IDS, "components": [{"/": "/app/*"}]}
    [statement] = json.loads(Client().get(android).content)
    assert statement["target"]["package_name"] == "example.vonk.ceo"
    assert Client().get("/app/question/0198", follow=False).status_code == 302
