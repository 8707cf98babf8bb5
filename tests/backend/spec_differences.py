"""What of a new specification would break an app that was built against an older one."""

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]
LOWER_BOUNDS = ("minLength", "minimum", "minItems")
UPPER_BOUNDS = ("maxLength", "maximum", "maxItems")


def breaking(old: Spec, new: Spec) -> list[str]:
    """One line for each: an operation, answer or field that is gone or of another kind, an input that is narrower."""
    found: list[str] = []
    for path, operations in old["paths"].items():
        for method, before in operations.items():
            name = before["operationId"]
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                found.append(f"{name}: gone")
            elif after["operationId"] != name:
                found.append(f"{name}: renamed to {after['operationId']}")
            else:
                found += [f"{name}: {line}" for line in _operation(before, after, old, new)]
    return found


def _operation(before: Any, after: Any, old: Spec, new: Spec) -> Iterator[str]:
    was = {(p["in"], p["name"]): p for p in before.get("parameters", [])}
    now = {(p["in"], p["name"]): p for p in after.get("parameters", [])}
    for where, parameter in now.items():
        if parameter.get("required") and not was.get(where, {}).get("required"):
            yield f"{where[1]} must be sent now"
        if where in was:
            yield from _input(where[1], was[where]["schema"], parameter["schema"], old, new)
    for where in was.keys() - now.keys():
        yield f"{where[1]} is not read any more"
    if "requestBody" in after:
        if "requestBody" not in before:
            yield "a body must be sent now"
        else:
            yield from _input("body", _body(before["requestBody"]), _body(after["requestBody"]), old, new)
    for status, response in before["responses"].items():
        if status < "300":
            if status not in after["responses"]:
                yield f"{status} does not come any more"
            elif "application/json" in after["responses"][status].get("content", {}):
                yield from _output("answer", _body(response), _body(after["responses"][status]), old, new)


def _body(holder: Any) -> Any:
    content = holder.get("content", {})
    return content[next(iter(content))]["schema"] if content else {}


def _resolved(shape: Any, spec: Spec) -> tuple[Any, bool]:
    """The schema itself, and whether it may be null."""
    several = shape.get("anyOf")
    if several:
        rest = [one for one in several if one.get("type") != "null"]
        return _resolved(rest[0], spec)[0], len(rest) < len(several)
    if "$ref" in shape:
        return _resolved(spec["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]], spec)
    return shape, False


def _input(where: str, before: Any, after: Any, old: Spec, new: Spec) -> Iterator[str]:
    (was, was_null), (now, is_null) = _resolved(before, old), _resolved(after, new)
    if was.get("type") != now.get("type"):
        yield f"{where} was {was.get('type')} and is {now.get('type')}"
        return
    if was_null and not is_null:
        yield f"{where} may not be null any more"
    if gone := set(was.get("enum", [])) - set(now.get("enum", was.get("enum", []))):
        yield f"{where} does not take {sorted(gone)} any more"
    for bound in LOWER_BOUNDS:
        if now.get(bound, float("-inf")) > was.get(bound, float("-inf")):
            yield f"{where} has a higher {bound}"
    for bound in UPPER_BOUNDS:
        if now.get(bound, float("inf")) < was.get(bound, float("inf")):
            yield f"{where} has a lower {bound}"
    for field in set(now.get("required", [])) - set(was.get("required", [])):
        yield f"{where}.{field} must be sent now"
    for field, inner in was.get("properties", {}).items():
        if field not in now.get("properties", {}):
            yield f"{where}.{field} is not read any more"
        else:
            yield from _input(f"{where}.{field}", inner, now["properties"][field], old, new)
    if "items" in was and "items" in now:
        yield from _input(f"{where}[]", was["items"], now["items"], old, new)


def _output(where: str, before: Any, after: Any, old: Spec, new: Spec) -> Iterator[str]:
    (was, was_null), (now, is_null) = _resolved(before, old), _resolved(after, new)
    if was.get("type") != now.get("type") or was.get("format") != now.get("format"):
        yield f"{where} was {was.get('type')} and is {now.get('type')}"
        return
    if is_null and not was_null:
        yield f"{where} may be null now"
    for field, inner in was.get("properties", {}).items():
        if field not in now.get("properties", {}):
            yield f"{where}.{field} is gone"
        else:
            yield from _output(f"{where}.{field}", inner, now["properties"][field], old, new)
    if "items" in was and "items" in now:
        yield from _output(f"{where}[]", was["items"], now["items"], old, new)
