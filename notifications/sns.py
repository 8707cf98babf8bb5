"""Amazon's notifications: signed by Amazon, and a subscription confirmed only when the request brought our secret."""

import base64
import binascii
import json
import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.amazon_ses import AmazonSESInboundWebhookView, AmazonSESTrackingWebhookView
from anymail.webhooks.base import AnymailBaseWebhookView
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.http import HttpRequest

AMAZON = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
TIMEOUT_SECONDS = 5
NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}  # Amazon's own versions


def is_signed(message: dict[str, Any]) -> bool:
    """Whether Amazon wrote this. The certificate is fetched from Amazon's own hosts and nowhere else."""
    fields = NOTIFICATION if message.get("Type") == "Notification" else CONFIRMATION
    text = "".join(f"{name}\n{message[name]}\n" for name in fields if name in message)
    algorithm = HASHES.get(str(message.get("SignatureVersion", "")))
    url = str(message.get("SigningCertURL", ""))
    if algorithm is None or not _is_amazons(url) or not urlsplit(url).path.endswith(".pem"):
        return False
    try:
        signature = base64.b64decode(str(message.get("Signature", "")), validate=True)
        _key(url).verify(signature, text.encode(), PKCS1v15(), algorithm())
    except (binascii.Error, InvalidSignature):
        return False
    return True


def _is_amazons(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(AMAZON.fullmatch(parts.netloc))


@lru_cache(maxsize=8)
def _key(url: str) -> RSAPublicKey:
    response = requests.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    response.raise_for_status()
    key = x509.load_pem_x509_certificate(response.content).public_key()
    if not isinstance(key, RSAPublicKey):
        raise AnymailWebhookValidationFailure("the certificate is not Amazon's")
    return key


class _Signed(AnymailBaseWebhookView):  # type: ignore[misc]
    """Anymail checks headers and secret; this adds the signature, and needs none of Amazon's libraries."""

    def __init__(self, **kwargs: Any) -> None:
        self.auto_confirm_enabled = True
        self.session_params: dict[str, Any] = {}
        self.client_params: dict[str, Any] = {}
        AnymailBaseWebhookView.__init__(self, **kwargs)

    def run_validators(self, request: HttpRequest) -> None:
        super().run_validators(request)  # the secret first: nobody else makes us fetch a certificate
        if not is_signed(json.loads(request.body)):
            raise AnymailWebhookValidationFailure("not signed by Amazon")

    def auto_confirm_sns_subscription(self, sns_message: dict[str, Any]) -> None:
        url = str(sns_message.get("SubscribeURL", ""))
        if not _is_amazons(url):
            raise AnymailWebhookValidationFailure("SubscribeURL is not Amazon's")
        requests.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False).raise_for_status()


class Inbound(_Signed, AmazonSESInboundWebhookView):  # type: ignore[misc]
    """Mail that Amazon SES received, whole in the notification."""


class Tracking(_Signed, AmazonSESTrackingWebhookView):  # type: ignore[misc]
    """What became of mail that left by Amazon SES."""
