"""Only Twilio may call Twilio's entrances, and only our mail provider the mail's."""

import base64
import json

import pytest
from django.conf import settings
from django.test import Client

from notifications import outbox, outcomes
from notifications.models import Delivery, InboundMessage
from tests.conftest import Cast, ask, signed, work

FIELDS = {"MessageSid": "SM" + "b" * 32, "From": "+31612000001", "To": settings.SMS_FROM, "Body": "VRAAG hoi?"}
URL = f"{settings.PUBLIC_BASE_URL}/webhooks/twilio/sms"


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Twilio-Signature": ""}, {"X-Twilio-Signature": "rubbish"}, signed(URL + "?x=1", FIELDS)],
    ids=["none", "empty", "rubbish", "for another address"],
)
def test_a_wrong_signature_is_refused_and_nothing_is_stored(cast: Cast, headers: dict[str, str]) -> None:
    assert Client().post("/webhooks/twilio/sms", FIELDS, headers=headers).status_code == 403
    assert not InboundMessage.objects.exists()


def test_the_host_header_cannot_choose_what_is_signed(cast: Cast) -> None:
    forged = signed("http://localhost/webhooks/twilio/sms", FIELDS)
    response = Client().post("/webhooks/twilio/sms", FIELDS, headers={**forged, "Host": "localhost"})
    assert response.status_code == 403


def test_parameters_that_twilio_adds_unannounced_do_no_harm(cast: Cast) -> None:
    fields = {**FIELDS, "NewThing": "é"}
    assert Client().post("/webhooks/twilio/sms", fields, headers=signed(URL, fields)).status_code == 200
    assert InboundMessage.objects.count() == 1


def _status(delivery: Delivery, status: str, sid: str, code: str = "") -> int:
    path = f"/webhooks/twilio/status/{delivery.pk}"
    fields = {"MessageSid": sid, "MessageStatus": status, **({"ErrorCode": code} if code else {})}
    return Client().post(path, fields, headers=signed(settings.PUBLIC_BASE_URL + path, fields)).status_code


def test_callbacks_in_any_order_only_move_forward(cast: Cast) -> None:
    ask(cast.alice)
    delivery = Delivery.objects.get(to=cast.alice.mobile)
    for status in ("delivered", "sent", "queued", "failed", "delivered"):
        assert _status(delivery, status, delivery.provider_id) == 204
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_a_callback_faster_than_the_answer_is_kept(cast: Cast) -> None:
    from tests.conftest import text

    text(cast.alice, "VRAAG Waarom is de rekening zo hoog?")
    work(sending=False)
    delivery = Delivery.objects.get(to=cast.alice.mobile)
    Delivery.objects.filter(pk=delivery.pk).update(state="leased", attempts=1, lease_until=delivery.due_at)
    _status(delivery, "sent", "SM" + "c" * 32)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.provider_id) == ("sent", "SM" + "c" * 32)


def test_a_failed_sms_goes_by_mail_instead(cast: Cast) -> None:
    from questions import promise
    from tests.conftest import later

    ask(cast.alice)
    later(hours=12, minutes=1)
    promise.run_due()
    work()
    delivery = Delivery.objects.get(to=cast.bob.mobile)
    _status(delivery, "undelivered", delivery.provider_id, "30003")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("undelivered", "twilio 30003")


POSTMARK = {
    "From": "mallory@vonkmobiel.example",
    "FromFull": {"Email": "mallory@vonkmobiel.example", "Name": "Mallory"},
    "To": "vraag@vragen.vonkmobiel.example",
    "ToFull": [{"Email": "vraag@vragen.vonkmobiel.example", "Name": ""}],
    "OriginalRecipient": "vraag@vragen.vonkmobiel.example",
    "Subject": "A question",
    "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b",
    "Date": "Tue, 24 Nov 2026 12:00:00 +0100",
    "TextBody": "Why is the bill of my friend so high?",
    "Headers": [
        {"Name": "Message-ID", "Value": "<hook@mail.example>"},
        {"Name": "Return-Path", "Value": "<mallory@vonkmobiel.example>"},
    ],
}


def _mail_hook(secret: str) -> int:
    credentials = base64.b64encode(secret.encode()).decode()
    return (
        Client()
        .post(
            "/webhooks/anymail/postmark/inbound/",
            json.dumps(POSTMARK),
            "application/json",
            headers={"Authorization": f"Basic {credentials}"},
        )
        .status_code
    )


def test_a_mail_by_the_providers_webhook_asks_a_question_once(cast: Cast) -> None:
    from questions.models import Question

    secret = settings.ANYMAIL["WEBHOOK_SECRET"]
    assert [_mail_hook(secret), _mail_hook(secret)] == [200, 200]
    work()
    assert Question.objects.get().text == "Why is the bill of my friend so high?"


def test_the_mail_webhook_needs_its_secret(cast: Cast) -> None:
    assert _mail_hook("wrong:secret") == 400
    assert not InboundMessage.objects.exists()


def test_a_callback_takes_its_id_back_from_a_twin_that_was_looked_up(cast: Cast) -> None:
    """Two messages with the same words to one number: only the callback's address tells them apart."""
    one, two = (
        outbox.enqueue(key=key, channel="sms", to=str(cast.alice.mobile), body="Hallo", person=cast.alice) for key in "ab"
    )
    Delivery.objects.filter(pk=two.pk).update(state="unknown", attempts=1)
    outcomes.mark_sent(one.pk, "SM-two", how="looked up")
    assert _status(two, "delivered", "SM-two") == 204
    assert Delivery.objects.get(pk=two.pk).state == "delivered"
    again = Delivery.objects.get(pk=one.pk)
    assert (again.state, again.provider_id, again.sent_at) == ("unknown", "", None)
