"""The one API: sign-in, routers and the one error shape."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from backend import app_config, busy, health, idempotency, openapi_links, specification, sync
from backend.errors import Refusal
from backend.manners import ContentTooLarge, JsonParser, JsonRenderer, problem, written_once
from notifications.api import devices_router
from notifications.api import router as notifications_router
from notifications.preferences_api import router as preferences_router
from people.api import router as people_router
from people.bearer import Bearer
from people.ground_rules_api import router as ground_rules_router
from people.sign_in_api import router as sign_in_router
from people.sign_in_flow import router as sign_in_flow_router
from questions.api import router as questions_router
from questions.assignments_api import router as assignments_router
from questions.attachments_api import router as attachments_router
from questions.cards_api import router as cards_router
from questions.desk_api import router as desk_router
from questions.directory_api import router as directory_router
from questions.knowledge_api import router as knowledge_router
from questions.skills_api import router as skills_router
from rewards.api import router as rewards_router
from rewards.reports_api import router as reports_router
from rewards.till_api import router as till_router

VERSION = "1.2.0"
SIGN_IN_PATH = "/_allauth/app/v1/auth/"


class Api(NinjaAPI):
    """django-ninja with its specification completed: words and examples, and the operations of sign-in."""

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        schema, flow = super().get_openapi_schema(**kwargs), sign_in.get_openapi_schema(path_prefix=SIGN_IN_PATH)
        schema["paths"].update(flow["paths"])
        for name, shape in flow["components"]["schemas"].items():
            if schema["components"]["schemas"].setdefault(name, shape) != shape:
                raise ValueError(f"two schemas are called {name}")
        specification.complete(schema)
        openapi_links.add(schema)
        return schema


api = Api(
    title="CEO-app API",
    version=VERSION,
    description="Everyone a Customer Experience Officer: pass on friends' questions, answer them, follow the promise.",
    auth=Bearer(),
    parser=JsonParser(),
    renderer=JsonRenderer(),
    docs_url="/docs",
    urls_namespace="api",
)
# allauth's paths, with their own root.
sign_in = NinjaAPI(parser=JsonParser(), docs_url=None, openapi_url=None, urls_namespace="sign-in")
sign_in.add_router("", sign_in_flow_router)
api.add_decorator(idempotency.for_every_write)
api.add_decorator(written_once)
api.add_router("", people_router)
api.add_router("", sign_in_router)
api.add_router("", questions_router)
api.add_router("", assignments_router)
api.add_router("", attachments_router)
api.add_router("", desk_router)
api.add_router("", skills_router)
api.add_router("", cards_router)
api.add_router("", knowledge_router)
api.add_router("", directory_router)
api.add_router("", rewards_router)
api.add_router("", till_router)
api.add_router("", reports_router)
api.add_router("", notifications_router)
api.add_router("", devices_router)
api.add_router("", preferences_router)
api.add_router("", ground_rules_router)
api.add_router("", app_config.router)
api.add_router("", sync.router)
api.add_router("", health.router)


def refused(request: HttpRequest, error: Refusal) -> HttpResponse:
    named = {"Retry-After": error.extra.get("retry_after"), "WWW-Authenticate": error.extra.get("challenge")}
    headers = {name: str(value) for name, value in named.items() if value}
    return problem(error.status, error.code, error.message, headers=headers)


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {
            "field": ".".join(str(part) for part in item.get("loc", ())),
            "code": str(item.get("type", "invalid")),
            "message": str(item.get("msg", "")).removeprefix("Value error, "),
        }
        for item in error.errors
    ]
    return problem(422, "validation_failed", _("Some fields are not right."), errors=errors)


def too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return refused(request, ContentTooLarge(_("This is too large.")))


def not_signed_in(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problem(401, "not_signed_in", _("Sign in first."), headers={"WWW-Authenticate": "Bearer"})


def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, Refusal):  # raised by our parser, wrapped by ninja
        return refused(request, error.__cause__)
    return problem(error.status_code, "bad_request", _("The request cannot be read."))


def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(404, "not_found", _("This does not exist."))


def database_busy(request: HttpRequest, error: OperationalError) -> HttpResponse:
    return busy.response(request, error)


HANDLERS: dict[type[Exception], Any] = {
    Refusal: refused,
    ValidationError: invalid,
    RequestDataTooBig: too_large,
    AuthenticationError: not_signed_in,
    HttpError: http_error,
    Http404: not_found,
    OperationalError: database_busy,
}
for _kind, _handler in HANDLERS.items():
    api.add_exception_handler(_kind, _handler)
    sign_in.add_exception_handler(_kind, _handler)
