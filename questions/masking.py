"""Numbers and addresses in a question's text are shown to nobody but the asker and the duty desk."""

import re

import phonenumbers

IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b")
MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
MASK = "•••"


def masked(text: str, region: str = "NL") -> str:
    """`text` with IBANs, mail addresses and phone numbers replaced by dots."""
    text = MAIL.sub(MASK, IBAN.sub(MASK, text))
    found = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.POSSIBLE)
    for match in reversed(list(found)):
        if sum(char.isdigit() for char in match.raw_string) >= 8:  # amounts and years are not numbers to call
            text = text[: match.start] + MASK + text[match.end :]
    return text
