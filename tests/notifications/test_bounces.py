"""What mail servers write back: a bounce moves the mail on, everything else that a machine wrote does nothing."""

import smtplib

import pytest
from django.conf import settings

from notifications.models import Address, Delivery, InboundMessage
from questions.models import Answer
from sandbox.models import Letter
from tests.conftest import Cast, ask, mail, mails, offer_of, reply_to, texts, work

REPORT = """From: Mail Delivery System <MAILER-DAEMON@mx.vonkmobiel.example>
To: app@{domain}
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce@mx.vonkmobiel.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.vonkmobiel.example

Final-Recipient: rfc822; {to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 no

--b
Content-Type: {copy}

From: CEO-app <app@{domain}>
To: {to}
Message-ID: <{id}@{domain}>
Subject: Vraag

--b--
"""


def _sent_mail(cast: Cast) -> Delivery:
    ask(cast.alice)
    return Delivery.objects.get(to=cast.bob.email, channel="email")


def _bounce(delivery: Delivery, **fields: str) -> None:
    words = {"action": "failed", "status": "5.1.1", "copy": "message/rfc822", "domain": settings.MAIL_DOMAIN}
    raw = REPORT.format(**{**words, "to": delivery.to, "id": str(delivery.pk), **fields})
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("", [f"app@{settings.MAIL_DOMAIN}"], raw.encode())
    work()
    delivery.refresh_from_db()


@pytest.mark.parametrize("copy", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_marks_mail_and_address_and_the_next_channel_speaks(cast: Cast, copy: str) -> None:
    delivery = _sent_mail(cast)
    _bounce(delivery, copy=copy)
    assert (delivery.state, delivery.error) == ("undelivered", "bounced 5.1.1")
    assert Address.objects.get(value=delivery.to).stopped_at is not None
    assert len(texts(cast.bob)) == 1
    assert not Letter.objects.filter(address__contains="mailer-daemon").exists()
    assert InboundMessage.objects.get(provider_id="<bounce@mx.vonkmobiel.example>").state == "handled"


def test_a_full_mailbox_does_not_lose_the_address(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    _bounce(delivery, status="5.2.2")
    assert delivery.state == "undelivered"
    assert Address.objects.get(value=delivery.to).stopped_at is None
    assert len(texts(cast.bob)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "delayed", "status": "4.4.1"},
        {"action": "delivered", "status": "2.0.0"},
        {"id": "00000000-0000-7000-8000-000000000000"},
        {"id": "rubbish"},
        {"copy": "text/plain"},
    ],
    ids=str,
)
def test_what_is_no_bounce_of_ours_moves_nothing(cast: Cast, fields: dict[str, str]) -> None:
    delivery = _sent_mail(cast)
    _bounce(delivery, **fields)
    assert delivery.state == "sent"
    assert Address.objects.get(value=delivery.to).stopped_at is None
    assert texts(cast.bob) == []


def test_a_bounce_of_what_arrived_changes_nothing_any_more(cast: Cast) -> None:
    delivery = _sent_mail(cast)
    Delivery.objects.filter(pk=delivery.pk).update(state="delivered")
    _bounce(delivery, status="5.2.2")
    assert delivery.state == "delivered"
    assert texts(cast.bob) == []


@pytest.mark.parametrize(
    ("headers", "envelope"),
    [
        ({"Auto-Submitted": "auto-replied"}, "bob"),
        ({"Auto-Submitted": "auto-generated; x=1"}, "bob"),
        ({"Precedence": "bulk"}, "bob"),
        ({"Precedence": "list"}, "bob"),
        ({"Precedence": "junk"}, "bob"),
        ({"List-Id": "<news.example>"}, "bob"),
        ({"List-Unsubscribe": "<https://news.example/>"}, "bob"),
        ({"X-Autoreply": "yes"}, "bob"),
        ({"Subject": "Automatisch antwoord: Vraag Q-7F3K"}, "bob"),
        ({"Subject": "Automatic reply: Question"}, "bob"),
        ({"From": "MAILER-DAEMON@vonkmobiel.example"}, "bob"),
        ({"From": "no-reply@vonkmobiel.example"}, "bob"),
        ({"From": f"app@{settings.MAIL_DOMAIN}"}, "bob"),
        ({"Return-Path": "<>"}, "bob"),
        ({}, ""),
    ],
    ids=str,
)
def test_what_machines_write_answers_nothing_and_is_not_answered(
    cast: Cast, headers: dict[str, str], envelope: str
) -> None:
    question = ask(cast.alice)
    before = Letter.objects.count()
    fields = {"From": str(cast.bob.email), "Subject": "Re: vraag", "Message-ID": "<auto@x.example>", **headers}
    raw = "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\nIk ben er niet."
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail(envelope and str(cast.bob.email), [reply_to(offer_of(question))], raw)
    work()
    assert not Answer.objects.exists()
    assert Letter.objects.count() == before
    message = InboundMessage.objects.get(provider_id="<auto@x.example>")
    assert (message.state, message.reason) == ("refused", "automatic")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Auto_Response_Suppress": "All"},  # Outlook puts it on what people wrote
        {"Auto_Submitted": "no"},
        {"Precedence": "first-class"},
        {"subject": "RE: Automatisch antwoord: Vraag"},
    ],
    ids=str,
)
def test_what_people_write_counts(cast: Cast, headers: dict[str, str]) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Zo zit het.", **headers)
    work()
    assert Answer.objects.get().text == "Zo zit het."
    assert "Zo zit het." in mails(cast.bob)[-1]
