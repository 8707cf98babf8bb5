"""An app in somebody's hand cannot be changed: what was released goes on working."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.management.commands.openapi import RELEASED as FOLDER
from backend.management.commands.openapi import specification
from tests.backend.spec_differences import breaking

RELEASED = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_nothing_that_was_released_is_broken(path: Any) -> None:
    assert breaking(json.loads(path.read_text()), json.loads(specification())) == []


def test_there_is_a_released_one_and_it_is_older() -> None:
    versions = [json.loads(path.read_text())["info"]["version"] for path in RELEASED]
    assert versions == [path.stem for path in RELEASED]
    assert json.loads(specification())["info"]["version"] not in versions


def schemas(spec: Any) -> Any:
    return spec["components"]["schemas"]


BREAKS: dict[str, Callable[[Any], Any]] = {
    "get_wallet: gone": lambda spec: spec["paths"].pop("/api/v1/wallet"),
    "answer.reference is gone": lambda spec: schemas(spec)["QuestionOut"]["properties"].pop("reference"),
    "body.text has a lower maxLength": lambda spec: schemas(spec)["AskIn"]["properties"]["text"].update(maxLength=100),
    "body.topic must be sent now": lambda spec: schemas(spec)["AskIn"]["required"].append("topic"),
    "answer.state may be null now": lambda spec: schemas(spec)["QuestionOut"]["properties"].update(
        state={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "answer.available was integer and is string": lambda spec: schemas(spec)["WalletOut"]["properties"].update(
        available={"type": "string"}
    ),
    "body.reason does not take ['conflict'] any more": lambda spec: schemas(spec)["DeclineIn"]["properties"]["reason"][
        "enum"
    ].remove("conflict"),
    "Idempotency-Key must be sent now": lambda spec: spec["paths"]["/api/v1/questions/{question_id}/relay"]["post"][
        "parameters"
    ][-1].update(required=True),
    "201 does not come any more": lambda spec: spec["paths"]["/api/v1/questions"]["post"]["responses"].pop("201"),
}


@pytest.mark.parametrize("line", BREAKS)
def test_each_kind_of_break_is_seen(line: str) -> None:
    now = json.loads(specification())
    broken = copy.deepcopy(now)
    BREAKS[line](broken)
    assert any(line in found for found in breaking(now, broken))
    assert breaking(now, now) == []


def test_more_is_never_a_break() -> None:
    now = json.loads(specification())
    more = copy.deepcopy(now)
    schemas(more)["QuestionOut"]["properties"]["mood"] = {"type": "string"}
    schemas(more)["AskIn"]["properties"]["mood"] = {"type": "string"}
    more["paths"]["/api/v1/moods"] = more["paths"]["/api/v1/topics"]
    assert breaking(now, more) == []
