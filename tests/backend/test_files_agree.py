"""What is committed beside the code agrees with it: specification, migrations, translations."""

import json
import re
from pathlib import Path
from typing import Any

from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command

from backend.management.commands.openapi import FILE, specification

LOCALE = settings.BASE_DIR / "backend" / "locale"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def test_the_specification_is_the_codes() -> None:
    assert FILE.read_text() == specification(), "run `make spec`"


def test_every_string_and_integer_that_comes_in_is_bounded() -> None:
    spec = json.loads(specification())
    bodies = {
        ref
        for path in spec["paths"].values()
        for operation in path.values()
        for ref in re.findall(r"#/components/schemas/(\w+)", json.dumps(operation.get("requestBody", {})))
    }
    assert bodies
    loose = [f"{name}.{field}" for name in bodies for field in _unbounded(spec["components"]["schemas"][name])]
    assert loose == []


def _unbounded(schema: dict[str, Any]) -> list[str]:
    found = []
    for name, field in schema.get("properties", {}).items():
        for shape in field.get("anyOf", [field]):
            if shape.get("type") == "string" and not {"maxLength", "format", "enum", "const"} & set(shape):
                found.append(name)
            if shape.get("type") == "integer" and not {"minimum", "maximum"} <= set(shape):
                found.append(name)
    return found


def test_every_operation_tells_its_errors_in_our_shape() -> None:
    spec = json.loads(specification())
    for path in spec["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            for status, response in operation["responses"].items():
                is_step = "SignInPending" in str(response)  # allauth says by a 401 that a sign-in is under way
                if int(status) >= 400 and not is_step:
                    assert list(response["content"]) == ["application/problem+json"]


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def _source_texts() -> set[str]:
    with (LOCALE / "babel.cfg").open() as handle:
        methods, options = parse_mapping_cfg(handle)  # type: ignore[no-untyped-call]
    found = extract_from_dir(settings.BASE_DIR, methods, options, keywords=_keywords(), directory_filter=_ours)
    return {text for _file, _line, message, _comments, _context in found for text in _singular(message)}


def _singular(message: Any) -> list[str]:
    return [message] if isinstance(message, str) else [message[0]]


def _keywords() -> dict[str, Any]:
    from babel.messages.extract import DEFAULT_KEYWORDS

    return {**DEFAULT_KEYWORDS, "gettext_lazy": None, "_now": None}


def _ours(folder: str) -> bool:
    return Path(folder).name not in {".venv", ".tools", "var", "tests", "node_modules", ".git", "benchmarks"}


def test_every_text_is_translated_with_the_same_placeholders() -> None:
    with (LOCALE / "nl" / "LC_MESSAGES" / "django.po").open("rb") as handle:
        catalog = read_po(handle, locale="nl")
    missing = sorted(text for text in _source_texts() if not (message := catalog.get(text)) or not message.string)
    assert missing == [], "run `make words` and translate"
    assert not catalog.fuzzy, "without its header Babel takes the whole catalog for a draft and compiles nothing"
    for message in catalog:
        if message.id:
            assert not message.fuzzy, message.id
            assert set(PLACEHOLDER.findall(str(message.id))) == set(PLACEHOLDER.findall(str(message.string))), message.id
