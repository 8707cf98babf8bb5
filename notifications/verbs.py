"""The registry of verbs. The apps above fill it in `AppConfig.ready()`; nothing here knows what a verb does.

What the API can do and no verb says stands in `without_verb`, with its reason; a test holds the two to the API.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import get_language

from notifications.addresses import START_WORDS, STOP_WORDS
from notifications.models import Channel, ItemCode

HELP_WORDS = frozenset({"HELP", "INFO"})
CARRIER_WORDS = STOP_WORDS | START_WORDS | HELP_WORDS  # theirs: never a verb of ours, never what a typo may have meant


@dataclass(frozen=True)
class Command:
    """What somebody wrote, read: `ANTW A7 De rekening …` → item A7, text "De rekening …"."""

    person: Any  # None: a stranger, for the few verbs that take them
    text: str
    item: ItemCode | None
    received_at: datetime
    message_key: str  # unique for the message that carried it: the key of every effect
    channel: str = Channel.SMS
    sender: str = ""  # from where it came


Run = Callable[[Command], str]


@dataclass(frozen=True)
class Verb:
    """`run` returns the sentence that goes back to the person, in their language (active while it runs)."""

    names: tuple[str, ...]  # Dutch first, English last; matched without regard to case
    run: Run
    about: Any = ""  # lazy: what it does, for HULP + verb
    example: Any = ""  # lazy
    operations: tuple[str, ...] = ()  # of the API: what somebody does with it instead of the app
    kinds: tuple[str, ...] = ()  # of items it works on; empty: it takes none
    roles: tuple[str, ...] = ()  # whom HULP tells of it; empty: everybody
    coded_kinds: tuple[str, ...] = ()  # of those: only with the code, a bare JA must never mean them
    needs_code: bool = False  # a word that answers begin with too ("Door een storing …"): a verb only with a code
    # More words than this behind it, and it is no command but text: "ja hoor, dat klopt", "Ik weet het niet".
    words_max: int | None = None
    # Does this text suit the verb? When an answer is expected and it does not, it is the answer: "Geef de klant …".
    fits: Callable[[Any, str], bool] | None = None
    takes_held: bool = False  # without text of its own it takes what is held: VRAAG, ANTW A7
    rank: int = 2  # HULP tells those of rank 1 first, and the others as far as there is room
    for_strangers: bool = False  # JOIN: from a number that is nobody's

    def name(self) -> str:
        """The verb as people are told it, in the language that is active."""
        return self.names[0] if (get_language() or "").startswith("nl") else self.names[-1]

    @property
    def bare_kinds(self) -> tuple[str, ...]:
        """Of which items the one that is open may be meant without its code."""
        return tuple(kind for kind in self.kinds if kind not in self.coded_kinds)

    def suits(self, person: Any, text: str) -> bool:
        return self.fits is None or self.fits(person, text)


VERBS: dict[str, Verb] = {}
ALL: list[Verb] = []  # as they were registered, for HULP and for the test that walks the API
BARE: dict[str, Verb] = {}  # by item kind: what text without a verb does to the one open item


def register(verb: Verb, *, bare: tuple[str, ...] = ()) -> None:
    """Add a verb; for items of the kinds `bare` it also takes text that names no verb.

    A name belongs to one verb, except that two apps may each give JA a meaning for item kinds of their own.
    """
    ALL.append(verb)
    for name in verb.names:
        if name in CARRIER_WORDS:
            raise ValueError(f"{name} is the carriers' word")
        known = VERBS.get(name)
        VERBS[name] = _both(known, verb) if known else verb
    BARE.update(dict.fromkeys(bare, verb))


def _both(first: Verb, second: Verb) -> Verb:
    if not first.kinds or not second.kinds or set(first.kinds) & set(second.kinds):
        raise ValueError(f"verb {second.names[0]} is taken")

    def run(command: Command) -> str:
        of_second = command.item is not None and command.item.kind in second.kinds
        return (second if of_second else first).run(command)

    coded = first.coded_kinds + second.coded_kinds
    return replace(first, kinds=first.kinds + second.kinds, coded_kinds=coded, run=run)


def named(word: str) -> Verb | None:
    return VERBS.get(word)


def for_kind(kind: str) -> list[Verb]:
    """What can be done with an item of this kind, in the order of registration."""
    return [verb for verb in ALL if kind in verb.kinds]
