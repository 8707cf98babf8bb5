"""Which web pages may call the API from a browser: those of `CORS_ORIGINS`, without cookies."""

from collections.abc import Mapping

from django.conf import settings

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
SENT = (
    "Accept-Language, Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-ID,"
    " X-Session-Token"
)
SHOWN = (
    "Content-Language, Deprecation, ETag, Idempotent-Replayed, Link, RateLimit, RateLimit-Policy, Retry-After, Sunset,"
    " X-Request-ID"
)
PREFLIGHT_SECONDS = "7200"  # browsers keep it no longer


def headers(request: Mapping[str, str], *, preflight: bool = False) -> dict[str, str]:
    """For the response to a request with these headers; none for an origin that is not ours."""
    if not settings.CORS_ORIGINS:
        return {}
    if request.get("Origin") not in settings.CORS_ORIGINS:
        return {"Vary": "Origin"}
    allowed = {"Access-Control-Allow-Origin": request["Origin"], "Access-Control-Expose-Headers": SHOWN, "Vary": "Origin"}
    if preflight and request.get("Access-Control-Request-Method"):
        allowed["Access-Control-Allow-Methods"] = METHODS
        allowed["Access-Control-Allow-Headers"] = SENT
        allowed["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    return allowed
