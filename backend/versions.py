"""Operations that will go. An app hears it in every answer of theirs (RFC 9745 and RFC 8594), long before.

What is out is not changed in a way that breaks an app (`tests/backend/test_spec_stays_compatible.py`); what must be
changed gets a new path or a new field, and the old one is entered here with the day on which it goes.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date


@dataclass(frozen=True)
class Deprecation:
    since: datetime  # with its zone
    sunset: datetime  # not before this day
    instead: str = ""  # where it is explained: an absolute address


# By method and path as they stand in the specification: ("GET", "/api/v1/questions/{question_id}").
DEPRECATED: dict[tuple[str, str], Deprecation] = {}


def operation_of(request: HttpRequest) -> tuple[str, str]:
    match = request.resolver_match
    route = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route) if match else request.path.lstrip("/")
    return str(request.method), f"/{route}"


def announce(request: HttpRequest, response: HttpResponse) -> None:
    """Adds the headers when the operation will go."""
    if not DEPRECATED or not (found := DEPRECATED.get(operation_of(request))):
        return
    response.headers["Deprecation"] = f"@{int(found.since.timestamp())}"
    response.headers["Sunset"] = http_date(found.sunset.timestamp())
    if found.instead:
        response.headers["Link"] = f'<{found.instead}>; rel="deprecation"'
