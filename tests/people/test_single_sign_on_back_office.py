"""The back office opens by single sign-on: away to the company's provider, and back into the browser that left."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client

from people import lifecycle, single_sign_on
from people.models import Person
from tests.conftest import Cast, text, work
from tests.people.provider import APP, OFFICE, Provider
from tests.people.provider import provider as provider
from tests.people.provider import real_provider as real_provider


@pytest.fixture(autouse=True)
def _no_old_attempts() -> None:
    cache.clear()


def leave(browser: Client, **fields: str) -> str:
    """The button is pressed. Returns the provider's address."""
    away = browser.post("/accounts/oidc/login/", fields)
    assert away.status_code == 302
    return str(away["Location"])


def back(provider: Provider, address: str, who: Person, **claims: Any) -> str:
    sub = f"{who.employee_number}-{len(claims)}"
    provider.knows(sub, **{"email": who.email, "email_verified": True, **claims})
    return provider.consent(address, sub)


def come_in(browser: Client, location: str) -> Any:
    parts = urlsplit(location)
    assert parts.path == "/accounts/oidc/callback/"
    return browser.get(f"{parts.path}?{parts.query}")


def is_refused(browser: Client, response: Any) -> bool:
    assert response["Location"] == "/accounts/login/code/"
    page = browser.get(response["Location"]).content.decode()
    return "Je kunt zo niet inloggen" in page and browser.get("/admin/").status_code == 302


def test_the_desk_signs_in_at_the_company(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    assert "Inloggen met Vonk" in browser.get("/accounts/login/code/").content.decode()
    address = leave(browser, next="/admin/questions/question/")
    asked = {name: value for name, [value] in parse_qs(urlsplit(address).query).items()}
    assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (OFFICE, "code", "S256")
    assert asked["code_challenge"] == single_sign_on._hash(browser.session["single_sign_on"]["verifier"])
    inside = come_in(browser, back(provider, address, quiet_cast.dana))
    assert inside["Location"] == "/admin/questions/question/"
    page = browser.get("/admin/")
    assert page.status_code == 200
    assert "Dana" in page.content.decode()


def test_no_link_leads_elsewhere_afterwards(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    address = leave(browser, next="https://evil.example/admin/")
    assert come_in(browser, back(provider, address, quiet_cast.dana))["Location"] == "/admin/"


def test_a_colleague_without_a_role_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    assert is_refused(browser, come_in(browser, back(provider, leave(browser), quiet_cast.bob)))


def test_an_unverified_address_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    location = back(provider, leave(browser), quiet_cast.dana, email_verified=False)
    assert is_refused(browser, come_in(browser, location))


def test_an_answer_for_another_browser_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    """Nobody can be signed in as somebody else by a link."""
    mine, victim = Client(), Client()
    location = back(provider, leave(mine), quiet_cast.dana)
    assert is_refused(victim, come_in(victim, location))
    leave(victim)
    assert is_refused(victim, come_in(victim, location))


def test_an_answer_with_another_state_is_refused_and_ends_the_attempt(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    location = back(provider, leave(browser), quiet_cast.dana)
    assert is_refused(browser, come_in(browser, location.replace("state=", "state=x")))
    assert is_refused(browser, come_in(browser, location))


def test_an_answer_is_taken_once(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    location = back(provider, leave(browser), quiet_cast.dana)
    assert come_in(browser, location)["Location"] == "/admin/"
    browser.post("/accounts/logout/")
    assert is_refused(browser, come_in(browser, location))


def test_a_code_that_was_asked_for_with_another_nonce_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    address = leave(browser)
    nonce = parse_qs(urlsplit(address).query)["nonce"][0]
    location = back(provider, address.replace(nonce, "another-nonce"), quiet_cast.dana)
    assert is_refused(browser, come_in(browser, location))


def test_the_apps_client_does_not_open_the_back_office(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    location = back(provider, leave(browser).replace(OFFICE, APP), quiet_cast.dana)
    assert is_refused(browser, come_in(browser, location))


def test_who_cancels_there_is_told_so(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    state = parse_qs(urlsplit(leave(browser)).query)["state"][0]
    assert is_refused(browser, browser.get(f"/accounts/oidc/callback/?error=access_denied&state={state}"))


def test_a_leavers_browser_is_out_at_once_and_stays_out_when_hired_again(quiet_cast: Cast, provider: Provider) -> None:
    browser = Client()
    come_in(browser, back(provider, leave(browser), quiet_cast.dana))
    assert browser.get("/admin/").status_code == 200
    Person.objects.filter(pk=quiet_cast.dana.pk).update(left_on="2020-01-01")
    assert browser.get("/admin/").status_code == 302
    lifecycle.left(Person.objects.get(pk=quiet_cast.dana.pk))
    Person.objects.filter(pk=quiet_cast.dana.pk).update(left_on=None)
    assert browser.get("/admin/").status_code == 302


def test_signing_out_everywhere_ends_the_browser_too(cast: Cast, provider: Provider) -> None:
    browser = Client()
    come_in(browser, back(provider, leave(browser), cast.dana))
    text(cast.dana, "UITLOGGEN")
    work()
    assert browser.get("/admin/").status_code == 302


def test_without_a_provider_there_is_no_button_and_no_page(quiet_cast: Cast) -> None:
    browser = Client()
    assert "oidc" not in browser.get("/accounts/login/code/").content.decode()
    assert browser.post("/accounts/oidc/login/").status_code == 404
    assert browser.get("/accounts/oidc/callback/").status_code == 404
