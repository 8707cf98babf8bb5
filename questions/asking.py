"""What somebody wishes for a question in a text: `VRAAG BEHALVE Joris, VERTROUWELIJK: waarom …?`"""

from typing import Any

from people import by_name
from people.models import Person

DIRECT = frozenset({"direct"})
CONFIDENTIAL = frozenset({"vertrouwelijk", "confidential"})
EXCEPT = ("behalve ", "except ")
HEAD_CHARACTERS = 80


def wishes(asker: Person, text: str) -> tuple[dict[str, Any], str]:
    """(what `intake.submit` takes, the question). Wishes stand before the first colon; when one of them is none, it was no
    list of wishes but the beginning of the question. Raises Invalid for a colleague that nobody knows."""
    head, colon, question = text.partition(":")
    parts = [part.strip() for part in head.split(",")]
    if not colon or not question.strip() or len(head) > HEAD_CHARACTERS or not all(map(_is_wish, parts)):
        return {}, text
    found: dict[str, Any] = {}
    for part in parts:
        if part.lower() in DIRECT:
            found["answer_mode"] = "direct"
        elif part.lower() in CONFIDENTIAL:
            found["confidential"] = True
        else:
            name = part.split(None, 1)[1]
            found.setdefault("not_to", []).append(by_name.colleague_named(asker, name).pk)
    return found, question.strip()


def _is_wish(part: str) -> bool:
    return part.lower() in DIRECT | CONFIDENTIAL or part.lower().startswith(EXCEPT)
