"""Mail providers' calls: with our secret, once, fresh, and only from the provider that is ours."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.test import Client

from backend import clock
from notifications import sns
from notifications.models import Address, Delivery, InboundMessage, WebhookCall
from questions.models import Question
from tests.conftest import Cast, ask, mails, work
from tests.notifications.test_webhooks import POSTMARK

MAILGUN_KEY = "mailgun-signing-key"
RAW = "From: mallory@vonkmobiel.example\nTo: {to}\nMessage-ID: <{id}@x.example>\nSubject: x\n\nWhy is the bill so high?"
ASK = f"vraag@{settings.MAIL_DOMAIN}"


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAIL_WEBHOOKS", ["postmark", "mailgun", "amazon_ses"])
    monkeypatch.setitem(settings.ANYMAIL, "MAILGUN_WEBHOOK_SIGNING_KEY", MAILGUN_KEY)


def _auth(secret: str = "") -> dict[str, str]:
    credentials = base64.b64encode((secret or settings.ANYMAIL["WEBHOOK_SECRET"]).encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


def _json(path: str, body: Any, headers: dict[str, str] | None = None) -> int:
    sent = headers if headers is not None else _auth()
    return Client().post(f"/webhooks/anymail/{path}", json.dumps(body), "application/json", headers=sent).status_code


# --- who may call ----------------------------------------------------------------------------------------------------


def test_a_provider_that_is_not_ours_finds_nothing_even_with_the_secret(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _json("sendgrid/inbound/", POSTMARK) == 404
    assert _json("nobody/inbound/", POSTMARK) == 404
    assert _json("postmark/elsewhere/", POSTMARK) == 404
    monkeypatch.setattr(settings, "MAIL_WEBHOOKS", [])
    assert _json("postmark/inbound/", POSTMARK) == 404
    assert not InboundMessage.objects.exists()


@pytest.mark.parametrize("path", ["postmark/inbound/", "postmark/tracking/", "mailgun/inbound/", "amazon_ses/tracking/"])
def test_without_the_secret_nobody_is_heard(cast: Cast, path: str) -> None:
    assert _json(path, POSTMARK, headers={}) in {400, 401, 403}
    assert _json(path, POSTMARK, headers=_auth("sandbox:wrong")) in {400, 401, 403}
    assert not InboundMessage.objects.exists()
    assert not WebhookCall.objects.exists()


def test_more_than_25_megabytes_are_refused_before_they_are_read(cast: Cast) -> None:
    body = json.dumps({**POSTMARK, "Attachments": [{"Content": "A" * 27_000_000}]})
    answer = Client().post("/webhooks/anymail/postmark/inbound/", body, "application/json", headers=_auth())
    assert answer.status_code == 413
    assert not InboundMessage.objects.exists()


def test_a_mail_without_message_id_comes_once_however_often_it_is_brought(cast: Cast) -> None:
    nameless = {**POSTMARK, "Headers": [], "HtmlBody": "<p>Why is the bill of my friend so high?</p>"}
    assert [_json("postmark/inbound/", nameless) for _again in range(3)] == [200] * 3
    work()
    assert Question.objects.count() == 1
    assert InboundMessage.objects.count() == 1


def test_another_mail_without_message_id_is_another_mail(cast: Cast) -> None:
    nameless = {**POSTMARK, "Headers": []}
    _json("postmark/inbound/", nameless)
    _json("postmark/inbound/", {**nameless, "TextBody": "And why is mine so low?"})
    assert InboundMessage.objects.count() == 2


# --- Mailgun ---------------------------------------------------------------------------------------------------------


def _mailgun(token: str, *, age: timedelta = timedelta(), key: str = MAILGUN_KEY, message: str = "one") -> int:
    at = str(int((clock.real() - age).timestamp()))
    signature = hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
    fields = {"timestamp": at, "token": token, "signature": signature, "recipient": ASK}
    fields |= {"sender": "mallory@vonkmobiel.example", "body-mime": RAW.format(to=ASK, id=message)}
    return Client().post("/webhooks/anymail/mailgun/inbound_mime/", fields, headers=_auth()).status_code


def test_mailguns_call_counts_once_and_cannot_be_played_again(cast: Cast) -> None:
    assert _mailgun("a" * 50) == 200
    InboundMessage.objects.all().delete()
    assert _mailgun("a" * 50, message="two") == 200  # a provider that tries again shall stop
    assert not InboundMessage.objects.exists()
    assert _mailgun("b" * 50, message="three") == 200
    assert InboundMessage.objects.count() == 1


@pytest.mark.parametrize("age", [timedelta(hours=25), timedelta(minutes=-10), timedelta(days=900)], ids=str)
def test_mailguns_old_call_is_refused(cast: Cast, age: timedelta) -> None:
    assert _mailgun("c" * 50, age=age) == 403
    assert not InboundMessage.objects.exists()


def test_mailguns_call_with_another_key_is_refused_and_uses_no_token_up(cast: Cast) -> None:
    assert _mailgun("d" * 50, key="forger") == 400
    assert not WebhookCall.objects.exists()
    assert _mailgun("d" * 50) == 200
    assert InboundMessage.objects.count() == 1


def test_a_call_that_broke_may_come_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(InboundMessage.objects, "bulk_create", None)
        with pytest.raises(TypeError):
            _mailgun("e" * 50)
    assert _mailgun("e" * 50) == 200
    assert InboundMessage.objects.count() == 1


# --- Amazon ----------------------------------------------------------------------------------------------------------


class Amazon:
    """Signs as Amazon does; its certificate stands where Amazon's would."""

    url = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-test.pem"

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)  # noqa: TID251 — a certificate's time is real
        made = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=self.key.public_key())
        made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        self.certificate = made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        self.asked: list[str] = []

    def get(self, url: str, **_: Any) -> requests.Response:
        self.asked.append(url)
        response = requests.Response()
        response.status_code, response._content = 200, self.certificate
        return response

    def call(self, path: str, message: Any, *, age: timedelta = timedelta(), number: str = "m1", **other: Any) -> int:
        fields = {
            "Type": "Notification",
            "MessageId": number,
            "TopicArn": "arn:aws:sns:eu-west-1:1:mail",
            "Message": json.dumps(message),
            "Timestamp": (clock.real() - age).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SignatureVersion": "2",
            "SigningCertURL": self.url,
            **{name: value for name, value in other.items() if name != "tamper"},
        }
        names = sns.NOTIFICATION if fields["Type"] == "Notification" else sns.CONFIRMATION
        text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        fields["Signature"] = base64.b64encode(signature).decode()
        if "tamper" in other:
            fields["Message"] = other["tamper"]
        headers = {"X-Amz-Sns-Message-Type": fields["Type"], "X-Amz-Sns-Message-Id": number}
        return _json(path, fields, {**_auth(), **headers})


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Amazon:
    made = Amazon()
    sns._key.cache_clear()
    monkeypatch.setattr(requests, "get", made.get)
    return made


def _received(number: str = "one", *, age: timedelta = timedelta()) -> dict[str, Any]:
    content = base64.b64encode(RAW.format(to=ASK, id=number).encode()).decode()
    receipt = {"recipients": [ASK], "action": {"type": "SNS", "encoding": "BASE64"}}
    mail = {"messageId": "x", "source": "mallory@vonkmobiel.example", "timestamp": (clock.real() - age).isoformat()}
    return {"notificationType": "Received", "content": content, "receipt": receipt, "mail": mail}


def test_mail_that_amazon_signed_asks_a_question_once(cast: Cast, amazon: Amazon) -> None:
    assert amazon.call("amazon_ses/inbound/", _received()) == 200
    assert amazon.call("amazon_ses/inbound/", _received("two")) == 200  # the same notification again
    work()
    assert Question.objects.count() == 1
    assert InboundMessage.objects.count() == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"tamper": "{}"},
        {"SigningCertURL": "https://evil.example/cert.pem"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com@evil.example/cert.pem"},
        {"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/cert.pem"},
        {"SignatureVersion": "3"},
    ],
    ids=str,
)
def test_what_amazon_did_not_sign_is_refused(cast: Cast, amazon: Amazon, forged: dict[str, Any]) -> None:
    assert amazon.call("amazon_ses/inbound/", _received(), **forged) == 400
    assert not InboundMessage.objects.exists()
    assert not [url for url in amazon.asked if "evil" in url]


def test_an_old_notification_of_amazon_is_refused(cast: Cast, amazon: Amazon) -> None:
    assert amazon.call("amazon_ses/inbound/", _received(), age=timedelta(hours=25)) == 403
    assert not InboundMessage.objects.exists()


def test_a_subscription_is_confirmed_at_amazon_only(cast: Cast, amazon: Amazon) -> None:
    wanted: dict[str, Any] = {"Type": "SubscriptionConfirmation", "Token": "t"}
    good = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
    assert amazon.call("amazon_ses/inbound/", {}, **wanted, SubscribeURL=good) == 200
    assert good in amazon.asked
    assert amazon.call("amazon_ses/inbound/", {}, number="m2", **wanted, SubscribeURL="https://evil.example/") == 400
    assert not [url for url in amazon.asked if "evil" in url]


@pytest.mark.parametrize(("said", "counts"), [(72, 72), (-5, 0), (24 * 30, 0)], ids=["three days", "future", "a month"])
def test_a_mail_counts_from_when_amazon_took_it(cast: Cast, amazon: Amazon, said: int, counts: int) -> None:
    amazon.call("amazon_ses/inbound/", _received(age=timedelta(hours=said)))
    late = clock.now() - InboundMessage.objects.get().received_at
    assert abs(late - timedelta(hours=counts)) < timedelta(minutes=1)


# --- what became of a mail -------------------------------------------------------------------------------------------


def _sent_mail(cast: Cast) -> Delivery:
    ask(cast.alice)
    return Delivery.objects.get(to=cast.bob.email, channel="email")


def _postmark(delivery: Delivery, kind: str, **fields: Any) -> str:
    body = {"RecordType": kind, "MessageID": "postmark-id", "Recipient": delivery.to, "Email": delivery.to}
    assert _json("postmark/tracking/", {**body, "Metadata": {"delivery": str(delivery.pk)}, **fields}) == 200
    delivery.refresh_from_db()
    return delivery.state


def test_the_providers_word_moves_a_mail_forward_only(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    assert delivery.state == "sent"
    assert _postmark(delivery, "Delivery") == "delivered"
    assert _postmark(delivery, "Bounce", Type="SoftBounce", Details="smtp;451 4.7.1 later") == "delivered"
    assert _postmark(delivery, "Delivery") == "delivered"
    assert Address.objects.get(value=delivery.to).stopped_at is None


def test_a_hard_bounce_marks_the_address_and_the_next_channel_speaks(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    assert _postmark(delivery, "Bounce", Type="HardBounce", Details="smtp;550 5.1.1 no such user") == "undelivered"
    assert Address.objects.get(value=delivery.to).stopped_at is not None
    rerouted = Delivery.objects.get(notification=delivery.notification, channel="sms")
    assert rerouted.to == cast.bob.mobile
    assert _postmark(delivery, "Delivery") == "undelivered"


def test_a_soft_bounce_goes_on_by_another_channel_and_keeps_the_address(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    assert _postmark(delivery, "Bounce", Type="SoftBounce", Details="smtp;452 4.2.2 mailbox full") == "undelivered"
    assert Address.objects.get(value=delivery.to).stopped_at is None


def test_who_calls_it_spam_gets_no_more_mail(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    assert _postmark(delivery, "SpamComplaint") == "delivered"
    assert Address.objects.get(value=delivery.to).stopped_at is not None
    before = len(mails(cast.bob))
    ask(cast.alice, "En waarom is zijn rekening zo hoog?")
    assert len(mails(cast.bob)) == before


def test_words_about_a_mail_that_is_not_ours_move_nothing(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    for metadata in ({}, {"delivery": "rubbish"}, {"delivery": "00000000-0000-7000-8000-000000000000"}):
        _postmark(delivery, "Bounce", Metadata=metadata, Type="HardBounce")
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert Address.objects.get(value=delivery.to).stopped_at is None
