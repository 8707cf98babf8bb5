"""An SMS, read: who sent it, which verb, about which item. Nothing typed is lost and nobody is met with silence."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from notifications import addresses, item_codes, stops, verbs
from notifications.inbound import last_held
from notifications.inbound.outcome import Outcome, State, handled
from notifications.models import Channel, InboundMessage, ItemCode, StopRecord
from notifications.verbs import Command, Verb

HELP_WORDS = frozenset({"HULP", "HELP", "INFO"})
MENU = "menu:"  # `reason` of a held message: the codes it could be about, in the order of the menu
NO_ITEM = "no_item"  # `reason` of a held text that may be a question


@dataclass(frozen=True)
class Reading:
    """What a text says: a verb, perhaps an item, and the rest. Without a verb it is a plain answer to something."""

    verb: Verb | None
    code: str
    text: str


def body_of(message: InboundMessage) -> str:
    """The words that were typed; NBSP and other odd spaces become spaces, invisible characters go."""
    fields = parse_qs(bytes(message.raw).decode("utf-8", "replace"), keep_blank_values=True)
    text = unicodedata.normalize("NFC", fields.get("Body", [""])[0]).replace("\x00", "")
    return "".join(
        " " if unicodedata.category(char) == "Zs" else char
        for char in text
        if unicodedata.category(char) not in {"Cf", "Co", "Cs"}
    ).strip()


def handle(message: InboundMessage) -> Outcome:
    """Decide and act. Runs in the transaction that also stores the outcome."""
    text = body_of(message)
    carrier = _carrier_word(message, text)
    if carrier:
        return carrier
    address = addresses.owner(Channel.SMS, message.sender)
    if address is None or not address.person.is_active:
        with translation.override(settings.LANGUAGE_CODE):
            return Outcome(State.QUARANTINED, _stranger(), "unknown_sender", text=text)
    person = address.person
    with translation.override(person.language):
        try:
            with transaction.atomic():
                return _act(person, message, text)
        except Refusal as refusal:
            return Outcome(State.REFUSED, refusal.message, refusal.code, person, text)


def _carrier_word(message: InboundMessage, text: str) -> Outcome | None:
    """STOP and START are honoured here too: a provider may swallow them, forward them, or both."""
    word = text.upper()
    if word in addresses.STOP_WORDS:
        stops.stop(Channel.SMS, message.sender, word=word, source=StopRecord.Source.WEBHOOK)
        return Outcome(State.HANDLED, reason="stop", text=text)
    if word in addresses.START_WORDS:
        stops.start(Channel.SMS, message.sender, word=word)
        return Outcome(State.HANDLED, reason="start", text=text)
    return None


def _stranger() -> str:
    return _("We do not know this number. Are you a colleague? Ask HR to add your mobile number.")


def _act(person: Any, message: InboundMessage, text: str) -> Outcome:
    if not text:
        return handled(person, _("Your message was empty. %(help)s") % {"help": help_text()})
    if text.upper() in HELP_WORDS:
        return handled(person, help_text(), text)
    held = last_held(person)
    chosen = _choice(person, held, text)
    if held and chosen:
        return _finish_held(person, held, chosen, text)
    reading = read(text)
    if held and held.reason == NO_ITEM and reading.verb and not reading.verb.kinds and not reading.text:
        return _use_held_text(person, held, reading.verb, text)
    return _run(person, reading, text, message.received_at, _key(message))


def _key(message: InboundMessage) -> str:
    return f"sms:{message.provider_id}"


def read(text: str) -> Reading:
    """`ANTW A7 tekst`, `A7 tekst`, `JA`, `ja hoor` — verb, code and text, each perhaps missing."""
    first, rest = _split(text)
    verb = verbs.named(first)
    if verb is None:
        code, text = (first, rest) if _is_code(first) else ("", text)
        return Reading(None, _clean(code), text)
    code, tail = "", rest
    if verb.kinds and _is_code(_split(rest)[0]):
        code, tail = _split(rest)
    if (verb.whole_message and tail) or (verb.needs_code and not code):
        return Reading(None, "", text)  # "ja hoor, dat klopt" is text, not a verb
    return Reading(verb, _clean(code), tail)


def _split(text: str) -> tuple[str, str]:
    parts = text.split(None, 1)
    return (parts[0] if parts else ""), (parts[1].strip() if len(parts) > 1 else "")


def _clean(word: str) -> str:
    return word.upper().strip(".,:;!?()")


def _is_code(word: str) -> bool:
    return item_codes.is_code(_clean(word))


def _run(person: Any, reading: Reading, raw_text: str, at: datetime, key: str) -> Outcome:
    verb, item = reading.verb, None
    if reading.code:
        item = item_codes.find(person, reading.code)
        if item is None:
            return handled(person, _("You have nothing with code %(code)s.") % {"code": reading.code}, raw_text)
        verb = verb or verbs.BARE.get(item.kind)
    if verb is None and item is None:
        return _bare(person, reading, raw_text, at, key)
    if verb is None or (item is not None and verb.kinds and item.kind not in verb.kinds):
        return handled(person, _("That is not possible for %(code)s.") % {"code": reading.code}, raw_text)
    if verb.kinds and item is None:
        return _pick_item(person, verb, reading, raw_text, at, key)
    return handled(person, verb.run(Command(person, reading.text, item, at, key)), raw_text)


def _bare(person: Any, reading: Reading, raw_text: str, at: datetime, key: str) -> Outcome:
    """Text without verb and code counts only when exactly one item is open that can be answered."""
    items = item_codes.open_items(person, *verbs.BARE)
    if not items:
        ask = _("Is this a question for a colleague? Reply ASK and we pass it on. Reply HELP for help.")
        return Outcome(State.HELD, ask, NO_ITEM, person, raw_text)
    if len(items) > 1:
        return _menu(person, items, raw_text)
    run = verbs.BARE[items[0].kind].run
    return handled(person, run(Command(person, reading.text, items[0], at, key)), raw_text)


def _pick_item(person: Any, verb: Verb, reading: Reading, raw_text: str, at: datetime, key: str) -> Outcome:
    items = item_codes.open_items(person, *verb.kinds)
    if not items:
        return handled(person, _("You have nothing open that %(verb)s fits.") % {"verb": verb.name()}, raw_text)
    if len(items) > 1:
        return _menu(person, items, raw_text)
    return handled(person, verb.run(Command(person, reading.text, items[0], at, key)), raw_text)


def _menu(person: Any, items: Iterable[ItemCode], raw_text: str) -> Outcome:
    shown = list(items)[:9]
    lines = [f"{number} = {item.code} {item.label}" for number, item in enumerate(shown, 1)]
    reply = _("Which one? Reply with the number:\n%(lines)s") % {"lines": "\n".join(lines)}
    return Outcome(State.HELD, reply, MENU + ",".join(item.code for item in shown), person, raw_text)


def _choice(person: Any, held: InboundMessage | None, text: str) -> ItemCode | None:
    """The item that a bare number or code picks from the menu that is waiting."""
    if held is None or not held.reason.startswith(MENU):
        return None
    codes = held.reason.removeprefix(MENU).split(",")
    word = _clean(text)
    if word.isdecimal() and word.isascii() and 1 <= int(word) <= len(codes):
        word = codes[int(word) - 1]
    return item_codes.find(person, word) if word in codes else None


def _finish_held(person: Any, held: InboundMessage, item: ItemCode, text: str) -> Outcome:
    """The text that waited is handled now, as of the time it came in."""
    reading = read(held.text)
    outcome = _run(person, Reading(reading.verb, item.code, reading.text), held.text, held.received_at, _key(held))
    held.settle(State.HANDLED, at=clock.now())
    return handled(person, outcome.reply, text)


def _use_held_text(person: Any, held: InboundMessage, verb: Verb, text: str) -> Outcome:
    reply = verb.run(Command(person, held.text, None, held.received_at, _key(held)))
    held.settle(State.HANDLED, at=clock.now())
    return handled(person, reply, text)


def help_text() -> str:
    """What can be texted, in one message."""
    return _(
        "ASK + text: ask a colleague. STATUS: your questions. ANSWER A7 + text: answer. ACCEPT or DECLINE A7."
        " MORE A7: read on. HELPED A7: it helped. BALANCE: your credits. GIVE: a gift. THANKS Bob: say thanks."
    )
