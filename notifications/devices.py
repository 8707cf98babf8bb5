"""Phones with the app: whose they are, which still answer, and when Firebase's word about them is not believed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import NotFound
from notifications import troubles
from notifications.models import Channel, Delivery, Device

PER_PERSON = 10  # the one unseen for longest makes room
DOUBTFUL_AFTER = timedelta(days=30)  # Firebase's own line for an address that has gone stale
DROPPED_AFTER = timedelta(days=270)  # Android forgets it then
DEAD_KEPT = timedelta(days=7)

MASS_DEATH = "push:mass_death"
DEAD_ERROR = "push dead"  # what a Delivery's error begins with when Firebase said so
WINDOW = 100  # newest pushes that are looked at
WINDOW_AGE = timedelta(hours=1)
DEATHS_MIN = 5
DEATHS_SHARE = 0.2
PAUSE = timedelta(hours=1)


@transaction.atomic
def register(person: Any, device_id: UUID, *, kind: str, address: str, session_key: str, **facts: str) -> Device:
    """This installation of the app is `person`'s from now on, whoever had its address before. The last one wins.

    `facts`: platform, app_version, locale. Raises NotFound when the id belongs to somebody else under another address: an
    id alone proves nothing, Firebase's address is what only the phone itself can know.
    """
    with connection.cursor() as cursor:  # who registers the same address at this moment waits
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"device:{kind}:{address}"])
    now = clock.now()
    Device.objects.filter(kind=kind, address=address).exclude(pk=device_id).delete()
    known = Device.objects.select_for_update().filter(pk=device_id).first()
    if known and known.person_id != person.pk and (known.kind, known.address) != (kind, address):
        raise NotFound(_("This device does not exist."))
    values: dict[str, Any] = {**facts, "person": person, "kind": kind, "address": address, "session_key": session_key}
    values |= {"last_seen_at": now, "dead_at": None}
    device, _made = Device.objects.update_or_create(
        pk=device_id, defaults=values, create_defaults={**values, "created_at": now}
    )
    _make_room(person)
    return device


def _make_room(person: Any) -> None:
    newest = Device.objects.filter(person=person).order_by("-last_seen_at", "-pk").values_list("pk", flat=True)
    if surplus := list(newest[PER_PERSON:]):
        Device.objects.filter(pk__in=surplus).delete()


def unregister(person: Any, device_id: UUID) -> None:
    """Raises NotFound when it is not this person's."""
    if not Device.objects.filter(pk=device_id, person=person).delete()[0]:
        raise NotFound(_("This device does not exist."))


def signed_out(session_key: str) -> None:
    """The phone of this sign-in shows nothing more."""
    if session_key:
        Device.objects.filter(session_key=session_key).delete()


def left(person: Any) -> None:
    Device.objects.filter(person=person).delete()


def live(person_id: Any) -> list[Device]:
    """The phones that a push may reach; none while pushing is off or paused."""
    if not settings.PUSH:
        return []
    seen_since = clock.now() - DROPPED_AFTER
    found = list(Device.objects.filter(person_id=person_id, dead_at__isnull=True, last_seen_at__gt=seen_since))
    return found if found and not troubles.is_blocked(Channel.PUSH) else []


def is_doubtful(device: Device) -> bool:
    """Unseen for so long that a push alone is not enough."""
    return device.last_seen_at <= clock.now() - DOUBTFUL_AFTER


def purge() -> None:
    """Forget the phones that nobody used for months, and the dead ones."""
    now = clock.now()
    Device.objects.filter(last_seen_at__lte=now - DROPPED_AFTER).delete()
    Device.objects.filter(dead_at__lte=now - DEAD_KEPT).delete()


# --- Firebase's word, and when it is not believed ----------------------------------------------------------------------


def died(delivery_id: UUID, device: Device) -> None:
    """Firebase says that this address is dead. Unless the app has brought another one meanwhile, nothing goes there.

    When more than a fifth of the newest pushes died, it is not the phones: a wrong key, another project, a mistake of
    Firebase's. Then every one of them lives again, pushing pauses, and an operator is told; people get SMS and mail.
    What was on its way when the pause began is not believed either.
    """
    if troubles.blocked_until(MASS_DEATH) > clock.real():
        return
    same = Device.objects.filter(pk=device.pk, kind=device.kind, address=device.address, dead_at__isnull=True)
    same.update(dead_at=clock.now())
    deaths, verdicts, ids = _newest_verdicts(delivery_id, str(device.pk))
    if deaths >= DEATHS_MIN and deaths > DEATHS_SHARE * verdicts:
        Device.objects.filter(pk__in=ids).update(dead_at=None)
        reason = f"{deaths} of the last {verdicts} pushes went to addresses that Firebase calls dead"
        troubles.report(Channel.PUSH, MASS_DEATH, reason, blocked_for=PAUSE)


def _newest_verdicts(delivery_id: UUID, device_id: str) -> tuple[int, int, list[str]]:
    """How many of the newest pushes died (this one too), how many had a verdict, and the phones that died.

    Counted since the last pause ended, so that one trouble does not trip it twice.
    """
    since = max(clock.real() - WINDOW_AGE, troubles.blocked_until(MASS_DEATH))
    judged = Q(state__in=["sent", "delivered"]) | Q(state="failed", error__startswith=DEAD_ERROR)
    rows = Delivery.objects.filter(judged, channel=Channel.PUSH, attempted_at__gt=since)
    found = list(rows.exclude(pk=delivery_id).order_by("-attempted_at").values_list("to", "error")[: WINDOW - 1])
    dead = [to for to, error in found if error.startswith(DEAD_ERROR)]
    return len(dead) + 1, len(found) + 1, [*dead, device_id]
