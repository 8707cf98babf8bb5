"""The back office opens with a one-time code; nothing else of the sign-in library's pages does."""

import re

import pytest
from django.core.cache import cache
from django.test import Client

from people.models import Person
from tests.conftest import Cast, letters, work


@pytest.fixture(autouse=True)
def _no_old_limits() -> None:
    cache.clear()


def sign_in(who: Person) -> Client:
    browser = Client()
    assert browser.get("/admin/", follow=True).status_code == 200
    asked = browser.post("/accounts/login/code/?next=/admin/", {"email": who.email})
    assert (asked.status_code, asked["Location"].split("?")[0]) == (302, "/accounts/login/code/confirm/")
    work()
    code = re.search(r"\d{6}", letters(who.email)[-1].body)
    assert code
    assert browser.get(asked["Location"]).status_code == 200
    browser.post(asked["Location"], {"code": code.group()})
    return browser


def test_the_duty_desk_signs_in_with_a_code(cast: Cast) -> None:
    page = sign_in(cast.dana).get("/admin/")
    assert page.status_code == 200
    assert "Dana" in page.content.decode()


def test_a_colleague_without_a_role_does_not_get_in(cast: Cast) -> None:
    assert sign_in(cast.bob).get("/admin/").status_code == 302


@pytest.mark.parametrize("path", ["signup/", "login/", "reauthenticate/"])
def test_other_ways_in_lead_to_the_code(cast: Cast, path: str) -> None:
    response = Client().get(f"/accounts/{path}")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/code/")


@pytest.mark.parametrize("path", ["password/reset/", "email/", "password/change/"])
def test_pages_for_passwords_do_not_exist(cast: Cast, path: str) -> None:
    assert Client().get(f"/accounts/{path}").status_code == 404


def test_an_unknown_address_sees_the_same_pages(cast: Cast) -> None:
    browser = Client()
    asked = browser.post("/accounts/login/code/", {"email": "nobody@vonkmobiel.example"})
    assert (asked.status_code, asked["Location"]) == (302, "/accounts/login/code/confirm/")
