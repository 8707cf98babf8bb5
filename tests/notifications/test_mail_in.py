"""Mail from people, machines and forgers."""

import smtplib

import pytest
from django.conf import settings

from notifications.inbound import handling
from notifications.models import InboundMessage
from questions.models import Answer, Question
from sandbox.models import Letter
from tests.conftest import Cast, ask, mail, offer_of, reply_to, work


def test_a_stranger_gets_one_sentence_and_is_quarantined(cast: Cast) -> None:
    from tests.conftest import letters

    for _ in range(3):
        mail("stranger@elsewhere.example", f"vraag@{settings.MAIL_DOMAIN}", "Hello?")
    work()
    assert not Question.objects.exists()
    assert len(letters("stranger@elsewhere.example")) == 1


def test_nee_as_first_word_declines(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Nee, geen tijd vandaag.")
    work()
    assert offer_of(question).expert == cast.charlie


def test_a_thank_you_of_the_asker_changes_nothing(cast: Cast) -> None:
    question = ask(cast.mallory, "Why is her bill so high?")
    mail(str(cast.bob.email), reply_to(offer_of(question)), "A double month.")
    work()
    from notifications.models import ItemCode

    key = ItemCode.objects.get(person=cast.mallory, item=question.subject_key).reply_key
    mail(str(cast.mallory.email), f"{key}@{settings.MAIL_DOMAIN}", "Thanks!")
    work()
    question.refresh_from_db()
    assert (question.state, question.current_round.number) == ("answered", 1)


def test_poison_is_quarantined_and_the_next_mail_is_handled(cast: Cast) -> None:
    from django.db import connection

    from tests.conftest import later

    poison = mail(str(cast.mallory.email), f"vraag@{settings.MAIL_DOMAIN}", "POISON why is the bill so high?")
    mail(str(cast.mallory.email), f"vraag@{settings.MAIL_DOMAIN}", "Why is the bill so high?")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.text LIKE 'POISON%'"
            " THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER poison BEFORE INSERT ON questions_question FOR EACH ROW EXECUTE FUNCTION poison()"
        )
    for _attempt in range(6):
        work()
        later(minutes=2)
    assert Question.objects.get().text == "Why is the bill so high?"
    assert InboundMessage.objects.get(provider_id=poison).state == "quarantined"
    assert InboundMessage.objects.get(provider_id=poison).reason == "poison"


def test_a_mail_of_a_thousand_nested_parts_is_quarantined_and_the_next_one_is_handled(cast: Cast) -> None:
    from tests.conftest import later

    nested = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(1500))
    raw = f"From: {cast.mallory.email}\r\nMessage-ID: <nested@x.example>\r\n{nested}".encode()
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("x@y.example", [f"vraag@{settings.MAIL_DOMAIN}"], raw)
    mail(str(cast.mallory.email), f"vraag@{settings.MAIL_DOMAIN}", "Why is the bill so high?")
    for _attempt in range(6):
        work()
        later(minutes=2)
    assert Question.objects.get().text == "Why is the bill so high?"
    assert InboundMessage.objects.get(provider_id="<nested@x.example>").state == "quarantined"


def test_headers_of_a_megabyte_do_not_keep_the_listener_busy(cast: Cast) -> None:
    endless = b"From: " + b"a@b.example, " * 60_000 + b"\r\nMessage-ID: <" + b"x" * 5000 + b"@y.example>\r\n\r\nHallo"
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        for _again in range(2):
            server.sendmail("x@y.example", [f"vraag@{settings.MAIL_DOMAIN}"], endless)
    work()
    assert InboundMessage.objects.get().state == "quarantined"


def test_the_same_mail_twice_is_one_mail_and_a_stranger_cannot_take_its_id(cast: Cast) -> None:
    question = ask(cast.alice)
    to = reply_to(offer_of(question))
    for sender in ("stranger@elsewhere.example", str(cast.bob.email), str(cast.bob.email)):
        mail(sender, to, f"From {sender}", message_id="<seen@mail.example>")
    work()
    assert InboundMessage.objects.filter(channel="email").count() == 2
    assert Answer.objects.get().text == f"From {cast.bob.email}"


def test_a_wave_of_forged_senders_makes_us_write_to_few(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handling, "STRANGERS_HOURLY", 3)
    for number in range(6):
        mail(f"victim{number}@elsewhere.example", f"vraag@{settings.MAIL_DOMAIN}", "spam")
    work()
    assert Letter.objects.filter(address__startswith="victim").count() == 3
    assert InboundMessage.objects.filter(state="quarantined").count() == 6


def test_rubbish_bytes_are_stored_and_settled(cast: Cast) -> None:
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("x@y.example", [f"vraag@{settings.MAIL_DOMAIN}"], b"\xff\xfe\x00 From: \xc3\x28\r\n\r\n\xff")
    work()
    assert InboundMessage.objects.get().state == "quarantined"


def test_a_sender_in_no_charset_does_not_come_back_for_ever(cast: Cast) -> None:
    raw = b"From: \xff\xfe <x\x00\xff@y.example>\r\nMessage-ID: <\xff\x00@y>\r\nSubject: \xff\r\n\r\nHallo\x00\xff"
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("x@y.example", [f"vraag@{settings.MAIL_DOMAIN}"], raw)
    work()
    assert InboundMessage.objects.get().state == "quarantined"
