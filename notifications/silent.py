"""STIL and SILENT, by SMS and by mail: `STIL` until the next morning, `STIL 22-7` every night, `STIL UIT` never."""

import re
from datetime import time
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications import preferences, reply_targets, verbs
from notifications.preferences import Hours
from notifications.reply_targets import Mail
from notifications.verbs import Command, Verb

NAMES = ("STIL", "SILENT")
ADDRESSES = frozenset({"stil", "silent"})
OFF = frozenset({"UIT", "OFF"})
ON = frozenset({"AAN", "ON"})
AT = r"(\d{1,2})(?:[:.](\d{2}))?\s*(?:UUR|U|H)?"
FROM_TO = re.compile(rf"^(?:VAN|FROM)?\s*{AT}\s*(?:-|–|TOT|TO|UNTIL)\s*{AT}$")


def obey(person: Any, text: str) -> str:
    """Do what the words say; returns the sentence for the person, in the active language."""
    words = " ".join(text.upper().strip(" .!").split())
    if not words:
        until = preferences.be_silent(person).astimezone(person.zone)
        return _("Quiet until %(time)s. Urgent messages still come. SILENT OFF ends it.") % {"time": f"{until:%d-%m %H:%M}"}
    if words in OFF:
        preferences.set_quiet(person, None)
        return _("No quiet hours any more: messages come at any time. SILENT 22-7 sets them.")
    if words in ON:
        preferences.choose(person, has_own_quiet=False, quiet_starts=None, quiet_ends=None, silent_until=None)
        return _quiet_again(person)
    hours = read(words)
    if hours is None:
        return _("Write SILENT (until tomorrow), SILENT 22-7 (every night) or SILENT OFF.")
    preferences.set_quiet(person, hours)
    return _quiet_again(person)


def _quiet_again(person: Any) -> str:
    hours = preferences.hours_of(preferences.of(person.pk))
    if hours is None:
        return _("You have no quiet hours. SILENT 22-7 sets them.")
    return _("Quiet from %(hours)s. Urgent messages still come. SILENT OFF ends it.") % {"hours": hours}


def read(words: str) -> Hours | None:
    """`22-7`, `22:30-07:00`, `van 22 tot 7 uur`; None when it is no span of a day."""
    found = FROM_TO.match(words)
    if found is None:
        return None
    numbers = [int(part or 0) for part in found.groups()]
    if numbers[0] > 24 or numbers[2] > 24 or numbers[1] > 59 or numbers[3] > 59:
        return None
    starts, ends = time(numbers[0] % 24, numbers[1]), time(numbers[2] % 24, numbers[3])
    return Hours(starts, ends) if starts != ends else None


def by_sms(command: Command) -> str:
    return obey(command.person, command.text)


def by_mail(local: str, mail: Mail) -> tuple[str, str] | None:
    """A mail to stil@ or silent@: what its subject says, or its first line. Not ours: None."""
    if local not in ADDRESSES:
        return None
    text = mail.subject.strip() or (mail.text.splitlines() or [""])[0]
    first, _space, rest = text.partition(" ")
    return obey(mail.person, rest if first.upper().strip(".,:;!?") in NAMES else text), ""


def fill_registry() -> None:
    verbs.register(
        Verb(
            NAMES,
            by_sms,
            gettext_lazy("quiet until tomorrow, every night (SILENT 22-7) or never (SILENT OFF)."),
            gettext_lazy("SILENT 22-7"),
            ("get_preferences", "update_preferences"),
            words_max=5,
        )
    )
    reply_targets.register_address(by_mail)
