"""A company's OIDC provider in a process of its own, asked over HTTP as an app and a browser ask it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from backend import embedded

APP, OFFICE, SECRET = "ceo-app-mobile", "ceo-app-office", "geheim-van-de-aanbieder"
REDIRECT = "ceo-app://signed-in"


@dataclass
class Provider:
    issuer: str

    def knows(self, sub: str, **claims: Any) -> None:
        assert requests.put(f"{self.issuer}/users/{sub}", json=claims, timeout=5).status_code == 204

    def consent(self, address: str, sub: str) -> str:
        """Somebody signs in there, at the address where they were sent. Returns where the provider sends them back."""
        answer = requests.post(address, {"sub": sub}, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def id_token(self, sub: str, *, nonce: str, client: str = APP, issuer: str = "") -> str:
        """As the app gets it: authorization code, then token. Its issuer is the host that was asked."""
        base = issuer or self.issuer
        asked = {"response_type": "code", "client_id": client, "redirect_uri": REDIRECT, "nonce": nonce}
        query = requests.Request("GET", f"{base}/oauth2/authorize", params={**asked, "scope": "openid email profile"})
        back = self.consent(str(query.prepare().url), sub)
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": REDIRECT,
            "code": parse_qs(urlsplit(back).query)["code"],
        }
        said = requests.post(f"{base}/oauth2/token", {**form, "client_id": client, "client_secret": SECRET}, timeout=5)
        return str(said.json()["id_token"])


@contextmanager
def running(*options: str) -> Iterator[Provider]:
    port = embedded.free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Provider(_answering(process, f"http://127.0.0.1:{port}"))
    finally:
        process.terminate()
        process.wait(10)


def _answering(process: "subprocess.Popen[bytes]", issuer: str) -> str:
    for _try in range(300):
        assert process.poll() is None, "the provider did not start"
        try:
            requests.get(f"{issuer}/jwks", timeout=1).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return issuer
    raise AssertionError("the provider does not answer")


@pytest.fixture(scope="session")
def real_provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(real_provider: Provider, settings: Any) -> Provider:
    """Configured as the company's."""
    use(settings, real_provider.issuer)
    return real_provider


def use(settings: Any, issuer: str) -> None:
    settings.OIDC_ISSUER, settings.OIDC_NAME = issuer, "Inloggen met Vonk"
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET, settings.OIDC_APP_CLIENT_ID = OFFICE, SECRET, APP
    settings.OIDC_PERSON_CLAIM = "email"
