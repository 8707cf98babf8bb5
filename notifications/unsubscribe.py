"""The link in every mail's header by which one click, without sign-in, ends that kind of mail (RFC 8058).

The key is signed and names a person and an event, so that it opens nothing else and needs no row. It does not lapse: a
mail program may offer the button years later.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from backend.pages import secret_page
from notifications import events, preferences
from notifications.models import Delivery

SALT = "unsubscribe"


def key(person_id: UUID, event: str) -> str:
    return signing.dumps([person_id.hex, event], salt=SALT)


def url(delivery: Delivery) -> str:
    """The page where this mail's kind can be switched off; empty for a mail to nobody we know, or about nothing."""
    event = _event(delivery)
    return f"{settings.PUBLIC_BASE_URL}/u/{key(delivery.person_id, event)}" if delivery.person_id and event else ""


def last_line(delivery: Delivery) -> str:
    """The page, for the last line of a mail whose kind can be switched off; otherwise empty."""
    return url(delivery) if _event(delivery) in events.optional() else ""


def _event(delivery: Delivery) -> str:
    if delivery.is_bundle:
        return _event_of(delivery)
    return delivery.notification.event if delivery.notification else ""


def _event_of(bundle: Delivery) -> str:
    """The kind of a bundle whose members are all of one; otherwise what its first member is."""
    return bundle.members.order_by("created_at", "pk").values_list("notification__event", flat=True).first() or ""


def headers(delivery: Delivery) -> dict[str, str]:
    """One click is promised only where it works: mandatory mail has the page, which says why it cannot be stopped."""
    address = url(delivery)
    if not address:
        return {}
    found = {"List-Unsubscribe": f"<{address}>"}
    if last_line(delivery):
        found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return found


def _read(signed: str) -> tuple[Any, str]:
    """The person and the event of a key. Raises Http404 for everything that is not one of ours."""
    try:
        person_hex, event = signing.loads(signed, salt=SALT)
        person = get_user_model().objects.filter(pk=UUID(person_hex)).first()
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise Http404 from error
    if person is None or not person.is_active:
        raise Http404
    return person, str(event)


@secret_page
def page(request: HttpRequest, signed: str) -> HttpResponse:
    """Opening shows, pressing acts: mail scanners open every link. A mail program's own POST means: no more of this."""
    person, event = _read(signed)
    language = request.GET.get("lang", person.language)
    with translation.override(language if language in {"nl", "en"} else person.language):
        if request.method == "POST" and event in events.optional():
            preferences.switch_mail(person, event, off=request.POST.get("action") != "on")
        row = events.of(event)
        words = {
            "label": row.label,
            "is_mandatory": event not in events.optional(),
            "is_off": preferences.mail_is_off(preferences.of(person.pk), event),
            "language": translation.get_language(),
        }
        refused = request.method == "POST" and words["is_mandatory"]
        return render(request, "notifications/unsubscribe.html", words, status=409 if refused else 200)
