"""Pages without sign-in whose address is the key: a friend's, a gift's, an expert's by magic link."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

View = Callable[..., HttpResponse]
# Styles stand in the pages themselves; scripts, frames and other people's forms nowhere.
POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def content_policy(**more: str) -> str:
    """A Content-Security-Policy that allows nothing but styles, our own images and forms; `script_src="…"` adds to it."""
    rules = POLICY | {name.replace("_", "-"): value for name, value in more.items()}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def secret_page(view: View) -> View:
    """The address is the key: never cached, never sent on as a referrer, never in a search engine, and no script.

    No CSRF token: there is no cookie to ride on, and who can send the form already has the address.
    """

    @csrf_exempt
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        response.headers.setdefault("Content-Security-Policy", content_policy())
        return response

    return page
