"""`Authorization: Bearer …` → the person, in one query and without Valkey; and the language that they are answered in."""

from django.http import HttpRequest
from django.utils import translation
from ninja.security import HttpBearer

from backend import clock
from people.models import AccessToken, Person


class Bearer(HttpBearer):
    """Our own access token, as issued at sign-in."""

    def authenticate(self, request: HttpRequest, token: str) -> Person | None:
        at = clock.real()
        found = AccessToken.find(token, at)
        if found is None:
            return None
        found.note_use(at)
        request.access_token = found  # type: ignore[attr-defined]
        if not request.headers.get("Accept-Language"):
            translation.activate(found.person.language)  # the request does not say: as the person likes it
        return found.person


def session(request: HttpRequest) -> AccessToken:
    """With which sign-in: what `Bearer` found."""
    token: AccessToken = request.access_token  # type: ignore[attr-defined]
    return token


def caller(request: HttpRequest) -> Person:
    """Who calls: whom `Bearer` found."""
    person: Person = request.auth  # type: ignore[attr-defined]
    return person
