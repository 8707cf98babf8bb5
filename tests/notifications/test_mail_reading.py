"""Only what the person wrote is read, in any mail program: `mails/NAME.eml` came in, `mails/NAME.txt` counts."""

import smtplib
from pathlib import Path
from uuid import UUID

from django.conf import settings

from notifications import item_codes, outbox
from notifications.inbound import html_text, mime, quotes
from notifications.models import InboundMessage, ItemCode
from questions.models import Answer, Question
from tests.conftest import Cast, ask, mails, offer_of, reply_to, work

MAILS = Path(__file__).parent / "mails"
SENT = (MAILS / "sent.txt").read_text()
SENT_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")  # the mail that those in the collection answer
FORWARDS = "forward_"  # these go to vraag@, the others answer an item


def _raw(name: str) -> bytes:
    return (MAILS / f"{name}.eml").read_bytes()


def _bring(raw: bytes, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", settings.MAIL_IN_PORT, timeout=10) as server:
        server.sendmail("bob@vonkmobiel.example", [to], raw)


def _item_of(cast: Cast) -> ItemCode:
    """Something of Bob's that takes replies and changes nothing, and about which he had a mail."""
    question = Question.objects.get(pk=ask(cast.bob, "Hoe werkt mijn voicemail?").pk)
    code = item_codes.open_for(cast.bob, question.subject_key, "vraag")
    to = str(cast.bob.email)
    outbox.enqueue(key="sent", channel="email", to=to, person=cast.bob, id=SENT_ID, body=SENT, reply_key=code.reply_key)
    return code


def test_of_each_mail_in_the_collection_only_the_writers_words_are_read(cast: Cast) -> None:
    key = _item_of(cast).reply_key
    names = sorted(path.stem for path in MAILS.glob("*.eml"))
    for name in names:
        _bring(_raw(name), f"{'vraag' if name.startswith(FORWARDS) else key}@{settings.MAIL_DOMAIN}")
    stored = {name: mime.header(mime.headers(_raw(name)), "Message-ID") for name in names}
    work()
    read = {name: InboundMessage.objects.get(provider_id=stored[name]) for name in names}
    assert len(names) >= 60
    assert {name: message.text for name, message in read.items()} == {
        name: (MAILS / f"{name}.txt").read_text()[:-1] for name in names
    }
    assert {message.state for message in read.values()} == {"handled"}
    assert all(bytes(message.raw).strip() == _raw(name).strip() for name, message in read.items())


def test_attachments_are_noted_and_their_sender_told(cast: Cast) -> None:
    question = ask(cast.alice)
    _bring(_raw("nested_rfc822_with_text"), reply_to(offer_of(question)))
    _bring(_raw("inline_images"), reply_to(offer_of(question)))
    work()
    noted = InboundMessage.objects.filter(channel="email").order_by("received_at")
    assert [message.attachments for message in noted] == [["rekening.eml"], []]
    assert "rekening.eml" in mails(cast.bob)[-2]
    assert "logo.png" not in mails(cast.bob)[-1]
    assert not Answer.objects.filter(text__contains="Waarom betaal ik").exists()


def test_a_mail_with_nothing_but_an_attachment_answers_nothing_and_says_so(cast: Cast) -> None:
    question = ask(cast.alice)
    _bring(_raw("attachment_only"), reply_to(offer_of(question)))
    work()
    assert not Answer.objects.exists()
    assert "reëel.pdf" in mails(cast.bob)[-1]


def test_the_links_we_sent_never_come_back_as_an_answer(cast: Cast) -> None:
    question = ask(cast.alice)
    _bring(_raw("outlook_desktop_nl_inline_in_red"), reply_to(offer_of(question)))
    work()
    answer = Answer.objects.get()
    assert "twee maanden" in answer.text
    assert "/a/" not in answer.text


def test_the_note_below_a_dash_that_outlook_made_stays_inside(cast: Cast) -> None:
    question = ask(cast.alice)
    _bring(_raw("outlook_web_nl_intern_en_dash"), reply_to(offer_of(question)))
    work()
    answer = Answer.objects.get()
    assert (answer.text, answer.internal_note) == ("De eerste rekening telt twee maanden.", "Pro rata.")


def test_what_nobody_quoted_is_kept_whole_when_all_of_it_looks_like_a_quote() -> None:
    text = "Van: 10 euro\nAan: 12 euro\nDatum: 1 december\n"
    assert quotes.own_words(quotes.plain_lines(text), sent=SENT) == text.strip()
    assert quotes.own_words(quotes.plain_lines("> Het klopt zo."), sent=SENT) == "Het klopt zo."


def test_a_page_of_ten_thousand_open_tags_does_no_harm() -> None:
    assert html_text.lines("<div>" * 10_000 + "Het klopt.")[-1].text == "Het klopt."


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    """Each of these made a pattern try every way to read it."""
    for piece in ("Op 1 ", "On 1\n", "- ", "> ", "_", "–", "Van: x\n", "groet ", "\n\n", "Sent from "):
        quotes.own_words(quotes.plain_lines(piece * 20_000), sent=SENT)
