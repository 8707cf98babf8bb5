"""The specification, completed: what django-ninja cannot know of our operations, for all of them in one place.

Which media types and headers really travel, that every write takes an Idempotency-Key, what each error's codes are (from
the refusals themselves and the names in an operation's text), a word for fields that mean the same everywhere, and an
example for every body, made from its schema so that it cannot drift.
"""

import re
from collections.abc import Iterator
from typing import Any

from backend.errors import Refusal
from backend.manners import PROBLEM_TYPE, TITLES

JSON = "application/json"
PROBLEM = "#/components/schemas/Problem"
MEDIA = {
    "stream_events": "text/event-stream",
    "get_statement_csv": "text/csv",
    "get_gift_qr": "image/svg+xml",
}
# As the reader wishes.
TABLE = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
# They have receipts or attempts of their own, and nobody is signed in yet.
WITHOUT_KEY = ("/api/v1/till/", "/api/v1/sign-in/", "/_allauth/")
TABLES = frozenset({"get_campaign_report", "get_employee_discounts", "get_lapsed_report"})
EVERYWHERE = ("429", "503")  # too many requests, or a server that is restarting
WITH_A_BODY = ("413", "415")
CODES_OF_STATUS = {
    "400": ("bad_request",),
    "401": ("not_signed_in",),
    "404": ("not_found",),
    "413": ("content_too_large",),
    "415": ("unsupported_media_type",),
    "422": ("validation_failed", "invalid"),
    "429": ("too_many_requests",),
    "503": ("busy",),
}
# Codes that no Refusal carries, and what is said with them.
OTHERS = {
    "not_signed_in": (401, "Sign in first."),
    "validation_failed": (422, "Some fields are not right."),
    "too_many_requests": (429, "Too many requests. Try again in 34 seconds."),
    "busy": (503, "Busy. Try again in a moment."),
    "method_not_allowed": (405, "This cannot be done here; what can is GET, HEAD, OPTIONS."),
    "internal_error": (500, "Something went wrong on our side. Try again later."),
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of the app's for this request: sent again it gives the first response and does nothing more.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]+$"},
}
HEADERS = {
    "X-Request-ID": ("Names this request, for support.", "019a3f6c5b7e7c3f9d1e2a4b6c8d0e1f"),
    "RateLimit-Policy": ("Requests (`q`) that may be sent in `w` seconds.", '"requests";q=600;w=60'),
    "RateLimit": ("How many are left (`r`), and in how many seconds the count begins anew (`t`).", '"requests";r=599;t=34'),
    "ETag": ("Of this body: send it as `If-None-Match` and get 304 while nothing has changed.", 'W/"5f2b8c0e"'),
    "Retry-After": ("Seconds to wait.", "34"),
    "Idempotent-Replayed": ("`true` when this is the first answer to the same key again.", "true"),
}
# What a field of this name means wherever it stands, unless its own schema says it.
FIELDS = {
    "id": "UUID; ids sort by the time they were made.",
    "items": "This page's, in the order of the list.",
    "language": "nl or en.",
    "reference": "For people, e.g. Q-7F3K.",
    "promise": "Until when an answer is promised, and how that stands.",
    "topic": "What it is about; null while nobody knows.",
    "text": "As it was written.",
    "name": "As people are called or things are named.",
    "team": "Null when HR knows none.",
    "author": "The expert's name.",
    "note": "What the giver wrote.",
    "person": "A person's id.",
    "level": "1 can answer, 2 knows it well, 3 is whom the others ask.",
    "price_credits": "In credits.",
    "credits": "Credits that came with it; 0 for none.",
    "is_confidential": "Never shown as an example to others.",
    "internal_note": "For colleagues only.",
    "title": "A line for people.",
    "body": "The text for people.",
    "is_urgent": "It could not wait for quiet hours.",
    "stale": "It stands still.",
    "percentage": "Percent off; null when it is not a percentage.",
    "product_code": "The shop's own code of the product; empty when it is none.",
    "slug": "Stable short name.",
    "thread": "What happened, oldest first.",
    "stand_in": "The colleague who takes over; null for none.",
    "receipt": "The till's own number of the sale.",
    "captured_cents": "In euro cents: sold.",
    "refunded_cents": "In euro cents: given back.",
    "is_frozen": "Nothing is given out while a review runs, or after leaving.",
    "employee_number": "HR's.",
    "platform": "ios or android.",
    "app_version": "As the app told it.",
    "locale": "The phone's language.",
    "picture_url": "Empty when there is none.",
    "offer_id": "One of `list_offers`.",
    "colleague_id": "One of `search_directory`.",
    "reason": "Why.",
    "count": "How many.",
    "groups": "The largest first.",
    "badges": "Those they chose to show.",
    "answers": "How many I gave.",
    "helped": "How many helped.",
    "not_helped": "How many did not.",
    "parts": "The processes.",
    "queues": "What waits to be done.",
    "sales": "Sold while the till was offline, oldest first.",
    "redemption_id": "The sale that was booked; null when it could not be.",
}
PARAMETERS = {
    "Idempotency-Key": KEY["description"],
    "person": "The colleague's id.",
    "topic": "The topic's slug.",
    "year": "A calendar year.",
}
ID = "019a3f6c-5b7e-7c3f-9d1e-2a4b6c8d0e1f"
EXAMPLES: dict[str, Any] = {
    "events_off": "gift_claimed",
    "mails_off": "gift_claimed",
    "text": "Waarom is mijn rekening deze maand hoger?",
    "question": "Waarom is mijn rekening deze maand hoger?",
    "answer": "Dat komt door gebruik buiten de bundel.",
    "reference": "Q-7F3K",
    "language": "nl",
    "name": "Bob Bakker",
    "author": "Bob Bakker",
    "giver": "Alice Achterberg",
    "receiver": "Bob Bakker",
    "email": "bob.bakker@vonkmobiel.example",
    "mobile": "+31612000002",
    "employee_number": "VM1011",
    "time_zone": "Europe/Amsterdam",
    "team": "Klantenservice",
    "slug": "billing",
    "offer": "koffie",
    "title": "Een kop koffie",
    "kind": "answered",
    "state": "answered",
    "status": "running",
    "code": "knows",
    "event": "question_answered",
    "subject": f"question:{ID}",
    "answer_mode": "via_me",
    "friend_link": "https://ceo.vonkmobiel.example/q/Jq3kP0bY7mVx2nTzWs8LdA",
    "link": "https://ceo.vonkmobiel.example/g/Jq3kP0bY7mVx2nTzWs8LdA",
    "cursor": "WyJubCIsIjc0...",
    "locale": "nl-NL",
    "app_version": "1.4.2 (310)",
    "platform": "ios",
    "token": "fcm-registration-token-of-this-phone",
    "receipt": "2026-000147",
    "topic": "billing",
    "wallet": "allowance",
    "amount_cents": 250,
    "basket_cents": 1250,
    "promise_hours": 24,
    "voucher": "7Q4M-KXD2-9F3A-W",
    "note": "Bedankt voor het meedenken!",
    "why": "knows Billing, 2 of 5 open, works until 17:30",
    "close_reason": "",
    "round": 1,
    "level": 2,
}


SIGN_ON = {
    "issuer": "https://login.vonkmobiel.example",
    "client_id": "ceo-app-mobile",
    "scopes": "openid email profile",
    "nonce": "8G0sQm1Vw3tYk7B2n5xJr9LdPzHc4aEfUoIi6KvTqWs",
    "attempt": "b3V0c2lkZXItc2VjcmV0LWtlcHQ:1vQx2Y:7yTz0mKq9wLr4BnXc1FdHsGjPa5EuOi2RoVbUhDgWk",
}
OF_KIND: dict[str, dict[str, Any]] = {
    "TopicBrief": {"name": "Rekening"},
    "TopicOut": {"name": "Rekening", "description": "Over facturen en betalen."},
    "AnswerOut": {"text": "Dat komt door gebruik buiten de bundel.", "is_correction": False},
    "MyAnswerOut": {"text": "Dat komt door gebruik buiten de bundel."},
    "BadgeOut": {"name": "Eerste vraag"},
    "OfferOut": {"slug": "koffie", "kind": "gift"},
    "DeviceIn": {"fid": None},
    "SingleSignOn": {"name": "Inloggen met Vonk", **SIGN_ON},
    "IdTokenIn": {"id_token": "eyJhbGciOiJSUzI1NiJ9.eyJub25jZSI6IuKApiJ9.c2lnbmF0dXJl", "attempt": SIGN_ON["attempt"]},
    "SignedIn": {"access_token": "Qm8yVWpKc1h5TzdnS0tQdFJ3N2dXbFpQb0E"},
    "SessionOut": {"app": "CEO-app/1.4.2 (iOS 26.1; iPhone)"},
    "CodeRequestIn": {"phone": "+31612000002", "email": None},
    "SignInCodeIn": {"code": "123456"},
    "SignInFlow": {"id": "login_by_code", "is_pending": True},
    "SignInPerson": {"display": "Bob Bakker", "id": ID},
    "SignInMeta": {"session_token": "t75zvzcqbzyba52ptp61a44r864csup9"},
    "SignInPending": {"status": 401},
    "SignInDone": {"status": 200},
    "SignedInMeta": {
        "session_token": "892v1mby03pu7ys84eg70mp54cmv8ryi",
        "is_authenticated": True,
        "access_token": "ZiDfNO2fzJ2sk6bccEGSX_MrspSkGndORxruPg2xhgE",
    },
    "StepUpCodeIn": {"channel": "sms"},
    "StepUpCodeOut": {"channel": "sms"},
    "StepUpIn": {"code": "123456", "id_token": None, "attempt": None},
    **{kind: {"say_nl": "Zet data uit.", "say_en": "Switch data off."} for kind in ("CardTexts", "CardDraftOut")},
    "TopicCardOut": {"say": "Buiten de EU betaal je per MB. Zet data uit tot je een bundel hebt."},
}
TEXTS = {
    "text/event-stream": (
        "event: ready\nid: WyJubCIsIjc0...\ndata: {}\n\n"
        'event: sync\nid: WyJubCIsIjc1...\ndata: {"cursor": "WyJubCIsIjc1..."}\n\n'
    ),
    TABLE[0]: "2026-01-15;10;koffie",
    TABLE[1]: "(a spreadsheet)",
    "image/svg+xml": "(an image)",
}


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """The same document with everything above; changes it in place."""
    refusals = {kind.code: kind for kind in _all_kinds(Refusal)}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            operation["responses"] = {str(status): told for status, told in operation["responses"].items()}
            _media(operation)
            if method != "get" and not path.startswith(WITHOUT_KEY):
                _key(operation)
            _errors(operation, refusals)
            _words(operation)
            _headers(method, operation)
            _examples(operation, schema)
    for name, fields in schema["components"]["schemas"].items():
        fields.setdefault("description", re.sub(r"_(\w+)_", r" of \1", name))
        for field, inner in fields.get("properties", {}).items():
            _describe(field, inner)
    used = re.findall(r"#/components/examples/(\w+)", str(schema["paths"]))
    schema["components"]["examples"] = {code: _problem(code, refusals) for code in sorted(set(used))}
    schema["components"]["headers"] = {
        name: {"description": text, "schema": {"type": "string"}, "example": example}
        for name, (text, example) in HEADERS.items()
    }
    return schema


def _all_kinds(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all_kinds(below)


def _media(operation: dict[str, Any]) -> None:
    for response in operation["responses"].values():
        if "content" not in response:
            continue
        [inner] = response["content"].values()
        kinds: tuple[str, ...] = (MEDIA.get(operation["operationId"], JSON),)
        if _is_problem(response):
            kinds = (PROBLEM_TYPE,)
        elif operation["operationId"] in TABLES:
            kinds = TABLE
        response["content"] = {kind: dict(inner) for kind in kinds}


def _is_problem(response: dict[str, Any]) -> bool:
    """Not every 401 is one: allauth says so that a sign-in is under way."""
    return any(inner["schema"].get("$ref") == PROBLEM for inner in response.get("content", {}).values())


def _key(operation: dict[str, Any]) -> None:
    if not _takes_a_key(operation):
        operation.setdefault("parameters", []).append(dict(KEY))


def _takes_a_key(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == KEY["name"] for parameter in operation.get("parameters", []))


def _errors(operation: dict[str, Any], refusals: dict[str, type[Refusal]]) -> None:
    """Every status that can come, each with an example for every code that goes with it here."""
    responses = operation["responses"]
    shape = {"$ref": PROBLEM}
    for status in (*EVERYWHERE, *(WITH_A_BODY if "requestBody" in operation else ())):
        responses.setdefault(status, {"content": {PROBLEM_TYPE: {"schema": shape}}})
    named = re.findall(r"`([a-z_]+)`", operation.get("description", ""))
    for status, response in responses.items():
        if not _is_problem(response):
            continue
        codes = [*CODES_OF_STATUS.get(status, ()), *(code for code in named if _status(code, refusals) == int(status))]
        if status == "403":
            codes.append("not_allowed")
        if status == "422" and _takes_a_key(operation):
            codes.append("idempotency_key_reused")
        response["description"] = TITLES[int(status)] + (f": {', '.join(dict.fromkeys(codes))}" if codes else "")
        response["content"][PROBLEM_TYPE]["examples"] = {
            code: {"$ref": f"#/components/examples/{code}"} for code in dict.fromkeys(codes)
        }


def _status(code: str, refusals: dict[str, type[Refusal]]) -> int | None:
    return refusals[code].status if code in refusals else None


def _problem(code: str, refusals: dict[str, type[Refusal]]) -> dict[str, Any]:
    if code in refusals:
        status, text = refusals[code].status, (refusals[code].__doc__ or code).strip().split("\n")[0]
    else:
        status, text = OTHERS[code]
    told = {"field": "body.text", "code": "string_too_short", "message": "String should have at least 1 character"}
    errors = [told] if code == "validation_failed" else []
    kept = {"type": "about:blank", "title": TITLES[status], "status": status, "code": code, "detail": text}
    return {"summary": text, "value": {**kept, "errors": errors}}


def _words(operation: dict[str, Any]) -> None:
    operation.setdefault("description", f"{operation['summary']}.")
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        if not parameter.get("description"):
            kind = name.removesuffix("_id").replace("_", " ")
            parameter["description"] = PARAMETERS.get(name) or f"The {kind}'s id."


def _headers(method: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        names = ["X-Request-ID", "RateLimit-Policy", "RateLimit"]
        names += ["Retry-After"] if status in EVERYWHERE else []
        names += ["ETag"] if method == "get" and status == "200" else []
        names += ["Idempotent-Replayed"] if int(status) < 300 and _takes_a_key(operation) else []
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _describe(name: str, field: dict[str, Any]) -> None:
    if not field.get("description") and name in FIELDS:
        field["description"] = FIELDS[name]


# --- examples --------------------------------------------------------------------------------------------------------


def _examples(operation: dict[str, Any], schema: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    bodies += [response for response in operation["responses"].values() if not _is_problem(response)]
    for body in bodies:
        for media, inner in body.get("content", {}).items():
            if media in {JSON, "multipart/form-data"}:
                inner["example"] = example(inner["schema"], schema)
            else:
                inner["example"] = TEXTS[media]


def example(shape: dict[str, Any], schema: dict[str, Any], name: str = "") -> Any:
    """A value that fits the shape; by the field's name a telling one."""
    if "$ref" in shape:
        kind = shape["$ref"].rsplit("/", 1)[1]
        made = example(schema["components"]["schemas"][kind], schema, name)
        return {**made, **OF_KIND.get(kind, {})} if isinstance(made, dict) else made
    for several in ("anyOf", "oneOf", "allOf"):
        if several in shape:
            chosen = next((one for one in shape[several] if one.get("type") != "null"), {"type": "null"})
            return example(chosen, schema, name)
    if "const" in shape or "enum" in shape:
        return shape.get("const", next(iter(shape.get("enum", [])), None))
    makers = {"object": _object, "array": _array, "string": _string, "integer": _number, "number": _number}
    maker = makers.get(shape.get("type", ""))
    return maker(shape, schema, name) if maker else False if shape.get("type") == "boolean" else None


def _object(shape: dict[str, Any], schema: dict[str, Any], name: str) -> Any:
    return {field: example(inner, schema, field) for field, inner in shape.get("properties", {}).items()}


def _array(shape: dict[str, Any], schema: dict[str, Any], name: str) -> Any:
    return [example(shape["items"], schema, name)]


def _string(shape: dict[str, Any], schema: dict[str, Any], name: str) -> Any:
    formats = {
        "uuid": ID,
        "date-time": "2026-01-15T09:30:00Z",
        "date": "2026-01-15",
        "time": "22:00:00",
        "binary": "(file)",
    }
    known = formats.get(shape.get("format", ""), EXAMPLES.get(name))
    text = known if isinstance(known, str) else "Een tekst."
    return text[: shape.get("maxLength", len(text))]


def _number(shape: dict[str, Any], schema: dict[str, Any], name: str) -> Any:
    known = EXAMPLES.get(name)
    least = shape.get("minimum", 0)
    return max(known, least) if isinstance(known, int) else max(least, min(3, shape.get("maximum", 3)))
