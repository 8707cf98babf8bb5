"""What a text or a mail of commands does: verbs, items, menus that hold the text until the choice, questions back.

Nothing typed is lost: every message ends as an act, a refusal with its reason, or held with a question to its sender.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from notifications import addresses, guide, item_codes, reading, stops, verbs
from notifications.inbound import last_held, strangers
from notifications.inbound.outcome import Outcome, State, handled
from notifications.models import InboundMessage, ItemCode, StopRecord
from notifications.reading import Reading, read
from notifications.verbs import Command, Verb

MENU = "menu:"  # `reason` of a held message: the codes it could be about, in the order of the menu
NO_ITEM = "no_item"  # `reason` of a held text that may be a question
TYPO = "typo:"  # `reason` of a held message whose first word is nearly one of these verbs
MENU_LINES = 9
YES, NO = frozenset({"JA", "ACCEPT", "OK", "OKE"}), frozenset({"NEE", "DECLINE", "NO"})


def is_word_alone(text: str) -> bool:
    """STOP, JA, 2: what counts by itself, also when a greeting stands under it."""
    word = reading.bare_word(text)
    return word in verbs.CARRIER_WORDS | YES | NO or (word.isdecimal() and len(word) == 1)


def handle(message: InboundMessage, text: str, stranger: Any, *, reply_key: str = "") -> Outcome:
    """Whose it is, then what it does. `stranger` is what somebody unknown hears (lazy)."""
    owner = addresses.owner(message.channel, message.sender)
    known = owner is not None and owner.person.is_active and not owner.is_doubtful
    if owner is not None and owner.since and message.received_at < owner.since:
        return Outcome(State.QUARANTINED, reason="address_moved", text=text)  # its writer is not who has it now
    word = reading.bare_word(text)
    if len(text.split()) == 1 and text.upper() in addresses.STOP_WORDS:
        stops.stop(message.channel, message.sender, word=text.upper(), source=StopRecord.Source.WEBHOOK)
        return Outcome(State.HANDLED, reason="stop", text=text)
    if len(text.split()) == 1 and text.upper() in addresses.START_WORDS and known:
        stops.start(message.channel, message.sender, word=text.upper())
        return Outcome(State.HANDLED, reason="start", text=text)
    said = read(text)
    if not known or owner is None or (said.verb and said.verb.for_strangers):  # who has it now may be somebody else
        return replace(_from_stranger(message, text, said, stranger), reply_key=reply_key)
    with translation.override(owner.person.language):
        return replace(act(owner.person, message, text, word), reply_key=reply_key)


def _from_stranger(message: InboundMessage, text: str, said: Reading, sorry: Any) -> Outcome:
    """The few verbs that take strangers, a few times a day; anything else is quarantined."""
    verb = said.verb
    language = "en" if verb and said.word == verb.names[-1] != verb.names[0] else settings.LANGUAGE_CODE
    with translation.override(language):
        if verb is None or not verb.for_strangers:
            with translation.override(settings.LANGUAGE_CODE):
                return Outcome(State.QUARANTINED, str(sorry), "unknown_sender", text=text)
        if strangers.tried_too_often(message):
            return Outcome(State.QUARANTINED, reason="too_many_tries")
        try:
            with transaction.atomic():
                reply = verb.run(_command(None, message, said))
        except Refusal as refusal:
            return Outcome(State.QUARANTINED, refusal.message, strangers.REFUSED, is_counted=True)
    owner = addresses.owner(message.channel, message.sender)
    joined = owner.person if owner and not owner.is_doubtful and owner.person.is_active else None
    if joined is None:
        return Outcome(State.HANDLED, reply, strangers.REFUSED, is_counted=True)
    return handled(joined, reply)


def _command(person: Any, message: InboundMessage, said: Reading, item: ItemCode | None = None) -> Command:
    key = f"{message.channel}:{message.provider_id}"
    return Command(person, said.text, item, message.received_at, key, message.channel, message.sender)


def act(person: Any, message: InboundMessage, text: str, word: str = "") -> Outcome:
    """Do what a known person wrote. Runs in the transaction that also stores the outcome; a refusal undoes the doing."""
    try:
        with transaction.atomic():
            return _act(person, message, text, word or reading.bare_word(text))
    except Refusal as refusal:
        return Outcome(State.REFUSED, refusal.message, refusal.code, person, text)


def _act(person: Any, message: InboundMessage, text: str, word: str) -> Outcome:
    if not text:
        return handled(person, _("Your message was empty. %(help)s") % {"help": guide.now(person)})
    if guide.is_asked(text):
        return handled(person, guide.answer(person, text), text)
    held = last_held(person)
    settled = _choice(person, held, text, word) if held else None
    if held and settled:
        return _settle_held(held, settled, text)
    said = read(text)
    if held and said.verb and said.verb.takes_held and not said.text and _may_take(held, said):
        return _settle_held(held, _run(person, held, Reading(said.verb, said.code, _held_words(held))), text)
    if " " not in text and reading.near_carrier(word) and said.verb is None and not said.code:
        return handled(
            person, _("To get no more messages, text STOP. To get them again, START. HELP tells the rest."), text
        )
    return _maybe_typo(person, message, said, text) or _run(person, message, said, text)


def _settle_held(held: InboundMessage, outcome: Outcome, text: str) -> Outcome:
    """What waited is done, or waits on for the next choice; as of its own time either way."""
    held.settle(outcome.state, reason=outcome.reason, at=clock.now())
    return handled(outcome.person, outcome.reply, text)


def _may_take(held: InboundMessage, said: Reading) -> bool:
    """VRAAG takes what has no item; ANTW A7 anything that waits."""
    return bool(said.code) or not held.reason.startswith(MENU)


def _held_words(held: InboundMessage) -> str:
    """What was held, without the verb it came with; a mistyped word stays, who knows what it was."""
    return held.text if held.reason.startswith(TYPO) else read(held.text).text


# --- the choice --------------------------------------------------------------------------------------------------------


def _choice(person: Any, held: InboundMessage, text: str, word: str) -> Outcome | None:
    """What was held is done now, as of the time it came in. None: this text is no choice."""
    if held.reason.startswith(MENU):
        code = _picked(held.reason.removeprefix(MENU).split(","), word)
        if not code:
            return None
        said = read(held.text)
        return _run(person, held, Reading(said.verb, code, said.text))
    if not held.reason.startswith(TYPO) or len(text.split()) > 2:
        return None
    names = held.reason.removeprefix(TYPO).split(",")
    if word in NO and not _asked_since(person, held):
        return _run(person, held, Reading(None, "", held.text))
    agreed = word in YES and len(names) == 1 and not _asked_since(person, held)
    name = names[0] if agreed else _picked(names, word)
    if not name:
        return None
    rest = reading.split(held.text)[1]
    said = read(f"{name} {rest}")
    return _run(person, held, said if said.verb else read(f"{name} {reading.code_of(rest)}"))


def _picked(choices: list[str], word: str) -> str:
    """By its number or by itself."""
    if word.isdecimal() and word.isascii() and len(word) == 1 and 1 <= int(word) <= len(choices):
        return choices[int(word) - 1]
    return word if word in choices else ""


def _asked_since(person: Any, held: InboundMessage) -> bool:
    """JA and NEE answer what was asked last: an offer that came after our question comes first."""
    kinds = verbs.VERBS["JA"].bare_kinds if "JA" in verbs.VERBS else ()
    return any(item.created_at > held.received_at for item in item_codes.open_items(person, *kinds)) if kinds else False


# --- a letter off ------------------------------------------------------------------------------------------------------


def _maybe_typo(person: Any, message: InboundMessage, said: Reading, text: str) -> Outcome | None:
    """Nearly a verb: ask, hold, and do nothing by ourselves. None when it is not, or reads better as an answer."""
    if said.verb is not None or said.code:
        return None
    rest = reading.split(text)[1]
    found = [verb.name() for verb in reading.meant(said.word) if _is_likely(person, verb, rest)]
    found = found or _too_wordy(person, said.word)
    if not found:
        return None
    if len(found) == 1:
        question = _("Did you mean %(verb)s? Reply OK.") % {"verb": found[0]}
        if not item_codes.open_items(person, *verbs.BARE):
            question += " " + _("A question for a colleague? Reply ASK.")
    else:
        question = _menu_text([f"{number} = {name}" for number, name in enumerate(found, 1)])
    return Outcome(State.HELD, question, TYPO + ",".join(found), person, text)


def _too_wordy(person: Any, word: str) -> list[str]:
    """ "Gelukt, dank je wel!": a verb of something open, with more behind it than the verb takes."""
    verb = verbs.named(word)
    if verb is None or not item_codes.open_items(person, *verb.kinds or ("",)):
        return []
    return [] if verb.needs_code or item_codes.open_items(person, *verbs.BARE) else [verb.name()]


def _is_likely(person: Any, verb: Verb, rest: str) -> bool:
    """Would it make a command? When an answer is expected, a free text behind the word makes it that answer."""
    again = read(f"{verb.names[0]} {rest}")
    if again.verb is not verb or not verb.suits(person, again.text):
        return False
    if verb.kinds and not item_codes.open_items(person, *verb.kinds):
        return False
    is_free = verb.words_max is None and verb.fits is None and bool(again.text) and not again.code
    return not (is_free and item_codes.open_items(person, *verbs.BARE))


# --- doing it ----------------------------------------------------------------------------------------------------------


def _run(person: Any, message: InboundMessage, said: Reading, text: str = "") -> Outcome:
    verb, item, text = said.verb, None, text or message.text
    if said.code:
        item = item_codes.find(person, said.code)
        if item is None:
            return handled(person, _("You have nothing with code %(code)s.") % {"code": said.code}, text)
        verb = verb or verbs.BARE.get(item.kind)
    if verb is None and item is None:
        return _bare(person, message, said, text)
    if verb is None or (item is not None and verb.kinds and item.kind not in verb.kinds):
        return handled(person, _("That is not possible for %(code)s.") % {"code": said.code}, text)
    if verb.kinds and item is None:
        return _pick_item(person, verb, message, said, text)
    if not verb.suits(person, said.text) and item_codes.open_items(person, *verbs.BARE):
        return _bare(person, message, Reading(None, "", text), text)
    return handled(person, verb.run(_command(person, message, said, item)), text)


def _bare(person: Any, message: InboundMessage, said: Reading, text: str) -> Outcome:
    """Text without verb and code counts only when exactly one item is open that can be answered."""
    items = item_codes.open_items(person, *verbs.BARE)
    if not items:
        ask = _("Is this a question for a colleague? Reply ASK and we pass it on. Reply HELP for help.")
        return Outcome(State.HELD, ask, NO_ITEM, person, text)
    if len(items) > 1:
        return _menu(person, items, text)
    run = verbs.BARE[items[0].kind].run
    return handled(person, run(_command(person, message, said, items[0])), text)


def _pick_item(person: Any, verb: Verb, message: InboundMessage, said: Reading, text: str) -> Outcome:
    items = item_codes.open_items(person, *verb.bare_kinds) if verb.bare_kinds else []
    if not items:
        return handled(person, _("You have nothing open that %(verb)s fits.") % {"verb": verb.name()}, text)
    if len(items) > 1:
        return _menu(person, items, text)
    return handled(person, verb.run(_command(person, message, said, items[0])), text)


def _menu(person: Any, items: Iterable[ItemCode], text: str) -> Outcome:
    shown = list(items)[:MENU_LINES]
    return Outcome(State.HELD, menu_of(shown), MENU + ",".join(item.code for item in shown), person, text)


def menu_of(shown: list[ItemCode]) -> str:
    return _menu_text([f"{number} = {item.code} {item.label}" for number, item in enumerate(shown, 1)])


def _menu_text(lines: list[str]) -> str:
    return _("Which one? Reply with the number:\n%(lines)s") % {"lines": "\n".join(lines)}
