"""A From is believed when its domain stands behind it; otherwise its owner is asked, and until then nothing happens."""

import smtplib
import threading
from base64 import b64encode
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.conf import settings
from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord
from dnslib.server import BaseResolver, DNSServer

from notifications.models import InboundMessage, ItemCode
from questions.models import Question
from tests.conftest import Cast, ask, later, letters, mail, mails, offer_of, reply_to, text, work

ASK = f"vraag@{settings.MAIL_DOMAIN}"
COMMANDS = f"doe@{settings.MAIL_DOMAIN}"
DOMAIN = "vonkmobiel.example"
QUESTION = "Waarom is de rekening van mijn zus zo hoog?"


class Zone(BaseResolver):
    """A DNS server of our own: what stands in `texts`, or trouble."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.is_broken = False
        self.asked: list[str] = []

    def resolve(self, request: Any, handler: Any) -> DNSRecord:
        reply, name = request.reply(), str(request.q.qname).rstrip(".").lower()
        self.asked.append(name)
        if self.is_broken:
            reply.header.rcode = RCODE.SERVFAIL
        elif name not in self.texts:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.TXT:
            value = self.texts[name].encode()
            parts = [value[at : at + 255] for at in range(0, len(value), 255)]
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(parts)))
        return reply


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    zone = Zone()
    server = DNSServer(zone, address="127.0.0.1", port=0)
    thread = threading.Thread(target=server.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(settings, "MAIL_DNS_SERVERS", [f"127.0.0.1:{server.server.server_address[1]}"])
    monkeypatch.setattr(settings, "MAIL_IN_AUTHENTICATION", "strict")
    yield zone
    server.server.shutdown()
    server.server.server_close()
    thread.join()


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _publish_key(zone: Zone, domain: str) -> None:
    public = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    zone.texts[f"s1._domainkey.{domain}"] = f"v=DKIM1; k=rsa; p={public}"


def _send(sender: str, to: str, body: str, *, signed_by: str = "", mail_from: str = "", **headers: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, "Vraag"
    message["Message-ID"] = f"<{uuid4().hex}@mail.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    raw = message.as_bytes().replace(b"\n", b"\r\n")
    if signed_by:
        pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        signed = [b"from", b"to", b"subject", b"message-id"]
        raw = dkim.sign(raw, b"s1", signed_by.encode(), pem, include_headers=signed) + raw
    _deliver(raw, mail_from or sender, to)


def _deliver(raw: bytes, mail_from: str, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail(mail_from, [to], raw)


def _state() -> tuple[str, str, str]:
    message = InboundMessage.objects.filter(channel="email").latest("received_at")
    return message.state, message.reason, message.authentication


def _confirming(cast: Cast) -> ItemCode:
    return ItemCode.objects.get(person=cast.bob, item__startswith="mail:")


# --- what proves it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [DOMAIN, f"mail.{DOMAIN}"])
def test_a_mail_that_its_domain_signed_acts_at_once(cast: Cast, zone: Zone, signer: str) -> None:
    _publish_key(zone, signer)
    _send(str(cast.bob.email), ASK, QUESTION, signed_by=signer, mail_from="bounces@elsewhere.example")
    work()
    assert Question.objects.get().asker == cast.bob
    assert _state() == ("handled", "", "passed")
    assert not ItemCode.objects.filter(item__startswith="mail:").exists()


def test_a_mail_from_a_server_that_its_domain_names_acts_at_once(cast: Cast, zone: Zone) -> None:
    zone.texts[DOMAIN] = "v=spf1 ip4:127.0.0.1 -all"
    _send(str(cast.bob.email), ASK, QUESTION)
    work()
    assert Question.objects.get().asker == cast.bob
    assert _state() == ("handled", "", "passed")


@pytest.mark.parametrize(
    ("texts", "signer", "mail_from"),
    [
        ({}, "", ""),  # nothing is published
        ({DOMAIN: "v=spf1 ip4:192.0.2.1 -all"}, "", ""),  # another server
        ({DOMAIN: "v=spf1 ip4:192.0.2.1 ~all"}, "", ""),
        ({"evil.example": "v=spf1 ip4:127.0.0.1 -all"}, "", "a@evil.example"),  # a pass of somebody else's
        ({}, "evil.example", "a@evil.example"),
        ({}, "notvonkmobiel.example", ""),
        # Strict, as the domain asks for: a subdomain is somebody else.
        ({f"_dmarc.{DOMAIN}": "v=DMARC1; p=reject; adkim=s; aspf=s"}, f"news.{DOMAIN}", ""),
        (
            {f"_dmarc.{DOMAIN}": "v=DMARC1; p=reject; aspf=s", f"news.{DOMAIN}": "v=spf1 ip4:127.0.0.1 -all"},
            "",
            f"a@news.{DOMAIN}",
        ),
    ],
)
def test_without_a_proof_nothing_is_done_and_its_owner_is_asked(
    cast: Cast, zone: Zone, texts: dict[str, str], signer: str, mail_from: str
) -> None:
    zone.texts |= texts
    if signer:
        _publish_key(zone, signer)
    _send(str(cast.bob.email), ASK, QUESTION, signed_by=signer, mail_from=mail_from)
    work()
    assert not Question.objects.exists()
    assert _state() == ("held", "not_authenticated", "failed")
    [asked] = mails(cast.bob)
    assert QUESTION[:30] in asked


def test_a_signed_mail_that_was_changed_on_its_way_proves_nothing(cast: Cast, zone: Zone) -> None:
    _publish_key(zone, DOMAIN)
    message = (
        f"From: {cast.bob.email}\r\nTo: {ASK}\r\nSubject: x\r\nMessage-ID: <c@x.example>\r\n\r\n{QUESTION}\r\n".encode()
    )
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    changed = dkim.sign(message, b"s1", DOMAIN.encode(), pem) + message.replace(b"zus", b"baas")
    _deliver(changed, str(cast.bob.email), ASK)
    work()
    assert not Question.objects.exists()
    assert _state() == ("held", "not_authenticated", "failed")


def test_commands_by_mail_need_the_proof_too(cast: Cast, zone: Zone) -> None:
    _send(str(cast.bob.email), COMMANDS, "TAAL en")
    work()
    cast.bob.refresh_from_db()
    assert cast.bob.language == "nl"
    assert _state()[0] == "held"


# --- what its owner says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_sms", [True, False])
def test_their_yes_lets_it_count_from_when_it_came_in(cast: Cast, zone: Zone, by_sms: bool) -> None:
    _send(str(cast.bob.email), ASK, QUESTION)
    work()
    received_at = InboundMessage.objects.get().received_at
    later(minutes=30)
    if by_sms:
        text(cast.bob, f"JA {_confirming(cast).code}")
    else:
        mail(str(cast.bob.email), f"{_confirming(cast).reply_key}@{settings.MAIL_DOMAIN}", "Ja")
    work()
    question = Question.objects.get()
    assert (question.asker, question.received_at) == (cast.bob, received_at)
    held = InboundMessage.objects.get(received_at=received_at)
    assert (held.state, held.authentication) == ("handled", "confirmed")


def test_after_their_no_and_without_a_word_it_does_nothing(cast: Cast, zone: Zone) -> None:
    _send(str(cast.bob.email), ASK, QUESTION)
    work()
    text(cast.bob, f"NEE {_confirming(cast).code}")
    work()
    assert InboundMessage.objects.get(channel="email").state == "quarantined"
    _send(str(cast.bob.email), ASK, QUESTION)
    work()
    later(hours=25)
    work()
    assert _state()[:2] == ("refused", "not_authenticated")
    assert not Question.objects.exists()


def test_a_wave_of_forged_mail_asks_five_times_and_no_more(cast: Cast, zone: Zone) -> None:
    for _n in range(8):
        _send(str(cast.bob.email), ASK, QUESTION)
        work()
    assert ItemCode.objects.filter(person=cast.bob, item__startswith="mail:").count() == 5
    assert InboundMessage.objects.filter(state="quarantined", reason="not_authenticated").count() == 3
    assert not Question.objects.exists()


# --- what needs none -------------------------------------------------------------------------------------------------


def test_a_reply_key_is_a_proof_of_its_own(cast: Cast, zone: Zone) -> None:
    question = ask(cast.alice)
    _send(str(cast.bob.email), reply_to(offer_of(question)), "Een dubbele maand.")
    work()
    question.refresh_from_db()
    assert question.state == "answered"
    assert not zone.asked


def test_a_stranger_costs_no_look_up(cast: Cast, zone: Zone) -> None:
    _send("nobody@evil.example", ASK, QUESTION)
    work()
    assert _state() == ("quarantined", "unknown_sender", "")
    assert not zone.asked


def test_observed_mail_is_judged_and_acts_all_the_same(cast: Cast, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAIL_IN_AUTHENTICATION", "observe")
    _send(str(cast.bob.email), ASK, QUESTION)
    work()
    assert _state() == ("handled", "", "failed")
    assert Question.objects.get().asker == cast.bob


# --- when DNS is down ------------------------------------------------------------------------------------------------


def test_while_dns_is_down_a_mail_waits_and_then_counts_from_its_receipt(cast: Cast, zone: Zone) -> None:
    zone.texts[DOMAIN], zone.is_broken = "v=spf1 ip4:127.0.0.1 -all", True
    _send(str(cast.bob.email), ASK, QUESTION)
    for _minute in range(8):  # more often than poison is tried
        work()
        later(minutes=1)
    assert _state() == ("received", "", "")
    assert not mails(cast.bob)
    zone.is_broken = False
    later(minutes=1)
    work()
    assert Question.objects.get().received_at == InboundMessage.objects.get().received_at


def test_when_dns_stays_down_the_writer_is_asked(cast: Cast, zone: Zone) -> None:
    zone.is_broken = True
    _send(str(cast.bob.email), ASK, QUESTION)
    work()
    later(minutes=31)
    work()
    assert _state() == ("held", "not_authenticated", "failed")
    assert len(letters(cast.bob.email)) == 1


# --- a gateway in front ----------------------------------------------------------------------------------------------

CHECKED = f"mx.{DOMAIN}; dmarc=pass header.from={DOMAIN}; spf=fail smtp.mailfrom=a@b.example"


def test_the_word_of_our_gateway_counts(cast: Cast, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAIL_TRUSTED_AUTHSERV", f"mx.{DOMAIN}")
    monkeypatch.setattr(settings, "MAIL_GATEWAYS", ["127.0.0.0/8"])
    _send(str(cast.bob.email), ASK, QUESTION, Authentication_Results=CHECKED)
    work()
    assert Question.objects.get().asker == cast.bob


@pytest.mark.parametrize(
    ("gateways", "said"),
    [
        (["192.0.2.0/24"], CHECKED),  # past the gateway
        (["127.0.0.0/8"], CHECKED.replace("mx.", "evil.", 1)),  # another server's word
        (["127.0.0.0/8"], CHECKED.replace("dmarc=pass", "dmarc=fail")),
        (["127.0.0.0/8"], CHECKED.replace(f"header.from={DOMAIN}", "header.from=evil.example")),
        (["127.0.0.0/8"], "rubbish; ((("),
    ],
)
def test_the_word_of_nobody_else_does(
    cast: Cast, zone: Zone, monkeypatch: pytest.MonkeyPatch, gateways: list[str], said: str
) -> None:
    monkeypatch.setattr(settings, "MAIL_TRUSTED_AUTHSERV", f"mx.{DOMAIN}")
    monkeypatch.setattr(settings, "MAIL_GATEWAYS", gateways)
    _send(str(cast.bob.email), ASK, QUESTION, Authentication_Results=said)
    work()
    assert not Question.objects.exists()
    assert _state()[:2] == ("held", "not_authenticated")
