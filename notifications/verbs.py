"""The registry of SMS verbs. The apps above fill it in `AppConfig.ready()`; nothing here knows what a verb does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import get_language

from notifications.models import ItemCode


@dataclass(frozen=True)
class Command:
    """What somebody texted, read: `ANTW A7 De rekening …` → item A7, text "De rekening …"."""

    person: Any
    text: str
    item: ItemCode | None
    received_at: datetime
    message_key: str  # unique for the message that carried it: the key of every effect


@dataclass(frozen=True)
class Verb:
    """`run` returns the sentence that goes back to the person, in their language (active while it runs)."""

    names: tuple[str, ...]  # Dutch first; matched without regard to case
    run: Callable[[Command], str]
    kinds: tuple[str, ...] = ()  # of items it works on; empty: it takes none
    needs_code: bool = False  # a word that answers begin with too ("Door een storing …"): a verb only with a code
    whole_message: bool = False  # JA and NEE count only alone or with a code: "ja hoor, dat klopt" is text

    def name(self) -> str:
        """The verb as people are told it, in the language that is active."""
        return self.names[0] if (get_language() or "").startswith("nl") else self.names[-1]


VERBS: dict[str, Verb] = {}
BARE: dict[str, Verb] = {}  # by item kind: what text without a verb does to the one open item


def register(verb: Verb, *, bare: tuple[str, ...] = ()) -> None:
    """Add a verb; for items of the kinds `bare` it also takes text that names no verb. Names are unique."""
    for name in verb.names:
        if name in VERBS:
            raise ValueError(f"verb {name} is taken")
        VERBS[name] = verb
    BARE.update(dict.fromkeys(bare, verb))


def named(word: str) -> Verb | None:
    return VERBS.get(word.upper().strip(".,:;!?"))
