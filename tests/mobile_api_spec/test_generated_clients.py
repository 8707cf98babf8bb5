"""What a mobile team gets out of a generator: it compiles, its names are ours, and it lives a day against the product."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.stack import Stack
from tests.mobile_api_spec.generator import SPEC, generate
from tests.mobile_api_spec.sign_in import code_of

pytestmark = pytest.mark.heavy
EXAMPLES = SPEC.parent / "examples"
SANNE = "+31612340000"


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SPEC.read_text())["components"]["schemas"]
    return found


def enums() -> list[tuple[str, str, list[str]]]:
    """(schema, property, values) of each closed list."""
    return [
        (name, field, about["enum"])
        for name, schema in schemas().items()
        for field, about in schema.get("properties", {}).items()
        if "enum" in about
    ]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("clients"))
    for folder in (made.var, *made.var.parents[:2]):
        folder.chmod(0o755)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example app, with the client generated anew and compiled with every strictness."""
    folder = tmp_path_factory.mktemp("app")
    for name in ("app.ts", "package.json", "tsconfig.json"):
        shutil.copy(EXAMPLES / name, folder)
    generate("typescript-fetch", folder / "client")
    subprocess.run(["npm", "install", "--silent", "--no-package-lock"], cwd=folder, check=True)
    subprocess.run(["npx", "tsc"], cwd=folder, check=True)
    return folder


def test_the_typescript_app_lives_its_day_against_the_product(stack: Stack, app: Path) -> None:
    running = subprocess.Popen(
        ["node", "out/app.js", stack.base, SANNE], cwd=app, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdin is not None
    assert running.stdout is not None
    assert running.stdout.readline() == "code?\n"
    running.stdin.write(code_of(stack, SANNE) + "\n")
    running.stdin.flush()
    asked = running.stdout.readline()
    assert asked.startswith("asked Q-")
    _answer(stack, asked.split()[1].rstrip(","))
    said = running.communicate(timeout=180)[0].splitlines()
    assert said[0] == "answer: Dat is de eerste maand."
    assert said[1].startswith(f"gift: {stack.base}/g/")
    assert said[2] == "refused: not_found"
    assert running.returncode == 0
    assert stack.sql("SELECT state FROM questions_question WHERE text LIKE '%%van mijn zus%%'") == [("relayed",)]


def _answer(stack: Stack, reference: str) -> None:
    """By SMS, as the expert to whom it was offered."""
    offer = (
        "SELECT c.code, p.mobile FROM questions_assignment a JOIN questions_question q ON q.id = a.question_id"
        " JOIN people_person p ON p.id = a.expert_id JOIN notifications_itemcode c ON c.person_id = p.id"
        " AND c.item = 'assignment:' || a.id WHERE q.reference = %s AND a.state IN ('offered', 'accepted')"
    )
    code, mobile = stack.until(lambda: stack.sql(offer, reference), "an offer")[0]
    stack.text(mobile, f"ANTW {code} Dat is de eerste maand.", "SM" + "c" * 32)


@pytest.mark.parametrize(
    ("kind", "models", "suffix"),
    [
        ("kotlin", "src/main/kotlin/org/openapitools/client/models", "kt"),
        ("swift6", "Sources/OpenAPIClient/Models", "swift"),
    ],
)
def test_names_and_enums_are_ours_in(tmp_path: Path, kind: str, models: str, suffix: str) -> None:
    said = generate(kind, tmp_path)
    assert "ERROR" not in said
    made = {path.stem: path.read_text() for path in (tmp_path / models).glob(f"*.{suffix}")}
    expected = {re.sub(r"[^A-Za-z0-9]", "", name) for name, about in schemas().items() if about.get("type") == "object"}
    assert set(made) >= expected
    assert not {name for name in made if re.search(r"Inline|AnyOf|OneOf|[a-z]\d+$", name)}  # what nobody named
    for schema, field, values in enums():
        text = made[re.sub(r"[^A-Za-z0-9]", "", schema)]
        assert re.search("unknown_?default", text, re.IGNORECASE), (schema, field)
        assert all(f'"{value}"' in text or f"case {value}" in text for value in values), (schema, field)
