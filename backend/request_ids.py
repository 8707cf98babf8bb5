"""A name for each request: in its response's `X-Request-ID` and in every line that is logged while it is answered."""

import re
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

from backend.ids import uuid7

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9_-]{8,64}")  # an app's or a proxy's own name is taken over

current: ContextVar[str] = ContextVar("request_id", default="-")


def of(given: str) -> str:
    """The name that came with the request, or a new one."""
    return given if ACCEPTED.fullmatch(given) else uuid7().hex


class Middleware:
    """Outermost: what the others answer and log has it too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = of(request.headers.get(HEADER, ""))
        current.set(name)  # stays until the thread's next request: Django logs a refusal after all middleware is done
        response = self.get_response(request)
        response.headers[HEADER] = name
        return response
