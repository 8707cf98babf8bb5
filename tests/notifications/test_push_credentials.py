"""A real service account: its signed request for an access token, and what happens when Google refuses or is away."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from backend import embedded
from notifications import delivery
from notifications.channels import push
from notifications.models import ChannelTrouble, Delivery
from sandbox import fcm
from tests.conftest import Cast, work
from tests.notifications.phones import deliveries, phone, tell

Account = Callable[[str], None]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Use a service account whose tokens come from this address."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()

    def use(token_uri: str) -> None:
        values = {
            "type": "service_account",
            "project_id": "vonk",
            "private_key": key.private_bytes(*kinds).decode(),
            "client_email": "push@vonk.iam.gserviceaccount.example",
            "token_uri": token_uri,
        }
        monkeypatch.setattr(settings, "FIREBASE_CREDENTIALS", values)
        monkeypatch.setattr(settings, "FIREBASE_IS_REAL", True)
        push._app.cache_clear()

    yield use
    push._app.cache_clear()


def test_a_push_carries_the_access_token_of_our_account(
    cast: Cast, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Any]] = []
    judge = fcm.Handler._answer

    def looked_at(handler: fcm.Handler, raw: bytes) -> fcm.Answer:
        seen.append((handler.path, handler.headers.get("Authorization")))
        return judge(handler, raw)

    monkeypatch.setattr(fcm.Handler, "_answer", looked_at)
    bobs = phone(cast.bob)
    account(f"{settings.FCM_BASE_URL}/token")
    tell(cast.bob)
    delivery.send_due()
    assert seen == [("/token", None), ("/v1/projects/vonk/messages:send", "Bearer ya29.sandbox")]
    assert len(bobs.pushes) == 1


def test_a_google_that_nobody_reaches_is_tried_again(cast: Cast, account: Account) -> None:
    bobs = phone(cast.bob)
    account(f"http://127.0.0.1:{embedded.free_port()}/token")
    tell(cast.bob)
    delivery.send_due()
    row = Delivery.objects.get()
    assert (row.state, row.attempts, row.error) == ("due", 1, "google unreachable")
    assert bobs.row.dead_at is None


def test_an_account_that_google_refuses_tells_the_operator_and_goes_by_mail(
    cast: Cast, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcm, "token", lambda _raw: (400, {"error": "invalid_grant"}, {}))
    bobs = phone(cast.bob)
    account(f"{settings.FCM_BASE_URL}/token")
    told = tell(cast.bob)
    work()
    assert deliveries(told) == {"push": "failed", "email": "sent"}
    assert ChannelTrouble.objects.get().key == "push:credentials"
    assert bobs.row.dead_at is None
