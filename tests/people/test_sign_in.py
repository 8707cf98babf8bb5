"""One-time codes to work mail and mobile; an unknown address looks like a known one."""

import re
from typing import Any

import pytest
from django.test import Client

from backend import clock
from notifications.models import Delivery
from people.models import AccessToken, Person
from tests.conftest import Cast, letters, work

BASE = "/_allauth/app/v1/auth/code"


def ask_code(**address: str) -> Any:
    return Client().post(f"{BASE}/request", address, "application/json")


def confirm(session: str, code: str) -> Any:
    return Client().post(f"{BASE}/confirm", {"code": code}, "application/json", headers={"X-Session-Token": session})


@pytest.fixture(autouse=True)
def _no_old_limits(request: pytest.FixtureRequest) -> None:
    from django.core.cache import cache

    cache.clear()


def test_a_code_by_sms_gives_a_token_that_works(cast: Cast) -> None:
    asked = ask_code(phone="06 1200 0001")
    assert asked.status_code == 401
    work()
    body = letters(cast.alice.mobile)[-1].body
    code = re.search(r"#(\d{6})$", body)
    assert code
    assert body.splitlines()[-1].startswith("@127.0.0.1 #")
    done = confirm(asked.json()["meta"]["session_token"], code.group(1))
    assert done.status_code == 200
    token = done.json()["meta"]["access_token"]
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["name"] == cast.alice.name
    assert not Delivery.objects.exclude(body="").filter(is_secret=True).exists()


def test_a_code_by_mail_gives_a_token_too(cast: Cast) -> None:
    asked = ask_code(email="BOB@vonkmobiel.example")
    work()
    code = re.search(r"\d{6}", letters(cast.bob.email)[-1].body)
    assert code
    assert confirm(asked.json()["meta"]["session_token"], code.group()).status_code == 200


def test_an_unknown_address_looks_like_a_known_one_and_gets_nothing(cast: Cast) -> None:
    known, unknown = ask_code(email=str(cast.bob.email)), ask_code(email="nobody@vonkmobiel.example")
    number, no_number = ask_code(phone=str(cast.alice.mobile)), ask_code(phone="+31698765432")
    for one, other in ((known, unknown), (number, no_number)):
        assert one.status_code == other.status_code == 401
        assert one.json()["data"] == other.json()["data"]
        assert one.json()["meta"].keys() == other.json()["meta"].keys()
    work()
    assert letters("nobody@vonkmobiel.example") == letters("+31698765432") == []


def test_a_leaver_cannot_sign_in(cast: Cast) -> None:
    cast.alice.left_on = clock.now().date()
    cast.alice.save()
    assert ask_code(phone=str(cast.alice.mobile)).status_code == 401
    work()
    assert letters(cast.alice.mobile) == []


def test_a_code_that_was_asked_for_before_leaving_signs_in_nobody(cast: Cast) -> None:
    session = ask_code(phone=str(cast.alice.mobile)).json()["meta"]["session_token"]
    work()
    code = letters(cast.alice.mobile)[-1].body[-6:]
    Person.objects.filter(pk=cast.alice.pk).update(left_on=clock.now().date())
    assert confirm(session, code).status_code in {400, 401, 403, 409}
    assert not AccessToken.objects.exists()


def test_a_code_dies_after_three_wrong_tries(cast: Cast) -> None:
    session = ask_code(phone=str(cast.alice.mobile)).json()["meta"]["session_token"]
    work()
    code = letters(cast.alice.mobile)[-1].body[-6:]
    wrong = "000000" if code != "000000" else "111111"
    for _try in range(3):
        confirm(session, wrong)
    assert confirm(session, code).status_code != 200


def test_nobody_signs_up(cast: Cast) -> None:
    response = Client().post("/_allauth/app/v1/auth/signup", {"email": "new@vonkmobiel.example"}, "application/json")
    assert response.status_code in {400, 403, 404}


def test_with_a_dead_valkey_sign_in_says_try_again(cast: Cast, settings: Any) -> None:
    from backend import embedded

    dead = {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{embedded.free_port()}/0"}
    settings.CACHES = {"default": dead}
    response = ask_code(phone=str(cast.alice.mobile))
    assert (response.status_code, response.json()["code"]) == (503, "busy")
    assert response["Retry-After"]
