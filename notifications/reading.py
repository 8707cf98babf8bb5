"""What a text says: a verb, perhaps an item, and the rest. Pure: no database, nothing is done.

Tolerant of case, accents, odd spaces, punctuation and emoji around what is meant. A word that is one letter away from a
verb is found by `meant`, and only ever asked about.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from notifications import item_codes, verbs
from notifications.verbs import Verb

TYPO_LETTERS_MIN = 4  # JA, NEE and KEN are too near to ordinary words
BETWEEN = " \t\r\n:;,.!?-–—()*\"'«»“”‘’"


@dataclass(frozen=True)
class Reading:
    """Without a verb it is a plain answer to something. `word` is the first one, as it would name a verb."""

    verb: Verb | None
    code: str
    text: str
    word: str = ""


def tidy(text: str) -> str:
    """The words that were typed; NBSP and other odd spaces become spaces, invisible characters go."""
    text = unicodedata.normalize("NFC", text).replace("\x00", "")
    return "".join(
        " " if unicodedata.category(char) == "Zs" else char
        for char in text
        if unicodedata.category(char) not in {"Cf", "Co", "Cs"}
    ).strip()


def bare_word(text: str) -> str:
    """A word in capitals, without accents, emoji and punctuation: how verbs and codes are compared."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if char.isalnum()).upper()


def split(text: str) -> tuple[str, str]:
    """(the first word, bare; what stands behind it, as typed)"""
    found = re.search(r"\w+", text)
    if found is None:
        return "", ""
    rest = text[found.end() :]
    marks = re.match(r"[^\w\s]*(?=\s|$)", rest)  # "SALDO👍 " and "VRAAG: ": marks that hang on the word
    return bare_word(found.group()), rest[marks.end() if marks else 0 :].strip().lstrip(BETWEEN)


def words(text: str) -> list[str]:
    """What holds a letter or a digit: a smiley is no word."""
    return [word for word in text.split() if bare_word(word)]


def read(text: str) -> Reading:
    """`ANTW A7 tekst`, `A7 tekst`, `JA`, `ja hoor` — verb, code and text, each perhaps missing."""
    first, rest = split(text)
    verb, tail = _verb(first, rest)
    if verb is None:
        code, behind = _code(text)
        return Reading(None, code, behind if code else text, first)
    code, tail = _code(tail) if verb.kinds else ("", tail)
    too_long = verb.words_max is not None and len(words(tail)) > verb.words_max
    if too_long or (verb.needs_code and not code):
        return Reading(None, "", text, first)
    return Reading(verb, code, tail if words(tail) or verb.words_max is None else "", first)


def _verb(first: str, rest: str) -> tuple[Verb | None, str]:
    """Also written apart: NIET GELUKT."""
    second, tail = split(rest)
    joined = verbs.named(first + second) if second else None
    return (joined, tail) if joined else (verbs.named(first), rest)


def _code(text: str) -> tuple[str, str]:
    """The item code that a text begins with, also as `A 7`; else ("", the text)."""
    first, rest = split(text)
    if item_codes.is_code(first):
        return first, rest
    second, tail = split(rest)
    if len(first) == 1 and first.isalpha() and len(second) == 1 and item_codes.is_code(first + second):
        return first + second, tail
    return "", text


def code_of(text: str) -> str:
    return _code(text)[0]


# --- one letter off ----------------------------------------------------------------------------------------------------


def is_carriers(word: str) -> bool:
    return word in verbs.CARRIER_WORDS


def near_carrier(word: str) -> bool:
    """STOPP: not STOP, for that counts exactly, and nothing that we should guess at."""
    stops = verbs.CARRIER_WORDS - verbs.HELP_WORDS
    return any(one_off(word, other) for other in stops if len(other) >= TYPO_LETTERS_MIN)


def meant(word: str) -> list[Verb]:
    """The verbs that are one letter away from this word."""
    if not word.isalpha() or is_carriers(word) or word in verbs.VERBS:
        return []
    near = [name for name in verbs.VERBS if len(name) >= TYPO_LETTERS_MIN and one_off(word, name)]
    return list({id(verb): verb for verb in (verbs.VERBS[name] for name in near)}.values())


def one_off(word: str, other: str) -> bool:
    """One letter more, less or other, or two neighbours swapped."""
    if abs(len(word) - len(other)) > 1 or word == other:
        return False
    if len(word) == len(other):
        differ = [place for place, (one, two) in enumerate(zip(word, other, strict=True)) if one != two]
        swapped = any(
            differ == [a, b] and word[a] == other[b] and word[b] == other[a] for a, b in pairwise(range(len(word)))
        )
        return len(differ) == 1 or swapped
    short, long = sorted((word, other), key=len)
    return any(long[:place] + long[place + 1 :] == short for place in range(len(long)))
