"""Whoever has only the specification misses nothing: words, examples, limits and refusals of every operation."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from ninja.operation import Operation

from backend.api import api, sign_in
from backend.management.commands.openapi import specification

CHANGES_NOTHING_TWICE = {
    *("till_look_up", "till_void", "till_sell_late"),  # reads; ends once; has its receipts
    *("request_sign_in_code", "confirm_sign_in_code", "abandon_sign_in"),  # limited, used up and over by themselves
    *("begin_single_sign_on", "sign_in_with_oidc"),  # keeps nothing; once for each attempt. Nobody is signed in yet
}


@cache
def spec() -> Any:
    return json.loads(specification())


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, found in spec()["paths"].items():
        for method, operation in found.items():
            yield path, method, operation


def lacking(wanted: Any) -> list[str]:
    return [operation["operationId"] for path, method, operation in operations() if not wanted(path, method, operation)]


def test_every_operation_has_a_name_a_line_and_a_text() -> None:
    names = [operation["operationId"] for _path, _method, operation in operations()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z_]+", name) for name in names)
    assert lacking(lambda path, method, operation: operation["summary"] and operation["tags"]) == []
    assert lacking(lambda p, m, operation: operation["description"] != f"{operation['summary']}.") == []


def test_every_field_and_parameter_is_described() -> None:
    fields = [
        f"{name}.{field}"
        for name, shape in spec()["components"]["schemas"].items()
        for field, inner in shape.get("properties", {}).items()
        if not inner.get("description")
    ]
    assert fields == []
    assert lacking(lambda p, m, operation: all(x.get("description") for x in operation.get("parameters", []))) == []


def test_every_body_and_every_refusal_has_an_example() -> None:
    def shown(_path: str, _method: str, operation: Any) -> bool:
        bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
        contents = [inner for body in bodies for inner in body.get("content", {}).values()]
        return all("example" in inner or inner.get("examples") for inner in contents)

    assert lacking(shown) == []


def test_every_refusal_is_of_its_status_and_known() -> None:
    examples = spec()["components"]["examples"]
    for _path, _method, operation in operations():
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get("application/problem+json")
            if content:
                for code, reference in content["examples"].items():
                    assert reference["$ref"] == f"#/components/examples/{code}"
                    assert examples[code]["value"]["status"] == int(status)


def test_every_operation_that_writes_takes_a_key() -> None:
    def takes(path: str, method: str, operation: Any) -> bool:
        return method == "get" or any(x["name"] == "Idempotency-Key" for x in operation.get("parameters", []))

    assert set(lacking(takes)) == CHANGES_NOTHING_TWICE


def test_times_amounts_and_ids_say_what_they_are() -> None:
    loose = []
    for name, shape in spec()["components"]["schemas"].items():
        for field, inner in shape.get("properties", {}).items():
            kinds = inner.get("anyOf", [inner])
            if field.endswith("_at") and not any(kind.get("format") == "date-time" for kind in kinds):
                loose.append(f"{name}.{field} is no time")
            if field.endswith("_at") and not re.search(r"UTC|offset", inner["description"]):
                loose.append(f"{name}.{field} does not say its zone")
            if field.endswith("_cents") and "cent" not in inner["description"]:
                loose.append(f"{name}.{field} does not say its unit")
            if "oneOf" in inner:
                loose.append(f"{name}.{field} is one of several shapes")
    assert loose == []


def routed() -> Iterator[tuple[str, Operation]]:
    for _prefix, router in (*api._routers, *sign_in._routers):
        for view in router.path_operations.values():
            for operation in view.operations:
                yield str(operation.operation_id), operation


@pytest.mark.parametrize(("name", "operation"), list(routed()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_example_is_what_the_code_takes_and_gives(name: str, operation: Operation) -> None:
    [told] = [found for _path, _method, found in operations() if found["operationId"] == name]
    if "requestBody" in told and "application/json" in told["requestBody"]["content"]:
        [body] = [model for model in operation.models if model.__ninja_param_source__ == "body"]
        [field] = body.model_fields
        body.model_validate({field: told["requestBody"]["content"]["application/json"]["example"]})
    for status, response in told["responses"].items():
        content = response.get("content", {}).get("application/json")
        if content:
            operation.response_models[int(status)].model_validate({"response": content["example"]})
