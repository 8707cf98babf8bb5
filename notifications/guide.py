"""HULP: what this person can do now, in one message; and one verb or one item explained."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications import item_codes, reading, segments, verbs
from notifications.models import ItemCode
from notifications.verbs import Command, Verb, register

SEGMENTS_MAX = 2
ITEMS_SHOWN = 3
VERBS_PER_ITEM = 3
LABEL_CHARACTERS = 22
PASSING_KINDS = frozenset({"found"})  # results of a search: nothing that waits


def now(person: Any) -> str:
    """Open items with their codes first, then the verbs of the person's roles, as many as two segments hold."""
    items = [item for item in item_codes.open_items(person) if item.kind not in PASSING_KINDS]
    lines = [_line(item) for item in items[:ITEMS_SHOWN]]
    if len(items) > ITEMS_SHOWN:
        lines.append(_("%(count)s more: STATUS") % {"count": len(items) - ITEMS_SHOWN})
    frame = "\n".join([*lines, "%s", _("HELP + word explains it.")])
    return segments.plain(frame % _as_many_as_fit(frame, _names(person)))


def _names(person: Any) -> list[str]:
    return [verb.name() for verb in sorted(verbs.ALL, key=lambda verb: verb.rank) if _can(person, verb)]


def is_asked(text: str) -> bool:
    """HELP and INFO are the carriers' and count alone; HELP + word is ours, as HULP + word is."""
    word, rest = reading.split(text)
    return word in verbs.HELP_WORDS and len(reading.words(rest)) <= (word == "HELP")


def answer(person: Any, text: str) -> str:
    return explain(person, reading.split(text)[1]) or now(person)


def _line(item: ItemCode) -> str:
    fitting = [verb.name() for verb in verbs.for_kind(item.kind)[:VERBS_PER_ITEM]]
    label = segments.plain(item.label)
    short = label if len(label) <= LABEL_CHARACTERS else label[: LABEL_CHARACTERS - 2].rstrip() + ".."
    return f"{item.code} {short}: {' '.join(fitting)}".replace("%", "%%")


def _can(person: Any, verb: Verb) -> bool:
    """Verbs that need no item; those stand behind their items."""
    return (
        not verb.kinds
        and not verb.for_strangers
        and verb.run is not help_with
        and (not verb.roles or person.has_role(*verb.roles))
    )


def _as_many_as_fit(frame: str, names: list[str]) -> str:
    count = len(names)
    while count and segments.count(segments.plain(frame % " ".join(names[:count]))) > SEGMENTS_MAX:
        count -= 1
    return " ".join(names[:count])


def help_with(command: Command) -> str:
    """HULP; HULP SALDO; HULP A7."""
    return explain(command.person, command.text) or now(command.person)


def explain(person: Any, text: str) -> str:
    """One verb, or what can be done with one item; empty when there is no such thing."""
    word, _rest = reading.split(text)
    verb = next((one for one in verbs.ALL if word in one.names), None)
    item = item_codes.find(person, word) if item_codes.is_code(word) else None
    if verb is not None:
        return segments.plain(f"{verb.name()}: {verb.about} " + _("Example: %(example)s") % {"example": verb.example})
    if item is not None:
        names = " ".join(dict.fromkeys(one.name() for one in verbs.for_kind(item.kind)))
        return segments.plain(f"{item.code} {item.label}: {names}. " + _("HELP + word explains it."))
    return ""


def fill_registry() -> None:
    register(
        Verb(
            ("HULP",),
            help_with,
            words_max=1,
            about=gettext_lazy("what you can do now; with a word or a code: explains that."),
            example=gettext_lazy("HELP BALANCE"),
        )
    )
