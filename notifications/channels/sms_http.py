"""A second SMS provider that speaks plain JSON over HTTP, as most gateways do: a stand-in for Twilio, and a pattern.

`POST {SMS_SECOND_URL}` with a bearer token: `{"to", "from", "text", "reference"}` → 201 and `{"id"}`. The reference is the
delivery's id: the same one again is answered with the first id and sends nothing. `GET {SMS_SECOND_URL}?reference=…` →
`{"id"}`, or 404. Its calls to us are signed: HMAC-SHA256 of the body, in `X-Signature`, hexadecimal.
"""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import requests
from django.conf import settings

from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Delivery

TIMEOUT_SECONDS = 10.0
NAME = "second"


class HttpSms:
    name = NAME

    def send(self, delivery: Delivery) -> str:
        body = {
            "to": delivery.to,
            "from": settings.SMS_SECOND_FROM,
            "text": delivery.body,
            "reference": str(delivery.pk),
        }
        try:
            response = self._call("POST", json=body)
        except requests.ConnectTimeout as error:
            raise TryLater("connect time-out") from error
        except requests.ConnectionError as error:
            raise (TryLater("refused") if "refused" in str(error) else Unknown("connection broke")) from error
        except requests.RequestException as error:
            raise Unknown(type(error).__name__) from error
        if response.status_code == 429:
            raise TryLater("429")
        if response.status_code >= 500:
            raise Unknown(f"http {response.status_code}")
        if response.status_code >= 400:
            raise Undeliverable(f"http {response.status_code}")
        return self._id(response)

    def look_up(self, delivery: Delivery) -> str | None:
        try:
            response = self._call("GET", params={"reference": str(delivery.pk)})
        except requests.RequestException as error:
            raise TryLater(type(error).__name__) from error
        if response.status_code == 404:
            return None
        if response.status_code >= 400:
            raise TryLater(f"http {response.status_code}")
        return self._id(response)

    def _call(self, method: str, **words: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {settings.SMS_SECOND_TOKEN}"}
        return requests.request(method, settings.SMS_SECOND_URL, headers=headers, timeout=TIMEOUT_SECONDS, **words)

    def _id(self, response: requests.Response) -> str:
        try:
            return provider_id(response.json()["id"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unknown("no id in the answer") from error


def provider_id(value: Any) -> str:
    """As a Delivery or InboundMessage keeps it: never mistaken for a MessageSid."""
    return f"{NAME}:{value}"[:255]


def is_signed(body: bytes, signature: str) -> bool:
    """Fails closed: without a token nobody can sign."""
    if not settings.SMS_SECOND_TOKEN:
        return False
    wanted = hmac.new(settings.SMS_SECOND_TOKEN.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, signature.lower())


def read(body: bytes) -> dict[str, str]:
    """The call's fields as text. Raises ValueError for what is no JSON object of texts and numbers."""
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    return {str(name): str(value) for name, value in fields.items()}


def as_stored(fields: dict[str, str]) -> bytes:
    """An incoming text in the form that Twilio's are stored in, so that it is read by the same code."""
    return urlencode({"From": fields["from"], "To": fields.get("to", ""), "Body": fields.get("text", "")}).encode()
