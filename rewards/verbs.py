"""The SMS verbs of credits. Each returns the sentence that goes back, in the person's language."""

import re

from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid
from notifications.verbs import Command, Verb, register
from rewards import by_text, gifts, kudos, ledger, words

DIGITS = re.compile(r"\d{4}")
OFFERS_LISTED = 6


def balance(command: Command) -> str:
    return words.balance(command.person, ledger.wallet(command.person, clock.now()))


def give(command: Command) -> str:
    """GEEF: what there is; GEEF koffie + note: asks for digits; GEEF 4831: does it."""
    text = command.text.strip()
    if DIGITS.fullmatch(text):
        return by_text.confirm(command.person, text)
    open_ = gifts.open_offers(command.person, clock.now())
    if not text:
        return words.offers(open_[:OFFERS_LISTED], command.person)
    slug, _space, note = text.partition(" ")
    offer = next((offer for offer in open_ if offer.slug == slug.lower()), None)
    if offer is None:
        raise Invalid(words.offers(open_[:OFFERS_LISTED], command.person))
    by_text.ask_digits(
        command.person, words.give_what(offer, command.person), command.message_key, offer=offer, note=note.strip()[:300]
    )
    return ""


def thank(command: Command) -> str:
    """BEDANK Bob + note; BEDANK Bob 5 + note gives credits too and asks for digits; BEDANK 4831 does that."""
    text = command.text.strip()
    if DIGITS.fullmatch(text):
        return by_text.confirm(command.person, text)
    name, _space, rest = text.partition(" ")
    if not name:
        return _("Write whom you thank and for what: THANKS Bob 5 for your help.")
    colleague = kudos.colleague_named(command.person, name)
    number, _space, note = rest.strip().partition(" ")
    if not (number.isascii() and number.isdecimal() and int(number[:6]) > 0):
        kudos.thank(command.person, colleague, rest, request_key=command.message_key)
        return _("%(name)s has your thanks.") % {"name": colleague.first_name}
    what = _("%(credits)s credits for %(name)s") % {"credits": int(number[:6]), "name": colleague.first_name}
    by_text.ask_digits(
        command.person,
        what,
        command.message_key,
        colleague=colleague,
        credits=int(number[:6]),
        note=note or _("Thank you!"),
    )
    return ""


def fill_registry() -> None:
    register(Verb(("SALDO", "BALANCE"), balance))
    register(Verb(("GEEF", "GIVE"), give))
    register(Verb(("BEDANK", "THANKS"), thank))
