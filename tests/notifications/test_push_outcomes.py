"""What Firebase may answer, through its real client: what is tried again, what is not, and which phones live on."""

import socket
from typing import Any

import pytest
from django.conf import settings
from firebase_admin import messaging

from backend import clock, embedded
from notifications import delivery, devices, troubles
from notifications.channels import push
from notifications.models import ChannelTrouble, Delivery, Device
from sandbox.models import Letter
from tests.conftest import Cast, later, mails, work
from tests.notifications.phones import deliveries, due_now, phone, tell, trouble


def _push() -> Delivery:
    return Delivery.objects.get(channel="push")


@pytest.mark.parametrize("kind", ["unregistered", "sender_mismatch", "invalid_token"])
def test_a_dead_token_ends_the_phone_and_the_plan_goes_on_at_once(cast: Cast, kind: str) -> None:
    bobs = phone(cast.bob)
    trouble(kind)
    told = tell(cast.bob)
    work()
    assert bobs.row.dead_at is not None
    assert deliveries(told) == {"push": "failed", "email": "sent"}
    assert set(deliveries(tell(cast.bob, "next"))) == {"email"}
    assert bobs.client.get("/api/v1/devices").json()[0]["is_reachable"] is False
    assert bobs.register().json()["is_reachable"] is True  # the app is back


@pytest.mark.parametrize("kind", ["wrong_project", "forbidden", "third_party_auth"])
def test_our_own_mistake_keeps_the_phone_tells_the_operator_and_goes_by_mail(cast: Cast, kind: str) -> None:
    bobs = phone(cast.bob)
    trouble(kind)
    told = tell(cast.bob)
    work()
    assert bobs.row.dead_at is None
    assert deliveries(told) == {"push": "failed", "email": "sent"}
    assert ChannelTrouble.objects.get().channel == "push"
    assert not troubles.is_blocked("push")


def test_a_message_firebase_cannot_read_keeps_the_phone(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bobs = phone(cast.bob)
    monkeypatch.setattr(messaging._MessagingService, "encode_message", classmethod(lambda *_: {"data": {"badge": 3}}))
    told = tell(cast.bob)
    work()
    assert bobs.row.dead_at is None
    assert deliveries(told) == {"push": "failed", "email": "sent"}


@pytest.mark.parametrize("kind", ["quota", "internal", "unavailable"])
def test_trouble_at_firebase_is_one_request_and_tried_again_later(cast: Cast, kind: str, fcm_requests: Any) -> None:
    bobs = phone(cast.bob)
    trouble(kind)
    told = tell(cast.bob)
    delivery.send_due()
    row = _push()
    assert fcm_requests() == 1  # the client's own repetitions are off
    assert (row.state, row.attempts, bobs.row.dead_at) == ("due", 1, None)
    if kind == "quota":  # Retry-After: 60
        assert (row.due_at - clock.real()).total_seconds() > 50
    trouble("")
    due_now()
    delivery.send_due()
    assert len(bobs.pushes) == 1
    assert deliveries(told) == {"push": "sent"}
    assert ChannelTrouble.objects.count() == 0


def test_a_time_out_is_sent_again_and_seen_once(cast: Cast, monkeypatch: pytest.MonkeyPatch, fcm_requests: Any) -> None:
    bobs = phone(cast.bob)
    trouble("timeout")
    tell(cast.bob, subject_key="question:1")
    with monkeypatch.context() as patch:
        patch.setattr(messaging._get_messaging_service(push._app())._client, "_timeout", 0.3)
        delivery.send_due()
    row = _push()
    assert (row.state, row.attempts, row.error[:7]) == ("due", 1, "unknown")
    trouble("")
    due_now()
    delivery.send_due()
    both = Letter.objects.filter(channel="push", other=bobs.token).order_by("id")
    assert fcm_requests() == len(both) == 2
    assert len({letter.data["android"]["collapse_key"] for letter in both}) == 1
    assert len({letter.data["apns"]["headers"]["apns-collapse-id"] for letter in both}) == 1
    assert len({letter.data["apns"]["headers"]["apns-expiration"] for letter in both}) == 1
    assert len(bobs.pushes) == 1
    assert _push().state == "sent"


def test_without_a_subject_a_repeated_push_still_takes_its_own_place(cast: Cast) -> None:
    bobs = phone(cast.bob)
    tell(cast.bob)
    row = _push()
    push.send(row)  # taken; the answer died with the worker
    delivery.send_due()
    assert len(bobs.pushes) == 1


def test_a_firebase_that_nobody_reaches_is_tried_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    phone(cast.bob)
    monkeypatch.setattr(
        messaging._get_messaging_service(push._app()), "_fcm_url", f"http://127.0.0.1:{embedded.free_port()}/v1/x"
    )
    tell(cast.bob)
    delivery.send_due()
    row = _push()
    assert (row.state, row.error) == ("due", "Unavailable")


def test_a_worker_that_died_while_pushing_costs_nothing(cast: Cast) -> None:
    bobs = phone(cast.bob)
    tell(cast.bob)
    [row] = delivery.claim(1)
    push.send(row)
    Delivery.objects.filter(pk=row.pk).update(lease_until=clock.real())
    delivery.send_due()
    assert len(bobs.pushes) == 1
    assert _push().state == "sent"


def test_mass_death_stops_pushing_keeps_the_tokens_and_tells_the_operator(cast: Cast) -> None:
    people = [cast.alice, cast.bob, cast.charlie, cast.dana, cast.mallory]
    phones = [phone(who) for who in people for _ in range(2)]
    trouble("unregistered")
    told = [tell(who) if who == cast.alice else tell(who, f"k{number}") for number, who in enumerate(people)]
    work()
    assert Device.objects.filter(dead_at__isnull=False).count() == 0
    assert troubles.is_blocked("push")
    assert ChannelTrouble.objects.get(key=devices.MASS_DEATH).count == 1
    assert [set(deliveries(one)) & {"email", "sms"} for one in told] == [{"sms"}, *[{"email"}] * 4]
    trouble("")
    assert set(deliveries(tell(cast.bob, "paused"))) == {"email"}
    ChannelTrouble.objects.update(blocked_until=clock.real())  # an hour later
    tell(cast.bob, "again")
    work()
    assert phones[2].pushes


def test_some_dead_phones_among_many_are_no_mass_death(cast: Cast) -> None:
    good = phone(cast.bob)
    for number in range(30):
        tell(cast.bob, f"good{number}", subject_key=f"thing:{number}")
    work()
    gone = [phone(cast.charlie) for _ in range(5)]
    for one in gone:
        one.remove_app()
    tell(cast.charlie)
    work()
    assert Device.objects.filter(dead_at__isnull=False).count() == 5
    assert not troubles.is_blocked("push")
    assert good.row.dead_at is None


def test_a_token_that_the_app_has_replaced_meanwhile_is_not_killed(cast: Cast) -> None:
    bobs = phone(cast.bob)
    stale = bobs.row
    fresh = phone(cast.bob)
    bobs.token, used = "fresh" + "x" * 30, fresh.token
    bobs.register()
    devices.died(Delivery().pk, stale)
    assert bobs.row.dead_at is None
    assert used == fresh.row.address


def test_without_credentials_nothing_is_pushed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bobs = phone(cast.bob)
    monkeypatch.setattr(settings, "PUSH", False)
    told = tell(cast.bob)
    later(hours=1)
    work()
    assert deliveries(told) == {"email": "sent"}
    assert (bobs.pushes, len(mails(cast.bob))) == ([], 1)


def test_a_hanging_firebase_holds_no_worker_longer_than_the_lease() -> None:
    app = push._app()
    assert app.options.get("httpTimeout") == push.TIMEOUT_SECONDS
    session = messaging._get_messaging_service(app)._client.session
    for url in ("https://fcm.googleapis.com/v1/projects/x", "http://127.0.0.1/", "https://oauth2.googleapis.com/token"):
        for part in (session, session._auth_request.session):
            assert part.get_adapter(url).max_retries.total == 0
    assert push.TIMEOUT_SECONDS * 4 <= 60  # token and message, connect and read; the lease's default
    assert socket.getdefaulttimeout() is None
