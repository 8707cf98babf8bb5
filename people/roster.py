"""People come from HR, as CSV: repeatable, with a dry run, and a clear line for every row that is refused.

Reading a row is pure: strings in, values out, a ValueError with a sentence when it cannot be. Good rows are imported also
when others are refused. People who are not in the file are left alone.
"""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from people import joining, lifecycle
from people.models import DAY_MINUTES, Language, Person, Role, Team, WorkingHours, check_time_zone

COLUMNS = (
    *("employee_number", "name", "email", "mobile", "language", "time_zone"),
    *("team", "roles", "working_hours", "joined_on", "left_on", "join_code"),
)
REQUIRED = ("employee_number", "name")
OWN_WORD = ("email", "mobile", "language", "time_zone")  # what people may change themselves
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SLOT = re.compile(r"^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$")
Slot = tuple[int, int, int]  # weekday, starts_minute, ends_minute


@dataclass
class Row:
    """One person as the file has them."""

    number: int
    values: dict[str, Any]
    slots: tuple[Slot, ...]


@dataclass
class Report:
    """What an import did, or would do."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    not_in_file: int = 0
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        counts = f"{self.created} new, {self.changed} changed, {self.unchanged} unchanged, {len(self.refused)} refused"
        rest = [f"{self.not_in_file} people are not in the file and were left alone"] if self.not_in_file else []
        return [*self.notes, *self.refused, counts, *rest]


# --- reading ---------------------------------------------------------------------------------------------------------


def parse_mobile(text: str) -> str | None:
    """E.164; a number without a country is Dutch."""
    if not text:
        return None
    try:
        number = phonenumbers.parse(text, "NL")
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"{text!r} is not a phone number") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError(f"{text!r} is not a valid phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_email(text: str) -> str | None:
    if not text:
        return None
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError(f"{text!r} is not a mail address") from error
    return text.lower()


def parse_language(text: str) -> str:
    if text and text not in Language.values:
        raise ValueError(f"{text!r} is not one of {', '.join(Language.values)}")
    return text or Language.NL


def parse_time_zone(text: str) -> str:
    try:
        check_time_zone(text or "Europe/Amsterdam")
    except ValidationError as error:
        raise ValueError(error.messages[0]) from error
    return text or "Europe/Amsterdam"


def parse_roles(text: str) -> list[str]:
    roles = [role.strip() for role in re.split(r"[;|]", text) if role.strip()]
    unknown = [role for role in roles if role not in Role.values]
    if unknown:
        raise ValueError(f"unknown role {unknown[0]!r}; known are {', '.join(Role.values)}")
    return sorted(set(roles) | {str(Role.EMPLOYEE)})


def parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date like 2026-12-31") from error


def parse_join_code(text: str) -> str:
    if text and len(joining.normal(text)) < joining.CODE_LENGTH:
        raise ValueError(f"a join code has at least {joining.CODE_LENGTH} letters and digits")
    return text


def parse_name(text: str) -> str:
    if not 0 < len(text) <= 120:
        raise ValueError("a name of 1 to 120 characters is needed")
    return text


def parse_working_hours(text: str) -> tuple[Slot, ...]:
    """`mon-fri 09:00-12:30,13:00-17:30; sat 10:00-16:00`; a slot may end at 24:00 or run into the next day."""
    slots: list[Slot] = []
    for group in filter(None, (part.strip() for part in text.split(";"))):
        days, _space, times = group.partition(" ")
        for weekday in _weekdays(days.lower()):
            slots += [(weekday, *_minutes(slot.strip())) for slot in times.split(",")]
    slots.sort()
    week = [(weekday * DAY_MINUTES + starts, weekday * DAY_MINUTES + ends) for weekday, starts, ends in slots]
    if any(before[1] > after[0] for before, after in itertools.pairwise(week)):
        raise ValueError(f"slots overlap in {text!r}")
    if week and week[-1][1] - 7 * DAY_MINUTES > week[0][0]:
        raise ValueError(f"Sunday night overlaps Monday in {text!r}")
    return tuple(slots)


def _weekdays(text: str) -> list[int]:
    """`mon-fri`, `sat`; a range may pass Sunday: `sun-thu`."""
    first, _dash, last = text.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise ValueError(f"{text!r} is not a day or a range of days like mon-fri")
    start = DAYS.index(first)
    return [(start + step) % 7 for step in range((DAYS.index(last or first) - start) % 7 + 1)]


def _minutes(text: str) -> tuple[int, int]:
    found = SLOT.match(text)
    if not found:
        raise ValueError(f"{text!r} is not a slot like 09:00-17:30")
    first_hour, first_minute, last_hour, last_minute = map(int, found.groups())
    starts, ends = first_hour * 60 + first_minute, last_hour * 60 + last_minute
    if starts >= DAY_MINUTES or ends > DAY_MINUTES or max(first_minute, last_minute) > 59 or starts == ends:
        raise ValueError(f"{text!r} is not a slot like 09:00-17:30")
    return starts, ends if ends > starts else ends + DAY_MINUTES


PARSERS: dict[str, Callable[[str], Any]] = {
    "employee_number": parse_name,
    "name": parse_name,
    "email": parse_email,
    "mobile": parse_mobile,
    "language": parse_language,
    "time_zone": parse_time_zone,
    "team": str,
    "roles": parse_roles,
    "working_hours": parse_working_hours,
    "joined_on": parse_date,
    "left_on": parse_date,
    "join_code": parse_join_code,
}


def read(text: str, report: Report) -> list[Row]:
    """The good rows; the others are refused in `report`."""
    text = text.removeprefix("\ufeff")
    delimiter = ";" if text.split("\n", 1)[0].count(";") > text.split("\n", 1)[0].count(",") else ","
    table = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    header = [name.strip() for name in table.fieldnames or []]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        report.refused.append(f"the file has no column {missing[0]}")
        return []
    ignored = [name for name in header if name not in COLUMNS]
    if ignored:
        report.notes.append(f"columns ignored: {', '.join(ignored)}")
    rows = []
    for raw in table:
        row = _read_row(table.line_num, {str(k).strip(): (v or "").strip() for k, v in raw.items() if k}, report)
        rows += [row] if row else []
    return _without_doubles(rows, report)


def _read_row(number: int, cells: dict[str, str], report: Report) -> Row | None:
    values: dict[str, Any] = {}
    for column, parse in PARSERS.items():
        try:
            values[column] = parse(cells.get(column, ""))
        except ValueError as error:
            report.refused.append(f"line {number}, {cells.get('employee_number') or '?'}, {column}: {error}")
            return None
    if not values["email"] and not values["mobile"] and not values["join_code"]:
        report.refused.append(f"line {number}, {values['employee_number']}: neither mail nor mobile, nobody to reach")
        return None
    return Row(number, values, values.pop("working_hours"))


def _without_doubles(rows: list[Row], report: Report) -> list[Row]:
    """A number, mail address or mobile twice in the file: none of them is taken, because nobody knows which is right."""
    good = rows
    for column in ("employee_number", "email", "mobile"):
        counts = Counter(row.values[column] for row in rows if row.values[column])
        doubled = [row for row in good if counts[row.values[column]] > 1]
        for row in doubled:
            number, value = row.values["employee_number"], row.values[column]
            report.refused.append(f"line {row.number}, {number}, {column}: {value} is in the file more than once")
        good = [row for row in good if row not in doubled]
    return good


# --- writing ---------------------------------------------------------------------------------------------------------


class _DryRun(Exception):
    """Rolls everything back."""


def import_csv(text: str, *, dry_run: bool = False) -> Report:
    """Import HR's file; the same file twice changes nothing the second time."""
    report = Report()
    try:
        with transaction.atomic():
            _apply(read(text, report), report)
            if dry_run:
                raise _DryRun
    except _DryRun:
        report.notes.append("dry run: nothing was written")
    return report


def _apply(rows: list[Row], report: Report) -> None:
    known = {person.employee_number: person for person in Person.objects.select_for_update(no_key=True)}
    teams = {team.name: team for team in Team.objects.all()}
    hours = _hours_by_person()
    _keep_own_words(rows, known)
    rows = _without_other_peoples(rows, known, report)
    _clear_moving_addresses(rows, known)
    for row in rows:
        team = row.values.pop("team")
        if team and team not in teams:
            teams[team] = Team.objects.create(name=team)
        row.values["team"] = teams.get(team)
        _save(row, known.get(row.values["employee_number"]), hours, report)
    report.not_in_file = len(set(known) - {row.values["employee_number"] for row in rows})


def _hours_by_person() -> dict[Any, tuple[Slot, ...]]:
    found: dict[Any, list[Slot]] = {}
    fields = ("person_id", "weekday", "starts_minute", "ends_minute")
    for pk, weekday, starts, ends in WorkingHours.objects.order_by(*fields).values_list(*fields):
        found.setdefault(pk, []).append((weekday, starts, ends))
    return {pk: tuple(slots) for pk, slots in found.items()}


def _without_other_peoples(rows: list[Row], known: dict[str, Person], report: Report) -> list[Row]:
    """Refuse addresses that belong to somebody who keeps them."""
    in_file = {row.values["employee_number"] for row in rows}
    good = rows
    for column in ("email", "mobile"):
        others = [p for p in known.values() if p.employee_number not in in_file and p.is_active]
        kept = {getattr(p, column): p for p in others if getattr(p, column)}
        for row in [row for row in good if row.values[column] in kept]:
            owner = kept[row.values[column]]
            report.refused.append(
                f"line {row.number}, {row.values['employee_number']}, {column}: {row.values[column]} belongs to"
                f" {owner.name} ({owner.employee_number})"
            )
            good = [other for other in good if other is not row]
    return good


def _clear_moving_addresses(rows: list[Row], known: dict[str, Person]) -> None:
    """Two people may swap addresses in one file: what changes is emptied first, or the constraints would refuse.

    A leaver's number that somebody else has now is theirs no more.
    """
    in_file = {row.values["employee_number"] for row in rows}
    for column in ("email", "mobile"):
        given = {row.values[column] for row in rows} - {None}
        for gone in known.values():
            if not gone.is_active and gone.employee_number not in in_file and getattr(gone, column) in given:
                setattr(gone, column, None)
                gone.save(update_fields=[column])
    for row in rows:
        person = known.get(row.values["employee_number"])
        moving = [c for c in ("email", "mobile") if person and getattr(person, c) not in {None, row.values[c]}]
        if person and moving:
            for column in moving:
                setattr(person, column, None)
            person.save(update_fields=moving)


def _save(row: Row, person: Person | None, hours: dict[Any, tuple[Slot, ...]], report: Report) -> None:
    fresh = person is None
    person = person or Person()
    code = row.values.pop("join_code")
    differs = [name for name, value in row.values.items() if getattr(person, name) != value]
    new_hours = hours.get(person.pk, ()) != row.slots
    if not fresh and not differs and not new_hours:
        report.unchanged += 1
        _keep_code(row, person, code, report)
        return
    for name, value in row.values.items():
        setattr(person, name, value)
    if fresh or differs:
        person.set_unusable_password()
        person.save()
    if new_hours:
        WorkingHours.objects.filter(person=person).delete()
        WorkingHours.objects.bulk_create(
            WorkingHours(person=person, weekday=weekday, starts_minute=starts, ends_minute=ends)
            for weekday, starts, ends in row.slots
        )
    _keep_code(row, person, code, report)
    report.created += fresh
    report.changed += not fresh
    if not fresh or not person.is_active:
        lifecycle.changed(person)


# --- what people said themselves -------------------------------------------------------------------------------------


def _keep_own_words(rows: list[Row], known: dict[str, Person]) -> None:
    """A new number, a language: the person's own word stands until HR's file says something else than it did.

    Unless the file gives that very number to somebody else: then HR's word counts.
    """
    given = {(column, row.values[column]) for column in ("email", "mobile") for row in rows}
    for row in rows:
        person = known.get(row.values["employee_number"])
        said = {column: row.values[column] for column in OWN_WORD}
        for column in OWN_WORD:
            if person and column in person.in_hr and person.in_hr[column] == said[column]:
                own = getattr(person, column)
                row.values[column] = None if own != said[column] and (column, own) in given else own
        row.values["in_hr"] = said


def _keep_code(row: Row, person: Person, code: str, report: Report) -> None:
    try:
        if code:
            joining.keep_code(person, code)
    except ValueError as error:
        report.refused.append(f"line {row.number}, {row.values['employee_number']}, join_code: {error}")
