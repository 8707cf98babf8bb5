"""SMS segments, to the character."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import outbox, segments
from tests.conftest import Cast, texts, work


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the pair moves to the second part, which then overflows
        ("ê" * 70, 1),
        ("ê" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("é è ü ö ä à", 1),
    ],
)
def test_segments_are_counted_exactly(text: str, expected: int) -> None:
    assert segments.count(text) == expected


def test_typographic_dutch_stays_gsm() -> None:
    assert segments.is_gsm(segments.plain("Zo’n “ideële” prijs – reëel… €\u00a05"))


def test_pages_lose_no_word_and_fit() -> None:
    text = " ".join(f"woord{number}" for number in range(200))
    pages = segments.pages(text, segments=2, reserve=20)
    assert " ".join(pages) == text
    assert all(segments.count(page + "x" * 20) <= 2 for page in pages)


def _least_parts(sizes: tuple[int, ...], room: int) -> int:
    """The fewest parts of `room` that hold these characters in order, none of them split: every way of cutting is tried."""
    if not sizes:
        return 0
    ways = (end for end in range(1, len(sizes) + 1) if sum(sizes[:end]) <= room)
    return 1 + min(_least_parts(sizes[end:], room) for end in ways)


@pytest.mark.parametrize(
    ("one", "two", "limits"),
    [("a", "€", ("SINGLE_SEPTETS", "PART_SEPTETS")), ("ê", "😀", ("SINGLE_UNITS", "PART_UNITS"))],
    ids=["GSM-7", "UCS-2"],
)
def test_every_short_text_takes_as_many_parts_as_trying_all_cuts_says(
    one: str, two: str, limits: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With small parts instead of 153 and 67, so that pairs meet every border in every way."""
    for room in (3, 4, 5):
        monkeypatch.setattr(segments, limits[0], room + 1)
        monkeypatch.setattr(segments, limits[1], room)
        for length in range(11):
            for text in map("".join, product((one, two), repeat=length)):
                sizes = tuple(2 if char == two else 1 for char in text)
                expected = 1 if sum(sizes) <= room + 1 else _least_parts(sizes, room)
                assert segments.count(text) == expected, text


def _as_a_phone_network_does(text: str) -> int:
    """Written anew, from the standard: septets into a buffer that is sent when the next character does not fit."""
    basic = (
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    )
    if set(text) <= set(basic) | set("^{}\\[~]|€\f"):
        pieces, single, part = [char if char in basic else "\x1b" + char for char in text], 160, 153
    else:
        pieces, single, part = [char if ord(char) < 0x10000 else "hl" for char in text], 70, 67
    if len("".join(pieces)) <= single:
        return 1
    sent, buffer = 0, ""
    for piece in pieces:
        if len(buffer + piece) > part:
            sent, buffer = sent + 1, ""
        buffer += piece
    return sent + 1


WRITTEN = st.text(st.sampled_from("aZé à€[]{}^~|\\ëê’😀\n.,"), min_size=0, max_size=700)


@given(WRITTEN)
def test_any_text_is_counted_as_a_phone_network_would(text: str) -> None:
    assert segments.count(text) == _as_a_phone_network_does(text)


@given(WRITTEN, st.integers(1, 3), st.integers(0, 40))
def test_pages_of_any_text_fit_and_lose_nothing(text: str, count: int, reserve: int) -> None:
    pages = segments.pages(text, segments=count, reserve=reserve)
    assert "".join("".join(page.split()) for page in pages) == "".join(text.split())
    assert all(segments.count(page + "x" * reserve) <= count for page in pages)


def test_whoever_words_an_sms_it_leaves_as_gsm(cast: Cast) -> None:
    outbox.enqueue(key="one", channel="sms", to=str(cast.bob.mobile), body="Zo’n “reële” prijs – € 5")
    work()
    assert texts(cast.bob) == ['Zo\'n "reele" prijs - € 5']
