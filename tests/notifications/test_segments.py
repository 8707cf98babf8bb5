"""SMS segments, to the character."""

import pytest

from notifications import segments


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
