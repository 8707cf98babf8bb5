"""Every text that may be sent by SMS, in both languages: in GSM-7, and within its segments with the longest values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.conf import settings

from notifications import segments
from questions.words.common import fit

ROOT = Path(settings.BASE_DIR)
# Where SMS are worded. A blank line in a text shows that it is a mail's.
MODULES = [
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "questions" / "words").glob("*.py")),
    *("questions/verbs.py", "questions/desk_commands.py", "rewards/verbs.py", "rewards/words.py", "rewards/by_text.py"),
    *("notifications/inbound/sms.py", "notifications/inbound/confirming.py", "people/codes.py"),
]
SEGMENTS = 2
# The longest that each can be. `text`, `lines` and `answer` are people's words, which `fit` and paging cut to what is left.
NAME, TOPIC = "Wilhelmina van Wijk", "Buitenland en roaming"
LONGEST = {
    **dict.fromkeys(("reference", "number"), "Q-WWWW"),
    **dict.fromkeys(("code", "verb"), "WW4"),
    **dict.fromkeys(("due", "when", "at", "until", "starts", "ends", "first", "last", "ends_at", "day"), "wo 25 nov 14:05"),
    **dict.fromkeys(
        ("name", "colleague", "person", "author", "asker", "giver", "who", "by", "from", "to"), "Wilhelmina van Wijk"
    ),
    **dict.fromkeys(
        ("topic", "topics", "names", "offer", "what", "badge", "state", "title", "app"), "Buitenland en roaming"
    ),
    **dict.fromkeys(("text", "lines", "answer", "remark", "note", "how", "more", "rest", "help", "reason", "why"), ""),
    "link": "https://vragen.vonkmobiel.example/q/" + "W" * 22,
    "label": "W" * 40,
    "sender": "wilhelmina.van.wijk@vonkmobiel.example",
}
OTHERWISE = "1234567"
# Texts for mail and for the back office alone, which need not be GSM-7.
NOT_FOR_SMS = re.compile(r"^(\d · |A colleague was asked:\n\n|Een collega kreeg deze vraag:\n\n)")


def _catalogue() -> Iterator[str]:
    with (ROOT / "backend/locale/nl/LC_MESSAGES/django.po").open("rb") as file:
        for message in read_po(file, locale="nl"):
            for side in (message.id, message.string):
                yield from [side] if isinstance(side, str) else side or ()


def _translations() -> dict[str, list[str]]:
    """English text → its Dutch ones (several where there is a plural)."""
    found: dict[str, list[str]] = {}
    with (ROOT / "backend/locale/nl/LC_MESSAGES/django.po").open("rb") as file:
        for message in read_po(file, locale="nl"):
            ids = [message.id] if isinstance(message.id, str) else list(message.id)
            dutch = [message.string] if isinstance(message.string, str) else list(message.string or ())
            found |= dict.fromkeys(ids, dutch)
    return found


def _texted() -> set[str]:
    """The English texts of the modules that word SMS, and of every refusal: those go to a phone as they are."""
    trees = [ast.parse((ROOT / module).read_text()) for module in MODULES]
    found = {text for tree in trees for text in _texts(tree)}
    for app in ("questions", "rewards", "people", "notifications"):
        for path in (ROOT / app).rglob("*.py"):
            raised = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise))
            found |= {text for node in raised for text in _texts(node)}
    return {text for text in found if "\n\n" not in text}


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"_", "ngettext"}:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def _filled(text: str) -> str:
    return re.sub(r"%\((\w+)\)[sd]|\{(\w+)\}", lambda name: LONGEST.get(name[1] or name[2], OTHERWISE), text)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_no_text_is_longer_than_its_segments(language: str) -> None:
    translations = _translations()
    texts = {text for english in _texted() for text in ([english] if language == "en" else translations[english])}
    assert len(texts) > 100
    long = {text: segments.count(segments.plain(_filled(text))) for text in texts}
    assert {text: count for text, count in long.items() if count > SEGMENTS} == {}


def test_no_text_needlessly_becomes_ucs_2() -> None:
    """All of them: whatever a refusal or a reply says may go to a phone."""
    texts = [text for text in _catalogue() if not NOT_FOR_SMS.match(text)]
    assert len(texts) > 1000
    assert {text for text in texts if not segments.is_gsm(segments.plain(text))} == set()


def test_what_is_put_into_the_texts_is_gsm_too() -> None:
    assert all(segments.is_gsm(value) for value in LONGEST.values())


@pytest.mark.parametrize("name", ["Bob", "Łukasz Żądło", "€€€ [Vonk] {x}"])
@pytest.mark.parametrize("text", ["Een heel lang antwoord. " * 40, "€ 5 per maand. " * 40, "Zażółć gęślą jaźń. " * 40])
def test_a_text_that_is_cut_to_fit_does_fit_whatever_stands_beside_it(name: str, text: str) -> None:
    said = fit("%(name)s answered: %(text)s", text, name=name)
    assert segments.count(said) <= SEGMENTS
    assert said.endswith("...")


def test_one_odd_character_is_found() -> None:
    assert not segments.is_gsm(segments.plain("Je vraag is binnen → wo 25 nov"))
    assert segments.count(segments.plain("a" * 159 + "→")) == 3
