"""What every endpoint shares: bounded input, one error shape, documented refusals, cursor pages.

Closes django-ninja's defaults in one place: NUL and lone surrogates in text, integers over 64 bit, bodies that are not
JSON, errors missing from the specification.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from functools import wraps
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import ninja
import orjson
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from backend.errors import Refusal

PROBLEM_TYPE = "application/problem+json"
JSON_TYPE = "application/json; charset=utf-8"
BODY_BYTES = 256 * 1024  # the longest texts, each character escaped, and room
PAGE_ITEMS = 20
PAGE_ITEMS_MAX = 100


class BadRequest(Refusal):
    """The request cannot be read: not JSON, not UTF-8, a broken cursor."""

    code = "bad_request"
    status = 400


class UnsupportedMediaType(Refusal):
    code = "unsupported_media_type"
    status = 415


class ContentTooLarge(Refusal):
    """A JSON body beyond what any operation takes."""

    code = "content_too_large"
    status = 413


def printable(value: str) -> str:
    if any(char < " " and char not in "\n\r\t" for char in value):
        raise ValueError("control characters are not allowed")
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str | datetime | time):
        raise ValueError("must be a time as text, RFC 3339")
    return value


# JSON's own types and no others: pydantic alone would take "1", true, "yes" and 1764028800 too, against the specification.
Whole = Annotated[int, Strict()]
YesNo = Annotated[bool, Strict()]
Moment = Annotated[datetime, BeforeValidator(_text)]
ClockTime = Annotated[time, BeforeValidator(_text)]
ShortCode = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9_-]+$")]
LongText = Annotated[
    str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True), AfterValidator(printable)
]
AnswerText = Annotated[
    str, StringConstraints(min_length=1, max_length=8000, strip_whitespace=True), AfterValidator(printable)
]
NoteText = Annotated[str, StringConstraints(max_length=8000, strip_whitespace=True), AfterValidator(printable)]
SearchText = Annotated[
    str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True), AfterValidator(printable)
]
IdempotencyKey = Annotated[
    str,
    ninja.Header(
        ...,
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="A key of the app's for this request: sent again it gives the first response and does nothing more.",
    ),
]


IdempotencyKeyMaybe = Annotated[
    str | None,
    ninja.Header(
        None,
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="A key of the app's for this request: sent again it gives the first response and does nothing more.",
    ),
]


class Schema(BaseModel):
    """The base of every request and response body. Not ninja's, which looks at each field in Python to read models too."""

    model_config = ConfigDict(str_max_length=8000, from_attributes=True)


def language() -> str:
    """What is spoken in this request: nl or en."""
    return "en" if (get_language() or "").startswith("en") else "nl"


class JsonRenderer(BaseRenderer):
    """For what is no Schema, such as lists: times to the microsecond, as `written_once` has them (Django's stop at the
    millisecond, and the same row would have two)."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z)


def written_once(operation: Callable[..., Any]) -> Callable[..., Any]:
    """An answer that is a Schema was checked when it was made: it becomes JSON at once, where django-ninja would take it
    apart, check it again and build it anew."""

    @wraps(operation)
    def answered(request: HttpRequest, **values: Any) -> Any:
        result = operation(request, **values)
        if not isinstance(result, Schema):
            return result
        return HttpResponse(result.__pydantic_serializer__.to_json(result, by_alias=True), content_type=JSON_TYPE)

    return answered


class FieldProblem(Schema):
    field: str = Field(description="Where the trouble is: `body.text`, `query.cursor`, `header.Idempotency-Key`.")
    code: str = Field(description="Stable name of the rule that was broken, for programs.")
    message: str = Field(description="The same for people.")


class Problem(Schema):
    """An error, after RFC 9457. `code` keeps its meaning for ever; `detail` is a sentence for people."""

    type: str = Field("about:blank", description="Always about:blank: `code` tells the kind.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    code: str = Field(description="Stable machine-readable code, e.g. `question_not_open`.")
    detail: str = Field(description="What happened, in the reader's language (Accept-Language: nl or en).")
    errors: list[FieldProblem] = Field([], description="One entry per field, when fields are the trouble.")


TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def problem(
    status: int, code: str, detail: str, *, errors: Sequence[dict[str, str]] = (), headers: dict[str, str] | None = None
) -> HttpResponse:
    """An RFC 9457 response."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "code": code}
    content = orjson.dumps({**body, "detail": detail, "errors": list(errors)})
    return HttpResponse(content, status=status, content_type=PROBLEM_TYPE, headers=headers)


def problems(*statuses: int, without: tuple[int, ...] = ()) -> dict[Any, type[Problem]]:
    """For `response=`: the errors an operation may answer with. 401 goes with every signed-in operation."""
    return {frozenset({400, 401, 422, *statuses} - set(without)): Problem}


def _announced(request: HttpRequest) -> int:
    """Bytes that the body will have by its own word, so that one that is too large is not even read."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class JsonParser(Parser):
    """Reads JSON that says it is JSON. orjson refuses lone surrogates, NaN and broken UTF-8."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise UnsupportedMediaType(_("Send the body as application/json."))
        if _announced(request) > BODY_BYTES or len(request.body) > BODY_BYTES:
            raise ContentTooLarge(_("This is too large."))
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(_("The body is not valid JSON.")) from error
        if not isinstance(body, dict):  # a list would pass for an object whose fields are all optional
            raise BadRequest(_("The body must be a JSON object."))
        return body


Item = TypeVar("Item")


class Page(Schema, Generic[Item]):
    """One page of a list. Ask the next one with `cursor=next_cursor`; null means that this was the last."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Opaque; null on the last page.")


Cursor = Annotated[str | None, ninja.Query(None, max_length=120, description="`next_cursor` of the page before.")]
Limit = Annotated[int, ninja.Query(PAGE_ITEMS, ge=1, le=PAGE_ITEMS_MAX, description="Items a page.")]


def encode_cursor(at: datetime, pk: UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{pk}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Raises BadRequest when the cursor is not one of ours."""
    try:
        at, pk = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").split("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment, UUID(pk)
    except (ValueError, binascii.Error, OverflowError) as error:
        raise BadRequest(_("This cursor is not one of ours.")) from error


NEWEST = (datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1))  # where a list begins that goes back in time


def page(rows: Any, *, cursor: str | None, limit: int, time_field: str, show: Callable[[Any], Any]) -> Page[Any]:
    """Newest first by (`time_field`, id); costs the same on every page (keyset, no COUNT)."""
    if cursor:
        at, pk = decode_cursor(cursor)
        # The row comparison is what lets PostgreSQL walk the index from the cursor on.
        rows = rows.extra(  # noqa: S610 — constant SQL, values are parameters
            where=[f'("{rows.model._meta.db_table}"."{time_field}", "{rows.model._meta.db_table}"."id") < (%s, %s)'],
            params=[at, pk],
        )
    found = list(rows.order_by(f"-{time_field}", "-id")[: limit + 1])
    return page_of(found, limit=limit, time_field=time_field, show=show)


def page_of(found: Sequence[Any], *, limit: int, time_field: str, show: Callable[[Any], Any]) -> Page[Any]:
    """The page that these rows make: one more than `limit` were asked for, to know whether there is a next one."""
    shown = found[:limit]
    more = encode_cursor(getattr(shown[-1], time_field), shown[-1].pk) if len(found) > limit else None
    return Page.model_construct(items=[show(row) for row in shown], next_cursor=more)


def page_soonest_first(
    rows: Any, *, cursor: str | None, limit: int, time_field: str, show: Callable[[list[Any]], list[Any]]
) -> Page[Any]:
    """Soonest first by (`time_field`, id), over relations too: `current_round__due_at`. `show` turns a page's rows."""
    if cursor:
        at, pk = decode_cursor(cursor)
        rows = rows.filter(Q(**{f"{time_field}__gt": at}) | Q(**{time_field: at}, pk__gt=pk))
    found = list(rows.order_by(time_field, "pk")[: limit + 1])
    shown = found[:limit]
    if len(found) <= limit:
        return Page.model_construct(items=show(shown), next_cursor=None)
    last: Any = shown[-1]
    for name in time_field.split("__"):
        last = getattr(last, name)
    return Page.model_construct(items=show(shown), next_cursor=encode_cursor(last, shown[-1].pk))
