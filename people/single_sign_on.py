"""OIDC single sign-on: the company's provider says who somebody is, HR's record says who that is here.

It only ever signs in a person who exists: nobody is created and nothing is linked or kept. allauth's own provider is not
used because it knows no nonce, lets a token without `jti` be used again, and brings sign-up and linking along. Here every
sign-in begins with an attempt of ours, whose nonce the token must carry, once.

Attempt: a secret that who begins keeps; its hash is the nonce. So a token that leaks is of no use without the secret.
"""

import base64
import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
import requests
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import NotFound, Refusal
from people.models import Person

log = logging.getLogger(__name__)

ATTEMPT_VALID = timedelta(minutes=10)
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # a secret that both know signs nothing here
REQUIRED = ["iss", "aud", "exp", "iat", "sub", "nonce"]
LEEWAY_SECONDS = 30
TIMEOUT_SECONDS = 5
DISCOVERY_SECONDS = 3600
SCOPES = "openid email profile"
_signer = signing.TimestampSigner(salt="people.single_sign_on")


class SignInRefused(Refusal):
    """Whatever the reason, nothing more is told; the log knows it."""

    code = "sign_in_refused"
    status = 403
    is_final = False

    def __init__(self, reason: str) -> None:
        log.info("single sign-on refused reason=%s", reason)
        super().__init__(_("You cannot sign in this way. Use a one-time code."))


class ProviderUnavailable(Refusal):
    """The company's provider does not answer."""

    code = "provider_unavailable"
    status = 503
    is_final = False

    def __init__(self, error: object) -> None:
        log.warning("the provider of single sign-on does not answer error=%s", error)
        super().__init__(_("Single sign-on does not answer. Use a one-time code."), retry_after=30)


@dataclass(frozen=True)
class Attempt:
    """`secret` stays with who begins; `nonce` goes to the provider."""

    secret: str
    nonce: str


def button() -> str:
    """What its button says; empty: there is none."""
    return settings.OIDC_NAME if settings.OIDC_ISSUER else ""


def _check_there_is_one() -> None:
    if not settings.OIDC_ISSUER:
        raise NotFound(_("There is no single sign-on here."))


def begin() -> Attempt:
    """Nothing is stored. Raises NotFound while there is no single sign-on."""
    _check_there_is_one()
    secret = _signer.sign(secrets.token_urlsafe(24))
    return Attempt(secret, _hash(secret))


def _hash(text: str) -> str:
    """Base64url of SHA-256, as PKCE's S256 has it too."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


# --- the provider ----------------------------------------------------------------------------------------------------


def _provider() -> dict[str, Any]:
    """What it says of itself, asked once an hour. Raises ProviderUnavailable."""
    return _discover(settings.OIDC_ISSUER, int(clock.real().timestamp() // DISCOVERY_SECONDS))


@lru_cache(maxsize=2)
def _discover(issuer: str, _hour: int) -> dict[str, Any]:
    try:
        response = requests.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        said: dict[str, Any] = response.json()
        addresses = [said["authorization_endpoint"], said["token_endpoint"], said["jwks_uri"]]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise ProviderUnavailable(type(error).__name__) from error
    if said.get("issuer") != issuer:
        raise ProviderUnavailable("its issuer is another")
    if any(urlsplit(address).scheme != urlsplit(issuer).scheme for address in addresses):
        raise ProviderUnavailable("its addresses are not as safe as its own")
    return said


@lru_cache(maxsize=2)
def _keys(address: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(address, timeout=TIMEOUT_SECONDS)


def authorization_url(*, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
    """Where a browser goes to sign in: authorization code with PKCE. Raises ProviderUnavailable."""
    asked = {
        "response_type": "code",
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "nonce": nonce,
        "code_challenge": _hash(verifier),
        "code_challenge_method": "S256",
    }
    address: str = _provider()["authorization_endpoint"]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def exchange(code: str, *, redirect_uri: str, verifier: str) -> str:
    """The browser's code for an id_token. Raises SignInRefused, ProviderUnavailable."""
    said = _provider()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
    auth = None
    if "client_secret_basic" in said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
        auth = (quote(settings.OIDC_CLIENT_ID, safe=""), quote(settings.OIDC_CLIENT_SECRET, safe=""))
    else:
        form |= {"client_id": settings.OIDC_CLIENT_ID, "client_secret": settings.OIDC_CLIENT_SECRET}
    try:
        response = requests.post(said["token_endpoint"], form, auth=auth, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        answer = response.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderUnavailable(type(error).__name__) from error
    if response.status_code != 200 or not isinstance(answer, dict) or not isinstance(answer.get("id_token"), str):
        raise SignInRefused("the code is not taken")
    return str(answer["id_token"])


# --- what a token proves ---------------------------------------------------------------------------------------------


def claims_of(id_token: str, *, secret: str, audience: str) -> dict[str, Any]:
    """What the provider says, if it says it to `audience`, now, for this attempt, and for the first time.

    Raises NotFound while there is no single sign-on, SignInRefused, ProviderUnavailable.
    """
    _check_there_is_one()
    nonce = _hash(secret)
    try:
        _signer.unsign(secret, max_age=ATTEMPT_VALID)
        unproved = jwt.decode(id_token, options={"verify_signature": False})
        if unproved.get("nonce") != nonce:  # before the provider is asked for keys on anybody's word
            raise SignInRefused("nonce")
        claims = _proved(id_token, audience)
    except signing.BadSignature as error:
        raise SignInRefused("attempt") from error
    except jwt.PyJWKClientConnectionError as error:
        raise ProviderUnavailable(type(error).__name__) from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise SignInRefused(type(error).__name__) from error
    if not cache.add(f"single_sign_on:{nonce}", 1, timeout=int(ATTEMPT_VALID.total_seconds())):
        raise SignInRefused("replay")
    return claims


def _key_of(id_token: str) -> jwt.PyJWK:
    """The provider's key that this token names; a provider with one key need not name it."""
    keys = _keys(_provider()["jwks_uri"])
    named = jwt.get_unverified_header(id_token).get("kid")
    if named is not None:
        return keys.get_signing_key(named)
    [only] = keys.get_signing_keys()
    return only


def _proved(id_token: str, audience: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        id_token,
        _key_of(id_token),
        algorithms=ALGORITHMS,
        audience=audience,
        issuer=settings.OIDC_ISSUER,
        leeway=LEEWAY_SECONDS,
        options={"require": REQUIRED},
    )
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != audience:
        raise SignInRefused("azp")
    return claims


def person_of(claims: dict[str, Any]) -> Person:
    """Who that is here, by verified mail address or by HR's number. Raises SignInRefused: nobody, or somebody who left."""
    value = claims.get(settings.OIDC_PERSON_CLAIM)
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value):
        raise SignInRefused("no claim")
    if settings.OIDC_PERSON_CLAIM != "email":
        person = Person.objects.filter(employee_number=str(value)).first()
    elif claims.get("email_verified") not in (True, "true"):
        raise SignInRefused("mail address not verified")
    elif not str(value).isascii():  # ſ, K and the like are other people's letters, and would lose that in lower case
        raise SignInRefused("mail address not ASCII")
    else:
        person = Person.objects.filter(email=str(value).lower()).first()
    if person is None or not person.is_active:
        raise SignInRefused("nobody here")
    return person


def check_recent(claims: dict[str, Any], within: timedelta) -> None:
    """That they signed in at the provider just now, not that its cookie still knows them. Raises SignInRefused."""
    signed_in = claims.get("auth_time")
    if not isinstance(signed_in, int) or signed_in < (clock.real() - within).timestamp() - LEEWAY_SECONDS:
        raise SignInRefused("auth_time")
