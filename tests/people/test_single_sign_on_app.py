"""The app signs in with the company's OIDC provider: only people who exist, only with a token meant for this attempt."""

import uuid
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.test import Client

from backend import clock
from people import lifecycle
from people.models import AccessToken, Person
from tests.conftest import Cast, api, in_parallel, post
from tests.people.provider import OFFICE, Provider, running, use
from tests.people.provider import provider as provider
from tests.people.provider import real_provider as real_provider


@pytest.fixture(autouse=True)
def _no_old_attempts() -> None:
    cache.clear()


def begin() -> dict[str, Any]:
    response = post(Client(), "/sign-in/oidc/begin")
    assert response.status_code == 200
    return dict(response.json())


def sign_in(attempt: dict[str, Any], id_token: str) -> Any:
    body = {"attempt": attempt["attempt"], "id_token": id_token}
    agent = {"User-Agent": "CEO-app/1.4.2"}
    return Client(headers=agent).post("/api/v1/sign-in/oidc", body, "application/json")


def bob_there(provider: Provider, bob: Person, **claims: Any) -> str:
    sub = uuid.uuid4().hex
    provider.knows(sub, **{"email": bob.email, "email_verified": True, **claims})
    return sub


def refused(response: Any) -> bool:
    """And nothing is told but that."""
    told = response.json()
    assert told["detail"] == "Je kunt zo niet inloggen. Gebruik een eenmalige code.", told
    assert "WWW-Authenticate" not in response
    return (response.status_code, told["code"]) == (403, "sign_in_refused") and not AccessToken.objects.exists()


def test_a_verified_mail_address_signs_in_whose_it_is(quiet_cast: Cast, provider: Provider) -> None:
    attempt = begin()
    assert attempt["issuer"] == provider.issuer
    token = provider.id_token(bob_there(provider, quiet_cast.bob, email="Bob@VonkMobiel.example"), nonce=attempt["nonce"])
    done = sign_in(attempt, token)
    assert done.status_code == 200
    mine = Client(headers={"Authorization": f"Bearer {done.json()['access_token']}"})
    assert mine.get("/api/v1/me").json()["name"] == quiet_cast.bob.name
    [session] = mine.get("/api/v1/me/sessions").json()
    assert (session["id"], session["app"]) == (done.json()["session_id"], "CEO-app/1.4.2")


def test_hrs_number_in_a_claim_signs_in_too(quiet_cast: Cast, provider: Provider, settings: Any) -> None:
    settings.OIDC_PERSON_CLAIM = "employee_number"
    provider.knows("alice-there", employee_number=quiet_cast.alice.employee_number)  # she has no mail
    attempt = begin()
    done = sign_in(attempt, provider.id_token("alice-there", nonce=attempt["nonce"]))
    assert AccessToken.objects.get().person == quiet_cast.alice
    assert done.status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "nee"},
        {"email_verified": None},
        {"email": "nobody@vonkmobiel.example"},
        {"email": ["bob@vonkmobiel.example"]},
        {"email": ""},
        {"email": "bob@von\u212amobiel.example"},
    ],
    ids=str,
)
def test_a_mail_address_that_is_not_verified_or_nobodys_is_refused(
    quiet_cast: Cast, provider: Provider, claims: dict[str, Any]
) -> None:
    attempt = begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob, **claims), nonce=attempt["nonce"])
    people = Person.objects.count()
    assert refused(sign_in(attempt, token))
    assert Person.objects.count() == people


def test_a_leaver_is_refused_and_what_they_had_is_cut_off(quiet_cast: Cast, provider: Provider) -> None:
    sub, attempt = bob_there(provider, quiet_cast.bob), begin()
    token = sign_in(attempt, provider.id_token(sub, nonce=attempt["nonce"])).json()["access_token"]
    quiet_cast.bob.left_on = clock.now().date()
    quiet_cast.bob.save()
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/me").status_code == 401
    lifecycle.left(quiet_cast.bob)
    assert not AccessToken.objects.filter(revoked_at__isnull=True).exists()
    AccessToken.objects.all().delete()
    attempt = begin()
    assert refused(sign_in(attempt, provider.id_token(sub, nonce=attempt["nonce"])))


def test_a_token_for_another_client_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    sub = bob_there(provider, quiet_cast.bob)
    for client in ("another-app", OFFICE):
        attempt = begin()
        assert refused(sign_in(attempt, provider.id_token(sub, nonce=attempt["nonce"], client=client)))


def test_the_same_keys_under_another_issuer_are_refused(quiet_cast: Cast, provider: Provider) -> None:
    elsewhere = provider.issuer.replace("127.0.0.1", "localhost")
    attempt = begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=attempt["nonce"], issuer=elsewhere)
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == elsewhere
    assert refused(sign_in(attempt, token))


def test_another_providers_token_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    attempt = begin()
    with running() as other:
        token = other.id_token(bob_there(other, quiet_cast.bob), nonce=attempt["nonce"])
    assert refused(sign_in(attempt, token))


def test_an_expired_token_is_refused(quiet_cast: Cast, settings: Any) -> None:
    with running("--token-max-age=-100") as late:
        use(settings, late.issuer)
        attempt = begin()
        assert refused(sign_in(attempt, late.id_token(bob_there(late, quiet_cast.bob), nonce=attempt["nonce"])))


def test_a_token_works_once(quiet_cast: Cast, provider: Provider) -> None:
    attempt = begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=attempt["nonce"])
    assert sign_in(attempt, token).status_code == 200
    AccessToken.objects.all().delete()
    assert refused(sign_in(attempt, token))


def test_a_token_that_comes_twice_at_once_works_once(cast: Cast, provider: Provider) -> None:
    attempt = begin()
    token = provider.id_token(bob_there(provider, cast.bob), nonce=attempt["nonce"])
    heard = in_parallel(6, lambda _number: sign_in(attempt, token).status_code)
    assert sorted(heard) == [200] + [403] * 5
    assert AccessToken.objects.count() == 1


def test_a_token_of_another_attempt_is_refused(quiet_cast: Cast, provider: Provider) -> None:
    """Who got hold of somebody's id_token lacks the attempt that it was made for."""
    theirs, mine = begin(), begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=theirs["nonce"])
    assert refused(sign_in(mine, token))


def test_an_attempt_of_ones_own_making_or_an_old_one_is_refused(
    quiet_cast: Cast, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from people import single_sign_on

    sub = bob_there(provider, quiet_cast.bob)
    made = {"attempt": "x" * 40, "nonce": single_sign_on._hash("x" * 40)}
    assert refused(sign_in(made, provider.id_token(sub, nonce=made["nonce"])))
    old = begin()
    monkeypatch.setattr(single_sign_on, "ATTEMPT_VALID", timedelta(seconds=-1))
    assert refused(sign_in(old, provider.id_token(sub, nonce=old["nonce"])))


@pytest.mark.parametrize("kind", ["unsigned", "secret", "own key", "garbage"])
def test_what_the_provider_did_not_sign_is_refused(quiet_cast: Cast, provider: Provider, kind: str) -> None:
    attempt, at = begin(), int(clock.real().timestamp())
    claims = {"iss": provider.issuer, "aud": "ceo-app-mobile", "sub": "bob", "iat": at, "exp": at + 600}
    claims |= {"nonce": attempt["nonce"], "email": quiet_cast.bob.email, "email_verified": True}
    if kind == "unsigned":
        token = jwt.encode(claims, "", algorithm="none")
    elif kind == "secret":
        token = jwt.encode(claims, "geheim-van-de-aanbieder-van-32-tekens", algorithm="HS256")
    elif kind == "own key":
        token = jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": "mine"})
    else:
        token = "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"
    assert refused(sign_in(attempt, token))


def test_a_provider_that_is_down_says_so(quiet_cast: Cast, provider: Provider, settings: Any) -> None:
    from backend import embedded

    attempt = begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=attempt["nonce"])
    settings.OIDC_ISSUER = f"http://127.0.0.1:{embedded.free_port()}"
    response = sign_in(attempt, token)
    assert (response.status_code, response.json()["code"]) == (503, "provider_unavailable")
    assert response["Retry-After"]


def test_without_a_provider_there_is_nothing(quiet_cast: Cast) -> None:
    assert Client().get("/api/v1/config").json()["single_sign_on"] == ""
    assert post(Client(), "/sign-in/oidc/begin").status_code == 404
    body = {"attempt": "a" * 40, "id_token": "b" * 40}
    assert post(Client(), "/sign-in/oidc", body).status_code == 404


def test_the_app_is_told_what_the_button_says(quiet_cast: Cast, provider: Provider) -> None:
    assert Client().get("/api/v1/config").json()["single_sign_on"] == "Inloggen met Vonk"


# --- step-up ---------------------------------------------------------------------------------------------------------


def step_up(client: Client, attempt: dict[str, Any], id_token: str) -> Any:
    return post(client, "/me/step-up", {"attempt": attempt["attempt"], "id_token": id_token})


def test_signing_in_anew_there_proves_it_is_me(quiet_cast: Cast, provider: Provider) -> None:
    mine, attempt = api(quiet_cast.bob), begin()
    long_ago = clock.real() - timedelta(days=1)
    AccessToken.objects.update(proved_at=long_ago)
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=attempt["nonce"])
    assert step_up(mine, attempt, token).status_code == 200
    assert AccessToken.objects.get().proved_at > long_ago  # type: ignore[operator]


def test_somebody_else_there_proves_nothing_about_me(quiet_cast: Cast, provider: Provider) -> None:
    mine, attempt = api(quiet_cast.charlie), begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=attempt["nonce"])
    response = step_up(mine, attempt, token)
    assert (response.status_code, response.json()["code"]) == (403, "sign_in_refused")


def test_a_provider_that_only_remembers_me_proves_nothing(
    quiet_cast: Cast, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sign-in was half an hour ago: no `prompt=login`."""
    mine, attempt = api(quiet_cast.bob), begin()
    token = provider.id_token(bob_there(provider, quiet_cast.bob), nonce=attempt["nonce"])
    ahead = clock.real() + timedelta(minutes=30)
    monkeypatch.setattr("backend.clock.real", lambda: ahead)
    response = step_up(mine, attempt, token)
    assert (response.status_code, response.json()["code"]) == (403, "sign_in_refused")
