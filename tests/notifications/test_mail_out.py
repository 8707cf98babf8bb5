"""What leaves as mail: the same words as text and HTML, in the reader's language, readable dark and without images."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from django.conf import settings

from notifications import delivery, outbox
from notifications.channels import TryLater, Undeliverable
from notifications.channels import email as email_channel
from notifications.models import Address, Delivery
from sandbox.models import Letter
from tests.conftest import Cast, letters, work

LINK = "https://vragen.vonkmobiel.example/a/" + "x" * 120
BODY = "Een collega kreeg <b>deze</b> vraag.\n\nWat onder een regel met --- intern staat, blijft onder collega's."
PAIRS = [("#1c1a22", "#ffffff"), ("#625c6d", "#ffffff"), ("#ffffff", "#a30f5b")]
DARK_PAIRS = [("#f1eef6", "#221f29"), ("#b4aebf", "#221f29"), ("#ff8cc6", "#221f29"), ("#ffffff", "#c2277a")]


def _mail(cast: Cast, **fields: Any) -> Letter:
    fields = {"subject": "Vraag Q-7F3K", "body": BODY, "link": LINK, "link_text": "Beantwoorden", **fields}
    outbox.enqueue(key="one", channel="email", to=str(cast.bob.email), reply_key="0" * 32, **fields)
    work()
    return letters(cast.bob.email)[-1]


def _composed(**fields: Any) -> EmailMessage:
    """As it goes over the wire."""
    row = Delivery(channel="email", to="bob@x.example", subject="Vraag", body=BODY, **fields)
    found: EmailMessage = message_from_bytes(email_channel.compose(row).message().as_bytes(), policy=policy.default)
    return found


def test_text_and_html_say_the_same_and_the_link_stands_plain_below_its_button(cast: Cast) -> None:
    letter = _mail(cast)
    for words in (letter.body, letter.html):
        assert "blijft onder collega" in words
        assert words.index("boven deze regel ---") < words.rindex("onder een regel")
        assert LINK in words
    assert letter.html.count(LINK) == 3  # the button, the plain link and what it shows
    assert "<b>deze</b>" in letter.body
    assert "&lt;b&gt;deze&lt;/b&gt;" in letter.html


@pytest.mark.parametrize(("language", "words"), [("nl", "Schrijf je antwoord"), ("en", "Write your reply")])
def test_it_speaks_the_readers_language(cast: Cast, language: str, words: str) -> None:
    letter = _mail(cast, language=language)
    assert words in letter.body
    assert words in letter.html
    assert f'<html lang="{language}"' in letter.html


def test_it_needs_no_images_and_loads_nothing_from_elsewhere(cast: Cast) -> None:
    html = _mail(cast).html
    assert not re.search(r"<img|<script|<link|<iframe|src=|url\(|@import|@font-face", html)
    assert set(re.findall(r'href="([^"]+)"', html)) == {LINK}


def test_programs_know_that_it_reads_in_the_dark_and_readers_of_screens_that_tables_are_layout(cast: Cast) -> None:
    html = _mail(cast).html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme:dark" in html
    assert len(re.findall("<table", html)) == len(re.findall('<table role="presentation"', html))
    assert "max-width:560px" in html
    assert "overflow-wrap:anywhere" in html


def test_whatever_sets_a_background_sets_the_colour_of_its_words_too(cast: Cast) -> None:
    html = _mail(cast).html
    styles = re.findall(r'style="([^"]+)"', html) + re.findall(r"\{([^{}]+)\}", html)
    papers = [style for style in styles if "background:" in style]
    assert len(papers) > 6
    assert [style for style in papers if not re.search(r"(^|;)color:", style)] == []


def test_the_list_of_mails_shows_the_news_and_not_how_to_reply(cast: Cast) -> None:
    html = _mail(cast).html
    first = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html[html.index("<body") :])).strip()
    assert first.startswith("Een collega kreeg")
    assert "display:none" in html[: html.index("Een collega kreeg")]


@pytest.mark.parametrize(("ink", "paper"), [*PAIRS, *DARK_PAIRS])
def test_every_colour_can_be_read(cast: Cast, ink: str, paper: str) -> None:
    html = _mail(cast).html
    assert ink in html
    assert paper in html
    lighter, darker = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_machines_are_told_that_a_machine_wrote_it_and_threads_hold_together() -> None:
    mail = _composed(in_reply_to="<first@x.example>", reply_key="0" * 32)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["In-Reply-To"] == mail["References"] == "<first@x.example>"
    assert mail["Reply-To"].addresses[0].addr_spec == f"{'0' * 32}@{settings.MAIL_DOMAIN}"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert all(len(line) <= 998 for line in mail.as_bytes().split(b"\n"))


def test_a_subject_of_several_lines_adds_no_header() -> None:
    mail = email_channel.compose(
        Delivery(channel="email", to="bob@x.example", subject="Vraag\r\nBcc: x@y.example", body="x")
    )
    assert mail.message()["Bcc"] is None


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("550 5.1.1 no such user", False),
        ("550 no such user", False),
        ("550 5.7.1 looks like spam", True),
        ("552 5.2.2 mailbox full", True),
    ],
)
def test_only_a_dead_mailbox_costs_its_address(
    cast: Cast, answer: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox.mailbox import Catcher

    async def refuse(*_: Any) -> str:
        return answer

    monkeypatch.setattr(Catcher, "handle_RCPT", refuse, raising=False)
    outbox.enqueue(key="one", channel="email", to=str(cast.bob.email), body="x")
    delivery.send_due()
    assert Delivery.objects.get(key="one").state == "failed"
    assert (Address.objects.get(value=cast.bob.email).stopped_at is None) == kept


def test_a_wrong_password_of_ours_fails_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    import smtplib

    def refuse(*_: Any, **__: Any) -> None:
        raise smtplib.SMTPAuthenticationError(535, b"5.7.8 wrong password")

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
    row = Delivery(channel="email", to="bob@x.example", subject="Vraag", body="x")
    with pytest.raises(TryLater):
        email_channel.send(row)
    assert not issubclass(TryLater, Undeliverable)
