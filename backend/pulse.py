"""Every process tells the database that it lives, and watches the others: any one that is left tells the operator.

Web, worker, beat and mail in each run one thread. It stamps the process's kind and looks at the rest; who finds a part
stale opens an incident, a row that only one can insert, so that the operator hears it once, and once that it is over. The
mail goes out by SMTP from here: the worker that sends everything else may be the part that is missing. `timetable` is
stamped by a task that beat rings and a worker runs: it is stale when either of them lives but the broker between is gone.
Times are real time, not the product's clock.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import close_old_connections, connection
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from backend.models import Heartbeat, Incident

log = logging.getLogger(__name__)

TIMETABLE = "timetable"
NEEDED = ("web", "worker", "beat", TIMETABLE)  # missed from the first look on; mail in only once it has been seen
STALE_PULSES = 4
TIMETABLE_PULSES = 12  # behind a long batch of work the timetable may wait
FORGOTTEN_AFTER = timedelta(days=7)  # a part not seen for so long was taken away

Look = Callable[[datetime], dict[str, str]]  # what else is wrong: a name, and a sentence for the operator


@dataclass(frozen=True)
class Part:
    """One kind of process, by its youngest pulse."""

    name: str
    seen_at: datetime
    age_seconds: float
    stale: bool


def stamp(name: str) -> None:
    """This kind of process lives."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": clock.real()})


def parts(at: datetime) -> list[Part]:
    """Every part that is expected, as seen at `at`."""
    rows = Heartbeat.objects.filter(at__gt=at - FORGOTTEN_AFTER).order_by("name").values_list("name", "at")
    return [_part(name, seen_at, at) for name, seen_at in rows]


def _part(name: str, seen_at: datetime, at: datetime) -> Part:
    age = (at - seen_at).total_seconds()
    pulses = TIMETABLE_PULSES if name == TIMETABLE else STALE_PULSES
    return Part(name, seen_at, round(age, 1), age > pulses * settings.PULSE_SECONDS)


def expect() -> None:
    """From now on the needed parts are missed when they do not come."""
    at = clock.real()
    Heartbeat.objects.bulk_create([Heartbeat(name=name, at=at) for name in NEEDED], ignore_conflicts=True)


# --- the operator ----------------------------------------------------------------------------------------------------


def watch(look: Look | None = None) -> None:
    """Open an incident for whatever is wrong and close those that are over; the operator hears each once."""
    at = clock.real()
    stale = {part.name: part for part in parts(at) if part.stale}
    with translation.override(settings.LANGUAGE_CODE):
        wrong = {name: _standing_still(part) for name, part in stale.items()}
        wrong |= look(at) if look else {}
        for name, sentence in wrong.items():
            _open(name, sentence, at)
        kinds = {name for name in _open_incidents() if look or ":" not in name}  # only who can see it may say it is over
        for name in sorted(kinds - wrong.keys()):
            _close(name, at)


def _standing_still(part: Part) -> str:
    minutes = max(1, round(part.age_seconds / 60))
    return _("%(part)s stands still: no sign of life for %(minutes)s min.") % {"part": part.name, "minutes": minutes}


def _open_incidents() -> set[str]:
    return set(Incident.objects.values_list("name", flat=True))


def _open(name: str, sentence: str, at: datetime) -> None:
    """One process inserts the row and speaks; when its mail does not leave, the row goes and the next look tries again."""
    if name in _open_incidents():
        return
    made, fresh = Incident.objects.get_or_create(name=name, defaults={"opened_at": at})
    if fresh:
        log.error("incident %s: %s", name, sentence)
        if not _mail(_("Attention: %(name)s") % {"name": name}, sentence):
            Incident.objects.filter(pk=made.pk).delete()


def _close(name: str, at: datetime) -> None:
    incident = Incident.objects.filter(name=name).first()
    if incident is None or not Incident.objects.filter(pk=incident.pk).delete()[0]:
        return
    minutes = max(1, round((at - incident.opened_at).total_seconds() / 60))
    log.error("incident %s is over after %s min", name, minutes)
    sentence = _("%(name)s is all right again, after %(minutes)s min.") % {"name": name, "minutes": minutes}
    _mail(_("All clear: %(name)s") % {"name": name}, sentence)


def _mail(subject: str, sentence: str) -> bool:
    """Whether it left, or need not."""
    if not settings.OPERATOR_EMAIL:
        return True
    body = f"{sentence}\n\n{settings.PUBLIC_BASE_URL}/api/v1/health"
    try:
        mail = EmailMessage(subject, body, to=[settings.OPERATOR_EMAIL], headers={"Auto-Submitted": "auto-generated"})
        mail.send()
    except Exception:
        log.exception("the operator could not be told subject=%s", subject)
        return False
    return True


# --- the thread ------------------------------------------------------------------------------------------------------


def start(name: str, look: Look | None = None) -> None:
    """Run this process's thread until the process ends."""
    threading.Thread(target=_run, args=(name, look), name="pulse", daemon=True).start()


def _run(name: str, look: Look | None) -> None:
    """Stamp at once, and watch after as long as makes others stale: after a standstill of everything all have that time
    to come back."""
    pause, looks = threading.Event(), 0
    while True:
        try:
            close_old_connections()
            if looks == 0:
                expect()
            stamp(name)
            if looks > STALE_PULSES:
                watch(look)
            looks += 1
        except Exception:
            log.exception("no pulse: the database does not answer")
            connection.close()
        pause.wait(settings.PULSE_SECONDS)
