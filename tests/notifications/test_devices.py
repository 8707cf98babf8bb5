"""Phones registered by the app: once, in one person's hands, and gone with the sign-in."""

import uuid
from typing import Any

from django.test import Client

from backend import clock
from notifications import delivery, devices
from notifications.models import Device
from people import lifecycle, sessions
from people.models import AccessToken
from sandbox.models import Letter
from tests.conftest import Cast, api, in_parallel, later, texts, work
from tests.notifications.phones import deliveries, phone, put, tell

TOKEN = "x" * 30
ALLAUTH = "/_allauth/app/v1/auth"


def test_registering_twice_is_one_phone_and_the_new_token_counts(quiet_cast: Cast) -> None:
    mine, device = api(quiet_cast.bob), uuid.uuid4()
    assert put(mine, device, token=TOKEN).status_code == 200
    later(hours=1)
    second = put(mine, device, token=TOKEN + "2", app_version="1.1", platform="ios").json()
    [row] = Device.objects.all()
    assert (row.address, row.app_version, row.platform) == (TOKEN + "2", "1.1", "ios")
    assert row.last_seen_at > row.created_at
    assert "token" not in str(second)
    assert mine.get("/api/v1/devices").json() == [second]


def test_a_phone_has_a_token_or_a_fid_and_not_both(quiet_cast: Cast) -> None:
    mine = api(quiet_cast.bob)
    assert put(mine, uuid.uuid4(), fid="cR4example_fid_123456").status_code == 200
    for body in ({}, {"token": TOKEN, "fid": "cR4example_fid_123456"}, {"token": "kort"}, {"token": TOKEN + "\n"}):
        assert put(mine, uuid.uuid4(), **body).status_code == 422, body
    assert put(mine, uuid.uuid4(), token=TOKEN, platform="fridge").status_code == 422
    assert Device.objects.get().kind == "fid"


def test_a_token_that_turns_up_with_somebody_else_changes_hands(cast: Cast) -> None:
    old = phone(cast.bob)
    told = tell(cast.bob)
    assert put(api(cast.mallory), uuid.uuid4(), token=old.token).status_code == 200
    assert Device.objects.get().person == cast.mallory
    delivery.send_due()
    assert Letter.objects.filter(channel="push").count() == 0  # what was Bob's is not shown to her
    assert deliveries(told)["push"] == "failed"
    assert "email" in deliveries(told)


def test_the_same_installation_changes_hands_with_its_token(quiet_cast: Cast) -> None:
    device = uuid.uuid4()
    put(api(quiet_cast.bob), device, token=TOKEN)
    assert put(api(quiet_cast.mallory), device, token=TOKEN).status_code == 200
    assert Device.objects.get().person == quiet_cast.mallory


def test_what_was_told_to_the_one_before_is_not_shown_to_the_next_on_the_same_phone(cast: Cast) -> None:
    bobs = phone(cast.bob)
    told = tell(cast.bob)
    assert put(api(cast.mallory), bobs.id, token=bobs.token).status_code == 200
    delivery.send_due()
    assert bobs.pushes == []
    assert deliveries(told)["push"] == "failed"


def test_an_id_alone_takes_nobodys_phone(quiet_cast: Cast) -> None:
    device, hers = uuid.uuid4(), api(quiet_cast.mallory)
    put(api(quiet_cast.bob), device, token=TOKEN)
    assert put(hers, device, token="y" * 30).status_code == 404
    assert hers.delete(f"/api/v1/devices/{device}").status_code == 404
    assert hers.get("/api/v1/devices").json() == []
    assert Device.objects.get().person == quiet_cast.bob


def test_one_token_registered_by_many_at_once_has_one_owner(cast: Cast) -> None:
    clients = [api(who) for who in (cast.alice, cast.bob, cast.charlie, cast.dana)]
    answers = in_parallel(4, lambda number: put(clients[number], uuid.uuid4(), token=TOKEN).status_code)
    assert answers == [200] * 4
    assert Device.objects.count() == 1


def test_an_eleventh_phone_takes_the_place_of_the_one_unseen_for_longest(quiet_cast: Cast) -> None:
    mine, ids = api(quiet_cast.bob), [uuid.uuid4() for _ in range(11)]
    for number, device in enumerate(ids):
        put(mine, device, token=f"{TOKEN}{number}")
        later(minutes=1)
    assert {row.pk for row in Device.objects.all()} == set(ids[1:])


def test_signing_out_takes_this_phone_along_and_no_other(quiet_cast: Cast) -> None:
    here, there = api(quiet_cast.bob), api(quiet_cast.bob)
    put(here, uuid.uuid4(), token=TOKEN)
    other = uuid.uuid4()
    put(there, other, token=TOKEN + "2")
    assert here.delete("/api/v1/me/session").status_code == 204
    assert [row.pk for row in Device.objects.all()] == [other]


def _sign_in(cast: Cast) -> tuple[Client, str, dict[str, Any]]:
    app = Client()
    asked = app.post(f"{ALLAUTH}/code/request", {"phone": cast.alice.mobile}, "application/json").json()
    work()
    headers = {"X-Session-Token": asked["meta"]["session_token"]}
    code = texts(cast.alice)[-1].rsplit("#", 1)[1]
    meta = app.post(f"{ALLAUTH}/code/confirm", {"code": code}, "application/json", headers=headers).json()["meta"]
    return app, meta["access_token"], meta


def test_allauths_own_sign_out_takes_the_phone_along_too(cast: Cast) -> None:
    app, token, meta = _sign_in(cast)
    mine = Client(headers={"Authorization": f"Bearer {token}"})
    put(mine, uuid.uuid4(), token=TOKEN)
    app.delete(f"{ALLAUTH}/session", headers={"X-Session-Token": meta.get("session_token", "")})
    assert Device.objects.count() == 0
    assert mine.get("/api/v1/me").status_code == 401


def test_a_leaver_has_no_phone(quiet_cast: Cast) -> None:
    put(api(quiet_cast.bob), uuid.uuid4(), token=TOKEN)
    AccessToken.objects.filter(person=quiet_cast.bob).update(revoked_at=clock.real())
    quiet_cast.bob.left_on = clock.now().date()
    quiet_cast.bob.save()
    assert lifecycle.leavers(10) == [quiet_cast.bob.pk]  # nothing but the phone is left of them
    lifecycle.left(quiet_cast.bob)
    assert Device.objects.count() == 0
    assert lifecycle.leavers(10) == []


def test_a_phone_unseen_for_a_month_is_doubted_and_after_nine_forgotten(cast: Cast) -> None:
    old = phone(cast.bob)
    later(days=29)
    assert set(deliveries(tell(cast.bob, "fresh"))) == {"push"}
    later(days=2)
    assert set(deliveries(tell(cast.bob, "doubtful"))) == {"push", "email"}
    later(days=240)
    assert set(deliveries(tell(cast.bob, "gone"))) == {"email"}
    devices.purge()
    assert not Device.objects.filter(pk=old.id).exists()


def test_signing_out_twice_is_fine(quiet_cast: Cast) -> None:
    sessions.sign_out("12345678")
    sessions.sign_out("12345678")
    assert Device.objects.count() == 0
