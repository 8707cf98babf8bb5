"""What every page and endpoint says while PostgreSQL or Valkey cannot serve it: try again, and never a bare 500."""

import logging
from collections.abc import Callable

import redis
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from backend.manners import problem

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = "2"


def response(request: HttpRequest, error: Exception) -> HttpResponse:
    """A lock that took too long, or a server that is restarting: nothing was done, asking again is safe."""
    log.warning("busy path=%s error=%s", request.path, error)
    connection.close()
    return problem(503, "busy", _("Busy. Try again in a moment."), headers={"Retry-After": RETRY_AFTER_SECONDS})


class Middleware:
    """Outside the API: pages, webhooks, and sign-in, whose rate limits live in Valkey."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return response(request, error) if isinstance(error, OperationalError | redis.RedisError) else None
