"""A reply address belongs to one person: a mail from elsewhere waits for their word and tells nobody anything."""

import smtplib
from datetime import date
from typing import Any

import pytest
from django.conf import settings

from notifications.inbound import mime
from notifications.models import InboundMessage, ItemCode
from people.models import Person
from questions import promise
from questions.models import Answer, Question
from tests.conftest import Cast, ask, later, letters, mail, mails, offer_of, reply_to, text, work

PRIVATE = "bobby@private.example"
ANSWER = "Een dubbele maand."


def _mail_code(cast: Cast) -> ItemCode:
    return ItemCode.objects.get(person=cast.bob, item__startswith="mail:")


def _disclosed(question: Question, letter: Any) -> bool:
    said = f"{letter.subject.replace('Re: vraag', '')} {letter.body} {letter.html} {letter.other}"
    key = reply_to(offer_of(question)).split("@")[0]
    return any(secret in said for secret in (question.reference, question.text[:20], "Bob", "bob@", key))


def test_a_mail_from_an_unknown_address_waits_for_the_owners_yes(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(PRIVATE, reply_to(offer_of(question)), ANSWER)
    work()
    assert not Answer.objects.exists()
    held = InboundMessage.objects.get(sender=PRIVATE)
    assert (held.state, held.person) == ("held", cast.bob)
    assert PRIVATE in mails(cast.bob)[-1]
    assert ANSWER not in mails(cast.bob)[-1]
    [told] = letters(PRIVATE)
    assert not _disclosed(question, told)

    later(minutes=30)
    mail(str(cast.bob.email), f"{_mail_code(cast).reply_key}@{settings.MAIL_DOMAIN}", "Ja, die is van mij.")
    work()
    answer = Answer.objects.get()
    assert (answer.text, answer.author) == (ANSWER, cast.bob)
    assert answer.received_at == held.received_at
    held.refresh_from_db()
    assert held.state == "handled"
    assert len(letters(PRIVATE)) == 1


def test_the_owner_may_say_so_by_sms(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(PRIVATE, reply_to(offer_of(question)), ANSWER)
    work()
    text(cast.bob, f"JA {_mail_code(cast).code}")
    work()
    assert Answer.objects.get().text == ANSWER


def test_after_a_no_it_never_counts(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(PRIVATE, reply_to(offer_of(question)), ANSWER)
    work()
    code = _mail_code(cast)
    mail(str(cast.bob.email), f"{code.reply_key}@{settings.MAIL_DOMAIN}", "Nee")
    work()
    text(cast.bob, f"JA {code.code}")
    work()
    assert not Answer.objects.exists()
    assert InboundMessage.objects.get(sender=PRIVATE).state == "quarantined"


def test_without_a_word_it_is_refused_after_a_day(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(PRIVATE, reply_to(offer_of(question)), ANSWER)
    work()
    later(hours=25)
    text(cast.bob, f"JA {_mail_code(cast).code}")
    work()
    assert not Answer.objects.exists()
    held = InboundMessage.objects.get(sender=PRIVATE)
    assert (held.state, held.reason) == ("refused", "not_confirmed")


def test_a_colleague_with_somebody_elses_key_learns_nothing(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.mallory.email), reply_to(offer_of(question)), "I answer this.")
    mail(str(cast.mallory.email), f"{'0' * 32}@{settings.MAIL_DOMAIN}", "And this.")
    work()
    assert not Answer.objects.exists()
    genuine, invented = letters(cast.mallory.email)
    assert genuine.body == invented.body
    assert not _disclosed(question, genuine)
    states = InboundMessage.objects.filter(sender=cast.mallory.email).order_by("received_at")
    assert [message.state for message in states] == ["held", "quarantined"]


def test_whoever_found_a_reply_address_cannot_fill_a_mailbox(cast: Cast) -> None:
    question = ask(cast.alice)
    before = len(mails(cast.bob))
    for number in range(8):
        mail(f"x{number}@private.example", reply_to(offer_of(question)), "spam")
    work()
    assert len(mails(cast.bob)) == before + 5
    assert InboundMessage.objects.filter(state="quarantined").count() == 3


def test_the_question_whether_it_is_theirs_cannot_be_answered_from_elsewhere(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(PRIVATE, reply_to(offer_of(question)), ANSWER)
    work()
    mail(PRIVATE, f"{_mail_code(cast).reply_key}@{settings.MAIL_DOMAIN}", "Ja")
    work()
    assert not Answer.objects.exists()
    assert InboundMessage.objects.filter(state="quarantined").count() == 1


def test_the_key_of_somebody_who_left_opens_nothing(cast: Cast) -> None:
    question = ask(cast.alice)
    to = reply_to(offer_of(question))
    Person.objects.filter(pk=cast.bob.pk).update(left_on=date(2020, 1, 1))
    mail(str(cast.bob.email), to, ANSWER)
    work()
    assert not Answer.objects.exists()
    assert InboundMessage.objects.get(channel="email").state == "quarantined"


def test_a_breach_waits_for_the_word_of_whose_answer_it_may_be(cast: Cast) -> None:
    question = ask(cast.alice)
    to = reply_to(offer_of(question))
    later(hours=23, minutes=50)
    mail(PRIVATE, to, ANSWER)
    work()
    later(minutes=20)
    promise.run_due()
    text(cast.bob, f"JA {_mail_code(cast).code}")
    work()
    question.current_round.refresh_from_db()
    assert question.current_round.verdict == "kept"


FORGED = {
    "two From headers": b"From: bob@vonkmobiel.example\r\nFrom: evil@x.example\r\n",
    "two From headers, one of them rubbish": b"From: bob@vonkmobiel.example\r\nFrom: evil\r\n",
    "two addresses": b"From: bob@vonkmobiel.example, evil@x.example\r\n",
    "empty": b"From: \r\n",
    "none": b"",
    "a name that is an address": b'From: "bob@vonkmobiel.example" <evil@x.example>\r\n',
    "a name without quotes": b"From: bob@vonkmobiel.example <evil@x.example>\r\n",
    "an encoded name": b"From: =?utf-8?q?Bob_=3Cbob=40vonkmobiel=2Eexample=3E?= <evil@x.example>\r\n",
    "an encoded address": b"From: =?utf-8?q?bob=40vonkmobiel=2Eexample?=\r\n",
    "a comment": b"From: evil@x.example (bob@vonkmobiel.example)\r\n",
    "a group": b"From: Experts: bob@vonkmobiel.example, evil@x.example;\r\n",
    "a NUL": b"From: bob@vonkmobiel.example\x00@x.example\r\n",
    "a look-alike domain": "From: bob@vonkmobiel.exаmple\r\n".encode(),  # noqa: RUF001 — a Cyrillic letter
    "Sender": b"From: evil@x.example\r\nSender: bob@vonkmobiel.example\r\n",
    "Reply-To": b"From: evil@x.example\r\nReply-To: bob@vonkmobiel.example\r\n",
}


@pytest.mark.parametrize("head", FORGED.values(), ids=FORGED.keys())
def test_a_forged_sender_never_speaks_for_somebody(cast: Cast, head: bytes) -> None:
    question = ask(cast.alice)
    raw = head + b"Message-ID: <forged@x.example>\r\nSubject: x\r\n\r\nEvil answer."
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("bob@vonkmobiel.example", [reply_to(offer_of(question))], raw)
    work()
    assert not Answer.objects.exists()
    message = InboundMessage.objects.get(channel="email")
    assert message.state in {"quarantined", "held"}
    assert message.sender != cast.bob.email


def test_the_reply_goes_to_the_sender_who_was_checked_never_to_reply_to(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), ANSWER, Reply_To=PRIVATE, Sender="secretary@x.example")
    work()
    assert Answer.objects.get().text == ANSWER
    assert letters(PRIVATE) == []
    assert letters("secretary@x.example") == []
    assert ANSWER in mails(cast.bob)[-1]


@pytest.mark.parametrize(
    "name",
    [
        *("=?utf-8?Q?B=C3=B6b?= <BOB@VonkMobiel.Example>", "Bakker, Bob <bob@vonkmobiel.example>"),
        *('"Bakker, B. (Bob)" <bob@vonkmobiel.example>', "Bob [Vonk] <bob@vonkmobiel.example>", "bob@vonkmobiel.example"),
    ],
)
def test_the_address_counts_whatever_its_case_and_name(name: str) -> None:
    assert mime.from_address(mime.headers(f"From: {name}\r\n\r\nx".encode())) == "bob@vonkmobiel.example"
