"""What is the same for every operation of the API and no operation sees: HEAD and OPTIONS, validators and compression,
CORS, how much is left to ask, announced ends, and Django's own refusals in our one shape."""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _

from backend import clock, cors, rate, versions
from backend.manners import PROBLEM_TYPE, problem

API = "/api/"
SIGN_IN = "/_allauth/"
TILL = "/api/v1/till/"


class Middleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        validated: Any = ConditionalGetMiddleware(self._answered)
        self.compressed: Callable[[HttpRequest], HttpResponse] = cast(Any, GZipMiddleware(validated))
        self.windows = rate.Windows()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith((API, SIGN_IN)):
            return self.get_response(request)
        response = self._limited(request)
        for name, value in cors.headers(request.headers, preflight=request.method == "OPTIONS").items():
            if name == "Vary":
                patch_vary_headers(response, [value])
            else:
                response.headers[name] = value
        return response

    def _limited(self, request: HttpRequest) -> HttpResponse:
        limit = settings.TILL_REQUESTS_PER_MINUTE if request.path.startswith(TILL) else settings.API_REQUESTS_PER_MINUTE
        if not limit or request.method == "OPTIONS":
            return self._served(request)
        caller = request.headers.get("Authorization") or rate.address_of(request)
        left = self.windows.take(caller, limit, clock.real().timestamp())
        response = _too_many(left) if left.remaining < 0 else self._served(request)
        for name, value in left.headers.items():
            response.headers[name] = value
        return response

    def _served(self, request: HttpRequest) -> HttpResponse:
        if request.method == "OPTIONS":
            return _options(self.get_response(request))
        if request.method != "HEAD":
            return self.compressed(request)
        request.method = "GET"
        response = self.compressed(request)
        request.method = "HEAD"
        length = response.headers.get("Content-Length") or str(len(response.content))
        response.content = b""
        response.headers["Content-Length"] = length
        return response

    def _answered(self, request: HttpRequest) -> HttpResponse:
        response = _in_our_shape(self.get_response(request))
        if request.method == "GET" and response.status_code == 200:
            patch_cache_control(response, private=True, no_cache=True)  # kept, and asked for each time with its validator
            patch_vary_headers(response, ["Authorization"])
        versions.announce(request, response)
        return response


def _too_many(left: rate.Left) -> HttpResponse:
    told = _("Too many requests. Try again in %(seconds)s seconds.") % {"seconds": left.reset_seconds}
    return problem(429, "too_many_requests", told, headers={"Retry-After": str(left.reset_seconds)})


def _options(response: HttpResponse) -> HttpResponse:
    """An operation knows no OPTIONS and says which methods it knows: that is the answer."""
    if response.status_code != 405:
        return _in_our_shape(response)
    return HttpResponse(status=204, headers={"Allow": _allowed(response)})


def _allowed(response: HttpResponse) -> str:
    known = set(response.headers.get("Allow", "").split(", ")) | {"OPTIONS"}
    return ", ".join(sorted(known | ({"HEAD"} if "GET" in known else set())))


def _in_our_shape(response: HttpResponse) -> HttpResponse:
    """What Django refuses by itself: no such path, another method, a body that is too large."""
    if response.status_code < 400 or response.headers.get("Content-Type") in {PROBLEM_TYPE, "application/json"}:
        return response  # the second: where a sign-in stands
    if response.status_code == 405:
        allow = _allowed(response)
        told = _("This cannot be done here; what can is %(methods)s.") % {"methods": allow}
        return problem(405, "method_not_allowed", told, headers={"Allow": allow})
    known = {404: ("not_found", _("This does not exist.")), 413: ("content_too_large", _("This is too large."))}
    code, told = known.get(response.status_code, ("bad_request", _("The request cannot be read.")))
    if response.status_code >= 500:
        code, told = "internal_error", _("Something went wrong on our side. Try again later.")
    return problem(response.status_code, code, told)
