"""Mail from people, machines and forgers."""

import pytest
from django.conf import settings

from notifications.inbound.mail import parse, written_text
from notifications.models import InboundMessage
from questions.models import Answer, Question
from tests.conftest import Cast, ask, mail, mails, offer_of, reply_to, work


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List_Id": "<news.example>"},
        {"Auto_Submitted": "auto-generated; x=1"},
    ],
)
def test_machines_are_not_answered_and_answer_nothing(cast: Cast, headers: dict[str, str]) -> None:
    question = ask(cast.alice)
    before = len(mails(cast.bob))
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Ik ben er niet.", **headers)
    work()
    assert not Answer.objects.exists()
    assert len(mails(cast.bob)) == before
    assert InboundMessage.objects.filter(state="refused", reason="automatic").count() == 1


def test_a_mail_people_wrote_in_outlook_counts(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Zo zit het.", X_Auto_Response_Suppress="All")
    work()
    assert Answer.objects.get().text == "Zo zit het."


def test_somebody_elses_reply_address_is_quarantined_with_nothing_disclosed(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.mallory.email), reply_to(offer_of(question)), "I answer this.")
    work()
    assert not Answer.objects.exists()
    assert InboundMessage.objects.get(sender=cast.mallory.email).state == "quarantined"
    assert question.reference not in mails(cast.mallory)[-1].replace("Re: vraag", "")


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


def test_rubbish_bytes_are_stored_and_settled(cast: Cast) -> None:
    import smtplib

    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("x@y.example", [f"vraag@{settings.MAIL_DOMAIN}"], b"\xff\xfe\x00 From: \xc3\x28\r\n\r\n\xff")
    work()
    assert InboundMessage.objects.get().state == "quarantined"


def test_mail_for_other_domains_is_not_taken(cast: Cast) -> None:
    import smtplib

    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server, pytest.raises(smtplib.SMTPException):
        server.sendmail("x@y.example", ["somebody@elsewhere.example"], b"Subject: relay\r\n\r\nhi")


GMAIL_NL = """Het is een dubbele maand.

Groet,
Bob

Op di 24 nov 2026 om 12:00 schreef CEO-app <
abc@vragen.vonkmobiel.example>:

> Schrijf je antwoord boven deze regel ---
>
> Een collega kreeg de vraag: waarom?
"""
OUTLOOK_NL = """Het is een dubbele maand.

Van: CEO-app <app@vragen.vonkmobiel.example>
Verzonden: dinsdag 24 november 2026 12:00
Aan: Bob Bakker <bob@vonkmobiel.example>
Onderwerp: Vraag Q-7F3K

Schrijf je antwoord boven deze regel ---
Een collega kreeg de vraag: waarom?
"""
APPLE_EN = """It is a double month.

Sent from my iPhone

> On 24 Nov 2026, at 12:00, CEO-app <app@vragen.vonkmobiel.example> wrote:
>
> Write your reply above this line ---
> A colleague was asked: why?
"""


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        (GMAIL_NL, "Het is een dubbele maand."),
        (OUTLOOK_NL, "Het is een dubbele maand."),
        (APPLE_EN, "It is a double month."),
    ],
    ids=["gmail", "outlook", "apple"],
)
def test_only_what_the_person_wrote_is_read(raw: str, start: str) -> None:
    text = written_text(parse(b"From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + raw.encode()))
    assert text.startswith(start)
    assert "waarom" not in text
    assert "why" not in text
    assert "app@vragen" not in text


def test_a_mail_that_is_only_html_is_read() -> None:
    raw = b"From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Het <b>klopt</b> zo.</p>"
    assert written_text(parse(raw)) == "Het klopt zo."


def test_a_sender_in_no_charset_does_not_come_back_for_ever(cast: Cast) -> None:
    import smtplib

    raw = b"From: \xff\xfe <x\x00\xff@y.example>\r\nMessage-ID: <\xff\x00@y>\r\nSubject: \xff\r\n\r\nHallo\x00\xff"
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("x@y.example", [f"vraag@{settings.MAIL_DOMAIN}"], raw)
    work()
    assert InboundMessage.objects.get().state == "quarantined"
