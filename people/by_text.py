"""Dates and days as people text them, in their own time zone."""

import re
from datetime import date, datetime, time, timedelta

from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid
from people.models import Person

DAY = re.compile(r"^(\d{1,2})[-/](\d{1,2})(?:[-/](\d{4}))?$")
TODAY, TOMORROW = frozenset({"vandaag", "today"}), frozenset({"morgen", "tomorrow"})
TO_WORDS = frozenset({"t/m", "tm", "tot", "-", "to", "till", "until"})


def today(person: Person) -> date:
    return clock.now().astimezone(person.zone).date()


def midnight(day: date, person: Person) -> datetime:
    """When this day begins where the person is."""
    return datetime.combine(day, time(), person.zone)


def day_of(word: str, person: Person) -> date | None:
    """`24-12`, `24-12-2026`, `2026-12-24`, `morgen`; without a year the next one there is. None: no day at all.

    Raises Invalid for a day that no calendar has.
    """
    word, now = word.lower().strip(".,"), today(person)
    if word in TODAY or word in TOMORROW:
        return now + timedelta(days=word in TOMORROW)
    found = DAY.match(word)
    try:
        if found is None:
            return date.fromisoformat(word) if re.match(r"^\d{4}-\d\d-\d\d$", word) else None
        day, month, year = int(found[1]), int(found[2]), int(found[3] or 0)
        if year:
            return date(year, month, day)
        return next(made for made in (date(now.year, month, day), date(now.year + 1, month, day)) if made >= now)
    except ValueError as error:
        raise Invalid(_("%(day)s is not a day. Write it like 24-12.") % {"day": word}) from error


def days_and_rest(text: str, person: Person) -> tuple[list[date], str]:
    """`24-12 t/m 2-1 Joris` → two days and the name."""
    days: list[date] = []
    words = text.split()
    while words:
        day = day_of(words[0], person)
        if day is None and not (days and words[0].lower() in TO_WORDS):
            break
        days += [day] if day else []
        words.pop(0)
    return days, " ".join(words)


def shown(at: datetime, person: Person) -> str:
    """`24-12`."""
    local = at.astimezone(person.zone)
    return f"{local.day}-{local.month}"
