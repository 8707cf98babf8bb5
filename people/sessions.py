"""Where somebody is signed in with the app, and how that ends. A session is one access token."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import NotFound
from notifications import devices
from notifications.models import Device
from people.models import AccessToken, Person

SHOWN_MAX = 100


def _live(person: Person) -> Any:
    return AccessToken.objects.filter(person=person, revoked_at__isnull=True, expires_at__gt=clock.real())


def of(person: Person) -> list[tuple[AccessToken, Device | None]]:
    """The live ones, the newest first, each with the phone that registered with it. Two queries."""
    tokens = list(_live(person).order_by("-created_at", "-pk")[:SHOWN_MAX])
    phones = {row.session_key: row for row in Device.objects.filter(person=person).order_by("last_seen_at")}
    return [(token, phones.get(str(token.pk))) for token in tokens]


@transaction.atomic
def sign_out(token_id: str) -> None:
    """This access token never works again, and the phone that registered with it gets no more pushes. Twice is fine."""
    AccessToken.objects.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=clock.real())
    devices.signed_out(token_id)


def end(person: Person, session_id: UUID) -> None:
    """One of mine. Raises NotFound, also for somebody else's and for one that is over."""
    token = _live(person).filter(public_id=session_id).first()
    if token is None:
        raise NotFound(_("This session does not exist."))
    sign_out(str(token.pk))


@transaction.atomic
def end_all(person: Person) -> int:
    """Every access token, phone and back-office session of this person; returns how many of the app's sign-ins ended."""
    count: int = _live(person).update(revoked_at=clock.real())
    devices.left(person)
    forget_browsers(person)
    return count


def forget_browsers(person: Person) -> None:
    """Sessions in the back office, and those of the app's sign-in, are bound to the password's hash: a fresh one."""
    person.set_unusable_password()
    person.save(update_fields=["password"])
