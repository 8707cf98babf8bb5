"""Numbers and addresses in a question's text are shown to nobody but the asker and the duty desk."""

import re

import phonenumbers

IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b")
MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
MASK = "•••"


def masked(text: str, region: str = "NL") -> str:
    """`text` with IBANs, mail addresses and phone numbers replaced by dots."""
    text = MAIL.sub(MASK, IBAN.sub(MASK, text))
    for match in reversed(_phones(text, region)):
        text = text[: match.start] + MASK + text[match.end :]
    return text


def _phones(text: str, region: str) -> list[phonenumbers.PhoneNumberMatch]:
    found = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.POSSIBLE)
    # Amounts and years are not numbers to call.
    return [match for match in found if sum(char.isdigit() for char in match.raw_string) >= 8]


def repeats_private(text: str, question: str, region: str = "NL") -> bool:
    """Does `text` say again what is masked in `question`, in whatever spelling?"""
    private = [_bare(match.group()) for match in (*MAIL.finditer(question), *IBAN.finditer(question))]
    rest = MAIL.sub(MASK, IBAN.sub(MASK, question))
    private += [str(match.number.national_number) for match in _phones(rest, region)]
    return any(piece in _bare(text) for piece in private)


def _bare(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())
