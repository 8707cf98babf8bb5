"""Voucher codes: unique, uniform, forgiving for readers and unforgiving for typing errors."""

import itertools
import uuid
from collections import Counter

import pytest

from rewards import codes

HOW_MANY = 100_000
SAMPLE = 300
CHI_SQUARE_31_DEGREES = 66.6  # exceeded by chance once in ten thousand


@pytest.fixture(scope="module")
def made() -> list[str]:
    return [codes.voucher(uuid.UUID(int=number), 1).code for number in range(HOW_MANY)]


def test_a_hundred_thousand_codes_are_all_different(made: list[str]) -> None:
    assert len(set(made)) == HOW_MANY


def test_every_place_uses_the_whole_alphabet_evenly(made: list[str]) -> None:
    expected = HOW_MANY / len(codes.ALPHABET)
    for place in range(codes.SYMBOLS):
        seen = Counter(code[place] for code in made)
        assert sum((seen[symbol] - expected) ** 2 / expected for symbol in codes.ALPHABET) < CHI_SQUARE_31_DEGREES


def test_every_code_reads_back(made: list[str]) -> None:
    assert all(codes.read(codes.shown(code)) == code for code in made)


def test_every_single_wrong_symbol_is_caught(made: list[str]) -> None:
    for code in made[:SAMPLE]:
        for place, wrong in itertools.product(range(codes.SYMBOLS), codes.ALPHABET):
            if wrong != code[place]:
                assert codes.read(code[:place] + wrong + code[place + 1 :]) is None


def test_every_swap_of_two_different_symbols_is_caught_not_only_of_neighbours(made: list[str]) -> None:
    for code in made[:SAMPLE]:
        for first, second in itertools.combinations(range(codes.SYMBOLS), 2):
            swapped = list(code)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            if code[first] != code[second]:
                assert codes.read("".join(swapped)) is None


def test_every_error_and_every_swap_of_symbols_is_caught_whatever_stands_around() -> None:
    """The check is linear: an error is caught in every code when its own weighted sum is not zero."""
    for place, value in itertools.product(range(1, codes.SYMBOLS + 1), range(1, 32)):
        assert codes._times(value, codes._WEIGHT[place]) != 0
    assert len(set(codes._WEIGHT[1:])) == codes.SYMBOLS


def test_people_may_type_it_as_they_like() -> None:
    code = codes.with_check("0" * 13 + "1")
    assert (
        codes.read(f" {code[:4].lower().replace('0', 'o')} {code[4:9]}–{code[9:13]}-{code[13:].replace('1', 'l')} ") == code
    )
    assert codes.read("I".join(code.split("1"))) == code


@pytest.mark.parametrize("text", ["", "0", "x" * 60, "U" * 15, "0" * 14, "0" * 16, "😀" * 15, "٠" * 15])
def test_what_is_no_code_is_none(text: str) -> None:
    assert codes.read(text) is None


def test_a_new_number_gives_another_link_and_another_code_and_nothing_else_does() -> None:
    first, again, second = (codes.voucher(uuid.UUID(int=7), number) for number in (1, 1, 2))
    assert first == again
    assert {first.secret, first.code}.isdisjoint({second.secret, second.code})
    assert len(first.secret) == 22
    assert len(first.code) * 5 - 5 >= 60
