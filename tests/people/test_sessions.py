"""Where I am signed in: listed, ended one by one or all at once, and never somebody else's."""

import base64
import uuid
from datetime import timedelta
from typing import Any

from django.test import Client

from backend import clock
from notifications.models import Device
from people.models import AccessToken, Person
from tests.conftest import Cast


def app(who: Person, name: str) -> tuple[Client, AccessToken]:
    row, token = AccessToken.issue_row(who, name)
    row.refresh_from_db()
    return Client(headers={"Authorization": f"Bearer {token}"}), row


def register_phone(client: Client, token: str) -> str:
    device = str(uuid.uuid4())
    body = {"token": token, "platform": "ios", "app_version": "1.4.2", "locale": "nl-NL"}
    assert client.put(f"/api/v1/devices/{device}", body, "application/json").status_code == 200
    return device


def listed(client: Client) -> list[dict[str, Any]]:
    response = client.get("/api/v1/me/sessions")
    assert response.status_code == 200
    return list(response.json())


def test_my_sessions_are_listed_with_their_phone_and_the_one_that_asks(quiet_cast: Cast) -> None:
    phone, first = app(quiet_cast.bob, "CEO-app/1.4.2 iOS")
    tablet, second = app(quiet_cast.bob, "CEO-app/1.4.1 Android")
    app(quiet_cast.charlie, "CEO-app/1.0")
    device = register_phone(phone, "t" * 40)
    rows = listed(tablet)
    assert [row["id"] for row in rows] == [str(second.public_id), str(first.public_id)]
    assert [row["is_current"] for row in rows] == [True, False]
    assert [row["app"] for row in rows] == ["CEO-app/1.4.1 Android", "CEO-app/1.4.2 iOS"]
    assert rows[1]["phone"] == {"device_id": device, "platform": "ios", "app_version": "1.4.2"}
    assert rows[0]["phone"] is None


def test_what_is_over_is_not_listed(quiet_cast: Cast) -> None:
    here, _row = app(quiet_cast.bob, "here")
    _old, old = app(quiet_cast.bob, "old")
    _gone, gone = app(quiet_cast.bob, "gone")
    AccessToken.objects.filter(pk=old.pk).update(expires_at=clock.real())
    AccessToken.objects.filter(pk=gone.pk).update(revoked_at=clock.real())
    assert [row["app"] for row in listed(here)] == ["here"]


def test_use_is_noted_to_the_hour(quiet_cast: Cast, django_assert_num_queries: Any) -> None:
    here, row = app(quiet_cast.bob, "here")
    with django_assert_num_queries(3):  # the token, and the list with its phones: no write
        assert len(listed(here)) == 1
    long_ago = clock.real() - timedelta(hours=1, seconds=1)
    AccessToken.objects.filter(pk=row.pk).update(used_at=long_ago)
    listed(here)
    row.refresh_from_db()
    assert row.used_at is not None
    assert row.used_at > long_ago


def test_one_is_ended_with_its_phone_and_the_others_go_on(quiet_cast: Cast) -> None:
    here, _row = app(quiet_cast.bob, "here")
    lost, row = app(quiet_cast.bob, "lost")
    kept, gone = register_phone(here, "h" * 40), register_phone(lost, "l" * 40)
    assert here.delete(f"/api/v1/me/sessions/{row.public_id}").status_code == 204
    assert lost.get("/api/v1/me").status_code == 401
    assert here.get("/api/v1/me").status_code == 200
    assert [str(device.pk) for device in Device.objects.all()] == [kept]
    assert kept != gone
    again = here.delete(f"/api/v1/me/sessions/{row.public_id}")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


def test_somebody_elses_session_does_not_exist_for_me(quiet_cast: Cast) -> None:
    here, _row = app(quiet_cast.bob, "here")
    other, row = app(quiet_cast.charlie, "other")
    refused = here.delete(f"/api/v1/me/sessions/{row.public_id}")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert other.get("/api/v1/me").status_code == 200


def test_everywhere_is_here_too_and_nobody_elses(quiet_cast: Cast) -> None:
    here, there, other = (app(who, "x")[0] for who in (quiet_cast.bob, quiet_cast.bob, quiet_cast.charlie))
    register_phone(there, "t" * 40)
    assert here.delete("/api/v1/me/sessions").status_code == 204
    assert [client.get("/api/v1/me").status_code for client in (here, there, other)] == [401, 401, 200]
    assert not Device.objects.exists()


def test_the_database_holds_nothing_that_signs_in(quiet_cast: Cast) -> None:
    """Whatever stands in a session's row, shown as a token it opens nothing."""
    _here, row = app(quiet_cast.bob, "here")
    digest = bytes(row.digest)
    for shown in (digest.hex(), base64.urlsafe_b64encode(digest).decode().rstrip("="), str(row.public_id), str(row.pk)):
        assert Client(headers={"Authorization": f"Bearer {shown}"}).get("/api/v1/me").status_code == 401


def test_the_back_office_ends_a_session_with_its_phone(quiet_cast: Cast) -> None:
    lost, row = app(quiet_cast.bob, "lost")
    register_phone(lost, "l" * 40)
    quiet_cast.dana.roles = ["administrator"]
    quiet_cast.dana.save()
    desk = Client()
    desk.force_login(quiet_cast.dana)
    chosen = {"action": "revoke", "_selected_action": [str(row.pk)]}
    assert desk.post("/admin/people/accesstoken/", chosen).status_code == 302
    assert lost.get("/api/v1/me").status_code == 401
    assert not Device.objects.exists()
