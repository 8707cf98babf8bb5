"""Who reads the database, and no more, signs in as nobody: not with a token, a session, or a code that was just sent."""

import base64
import re
import zlib
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from people.models import AccessToken, StepUpCode
from tests.conftest import Cast, api, letters, post, work

BASE = "/_allauth/app/v1/auth"


@pytest.fixture(autouse=True)
def _no_old_limits() -> None:
    cache.clear()


def readable(data: str) -> bytes:
    """What anybody can make of a session's data: as it stands, decoded, and unpacked as Django packs."""
    parts = [data.encode()]
    for part in re.split(r"[:.]", data):
        with suppress(ValueError):
            parts.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            with suppress(zlib.error):
                parts.append(zlib.decompress(parts[-1]))
    return b"\n".join(parts)


def mailed_code(cast: Cast) -> str:
    work()
    found = re.search(r"\d{6}", letters(cast.dana.email)[-1].body)
    assert found
    return found.group()


def asked(cast: Cast) -> tuple[str, str]:
    """The session of a sign-in that waits for its code, and the code."""
    response = Client().post(f"{BASE}/code/request", {"email": cast.dana.email}, "application/json")
    return response.json()["meta"]["session_token"], mailed_code(cast)


def confirm(session: str, code: str) -> Any:
    return Client().post(f"{BASE}/code/confirm", {"code": code}, "application/json", headers={"X-Session-Token": session})


def test_a_code_that_waits_stands_nowhere(cast: Cast) -> None:
    session, code = asked(cast)
    row = Session.objects.get()
    assert code.encode() not in readable(row.session_data)
    assert str(cast.dana.pk).encode() not in readable(row.session_data)
    assert row.session_key != session
    assert confirm(row.session_key, code).status_code != 200
    assert confirm(session, code).status_code == 200


def test_the_key_of_an_apps_sign_in_session_opens_nothing(cast: Cast) -> None:
    session, code = asked(cast)
    meta = confirm(session, code).json()["meta"]
    kept = [row.session_key for row in Session.objects.all()]
    assert meta["session_token"] not in kept
    for key in kept:
        assert Client().get(f"{BASE}/session", headers={"X-Session-Token": key}).status_code == 410
    mine = {"X-Session-Token": meta["session_token"]}
    assert Client().get(f"{BASE}/session", headers=mine).status_code == 200


def test_the_key_of_a_browsers_session_opens_nothing(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.dana)
    assert browser.get("/admin/").status_code == 200
    for row in Session.objects.all():
        thief = Client()
        thief.cookies[settings.SESSION_COOKIE_NAME] = row.session_key
        assert thief.get("/admin/").status_code == 302
        assert str(cast.dana.pk).encode() not in readable(row.session_data)


def test_a_browsers_session_lives_and_ends_as_ever(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.dana)
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    browser.post("/accounts/logout/")
    stale = Client()
    stale.cookies[settings.SESSION_COOKIE_NAME] = key
    assert stale.get("/admin/").status_code == 302
    again = Client()
    again.force_login(cast.dana)
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")
    assert again.get("/admin/").status_code == 302


def test_a_session_that_cannot_be_read_is_none(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.dana)
    Session.objects.update(session_data="eyJhIjoxfQ:1vQx2Y:unreadable")
    assert browser.get("/admin/").status_code == 302


def test_tokens_and_their_codes_stand_as_hashes_only(cast: Cast) -> None:
    mine = api(cast.dana)
    assert post(mine, "/me/step-up/code", {"channel": "email"}).status_code == 200
    code, token = mailed_code(cast), str(mine.defaults["HTTP_AUTHORIZATION"]).removeprefix("Bearer ")
    held = repr(list(AccessToken.objects.values())) + repr(list(StepUpCode.objects.values("digest")))
    assert token not in held
    assert code not in held
    assert AccessToken.digest_of(code) not in [bytes(row.digest) for row in StepUpCode.objects.all()]
