"""The listener says 250 for what is stored, 4xx for what may work later, 5xx for what never will."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import connection

from backend import clock, embedded
from notifications.inbound import smtp
from notifications.models import InboundMessage
from questions.models import Answer, Question
from tests.conftest import Cast, ask, later, mail, offer_of, reply_to, work

ASK = f"vraag@{settings.MAIL_DOMAIN}"
RAW = b"From: mallory@vonkmobiel.example\r\nMessage-ID: <one@x.example>\r\nSubject: x\r\n\r\nWhy is the bill so high?"


def _client(port: int = 0) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port or settings.MAIL_IN_PORT, timeout=10)


@contextmanager
def _listener() -> Iterator[int]:
    """One with limits of its own."""
    port = embedded.free_port()
    server = smtp.controller("127.0.0.1", port)
    server.start()
    try:
        yield port
    finally:
        server.stop()


# --- what is too much ------------------------------------------------------------------------------------------------


def test_the_largest_size_is_said_and_more_is_refused_for_good(cast: Cast) -> None:
    with _client() as server:
        server.ehlo()
        assert server.esmtp_features["size"] == str(25 * 1024 * 1024)
        assert server.docmd(f"MAIL FROM:<a@x.example> SIZE={25 * 1024 * 1024 + 1}")[0] == 552
    with _client() as server:
        server.ehlo()
        server.docmd("MAIL FROM:<a@x.example>")  # who says nothing of the size finds out afterwards
        server.docmd(f"RCPT TO:<{ASK}>")
        code, _words = server.data(RAW + b"\r\n" + (b"x" * 76 + b"\r\n") * 340_000)
        assert code == 552
        assert server.noop()[0] == 250
    assert not InboundMessage.objects.exists()


def test_a_mail_of_nearly_25_megabytes_is_taken_and_read(cast: Cast) -> None:
    big = (
        b"From: mallory@vonkmobiel.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nWhy is the bill so high?\r\n--b\r\nContent-Type: video/mp4; name=a.mp4\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + (b"A" * 76 + b"\r\n") * 330_000 + b"--b--\r\n"
    )
    with _client() as server:
        server.sendmail("mallory@vonkmobiel.example", [ASK], big)
    work()
    assert Question.objects.get().text == "Why is the bill so high?"
    assert InboundMessage.objects.get().attachments == ["a.mp4"]


def test_a_line_longer_than_the_standard_allows_is_taken(cast: Cast) -> None:
    with _client() as server:
        server.sendmail("mallory@vonkmobiel.example", [ASK], RAW + b" " + b"so very high " * 10_000)
    assert InboundMessage.objects.count() == 1


def test_one_mail_has_fifty_recipients_at_most_and_the_rest_may_come_again(cast: Cast) -> None:
    with _client() as server:
        server.ehlo()
        server.docmd("MAIL FROM:<a@x.example>")
        codes = [server.docmd(f"RCPT TO:<a{number}@{settings.MAIL_DOMAIN}>")[0] for number in range(51)]
    assert codes == [250] * 50 + [452]


def test_a_peer_that_sends_too_fast_is_told_to_come_back(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAIL_IN_PER_MINUTE", 3)
    with _listener() as port, _client(port) as server:
        for number in range(3):
            server.sendmail("a@x.example", [ASK], RAW.replace(b"one", str(number).encode()))
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            server.sendmail("a@x.example", [ASK], RAW)
        assert refused.value.smtp_code == 450
    assert InboundMessage.objects.count() == 3


def test_a_peer_with_too_many_connections_is_told_to_come_back(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAIL_IN_CONNECTIONS", 2)
    with _listener() as port:
        first, second = _client(port), _client(port)
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            _client(port)
        assert refused.value.smtp_code == 421
        first.quit()
        _until(lambda: _greeted(port))
        second.quit()


def _greeted(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        return wire.recv(100).startswith(b"220")


def _until(true: Callable[[], bool]) -> None:
    assert any(true() for _try in range(1000))


# --- nobody's relay --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "to",
    [
        *(
            "somebody@elsewhere.example",
            f"somebody@sub.{settings.MAIL_DOMAIN}",
            f"somebody@{settings.MAIL_DOMAIN}.evil.example",
        ),
        *(f"somebody@not{settings.MAIL_DOMAIN}", "postmaster", f'"a@{settings.MAIL_DOMAIN}"@elsewhere.example'),
    ],
)
def test_mail_for_other_domains_is_not_taken(cast: Cast, to: str) -> None:
    with _client() as server:
        server.ehlo()
        server.docmd("MAIL FROM:<mallory@vonkmobiel.example>")
        assert server.docmd(f"RCPT TO:<{to}>")[0] in {501, 550, 553}
    assert not InboundMessage.objects.exists()


def test_pipelining_and_unknown_commands_do_no_harm(cast: Cast) -> None:
    lines = [
        *(b"EHLO x.example", b"XUNKNOWN", b"VRFY root", b"MAIL FROM:<mallory@vonkmobiel.example>"),
        *(b"RCPT TO:<" + ASK.encode() + b">", b"DATA", RAW, b".", b"NOOP", b"QUIT", b""),
    ]
    with socket.create_connection(("127.0.0.1", settings.MAIL_IN_PORT), timeout=10) as wire:
        wire.sendall(b"\r\n".join(lines))
        said = b""
        while piece := wire.recv(4096):
            said += piece
    assert b"354 " in said
    assert b"250 2.0.0 stored" in said
    assert said.rstrip().splitlines()[-1].startswith(b"221")
    assert InboundMessage.objects.count() == 1


# --- encrypted -------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """For localhost, signed by itself, in the settings."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)  # noqa: TID251 — a certificate's time is real
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    unlocked = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unlocked)
    (tmp_path / "key.pem").write_bytes(pem)
    monkeypatch.setattr(settings, "MAIL_IN_TLS_CERT", str(tmp_path / "cert.pem"))
    monkeypatch.setattr(settings, "MAIL_IN_TLS_KEY", str(tmp_path / "key.pem"))
    return tmp_path / "cert.pem"


def test_with_a_certificate_mail_comes_encrypted(cast: Cast, certificate: Path) -> None:
    with _listener() as port, smtplib.SMTP("localhost", port, timeout=10) as server:
        server.starttls(context=ssl.create_default_context(cafile=str(certificate)))
        server.sendmail("mallory@vonkmobiel.example", [ASK], RAW)
    work()
    assert Question.objects.count() == 1


def test_where_encryption_is_required_nothing_is_taken_without(
    cast: Cast, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAIL_IN_TLS_REQUIRED", True)
    with _listener() as port, _client(port) as server:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            server.sendmail("mallory@vonkmobiel.example", [ASK], RAW)
        assert refused.value.smtp_code == 530
    assert not InboundMessage.objects.exists()


# --- outages ---------------------------------------------------------------------------------------------------------


@contextmanager
def _database_away() -> Iterator[None]:
    """PostgreSQL throws everybody out of the test's database and lets nobody in."""
    name = connection.settings_dict["NAME"]
    connection.close()
    _server(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
    _server(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608
    try:
        yield
    finally:
        _server(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')


def _server(sql: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


def _try(raw: bytes, to: str, sender: str) -> Any:
    with _client() as server:
        try:
            return server.sendmail(sender, [to], raw)
        except smtplib.SMTPDataError as error:
            return error.smtp_code


def test_without_a_database_mail_stays_with_its_sender_and_is_taken_when_it_is_back(cast: Cast) -> None:
    with _database_away():
        assert [_try(RAW, ASK, "mallory@vonkmobiel.example") for _again in range(3)] == [451] * 3
    later(days=3)
    assert _try(RAW, ASK, "mallory@vonkmobiel.example") == {}
    assert _try(RAW, ASK, "mallory@vonkmobiel.example") == {}
    work()
    assert Question.objects.count() == 1
    assert InboundMessage.objects.get().received_at > clock.now() - timedelta(minutes=1)


def test_mail_that_waited_three_days_for_a_worker_counts_from_when_it_came(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Een dubbele maand.")
    received = clock.now()
    later(days=3)
    work()
    assert abs(Answer.objects.get().received_at - received) < timedelta(minutes=1)
    question.current_round.refresh_from_db()
    assert question.current_round.verdict == "kept"


def test_no_header_moves_the_time_a_mail_came_in(cast: Cast) -> None:
    question = ask(cast.alice)
    to = reply_to(offer_of(question))
    later(hours=25)
    early = "Tue, 01 Jan 2019 00:00:00 +0000"
    forged = {"Date": early, "Received": f"from x by y; {early}", "Resent-Date": early, "Delivery-Date": early}
    mail(str(cast.bob.email), to, "Te laat.", **forged)
    work()
    assert Answer.objects.get().received_at > clock.now() - timedelta(minutes=1)
    question.current_round.refresh_from_db()
    assert question.current_round.verdict == "breached"
