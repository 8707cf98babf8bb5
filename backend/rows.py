"""A model's rows by SQL that was written once, for the hottest reads and writes.

Django writes the SQL of a queryset or of a `save` anew each time, which takes longer than PostgreSQL takes to do it. Here
the statement is made once from the model's own fields, prepared by `backend.prepared`, and only values travel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connection, models

from backend import prepared

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True)
class Part(Generic[Row]):
    """Columns of a model, in the order in which `first` and `every` read them; what is asked of its rows beyond these costs
    a query each."""

    model: type[Row]
    names: tuple[str, ...]

    @property
    def columns(self) -> str:
        return ", ".join(f"{self.model._meta.db_table}.{name}" for name in self.names)


def part(model: type[Row], *names: str) -> Part[Row]:
    """These columns; without names all of them."""
    known = [field.attname for field in model._meta.concrete_fields]
    return Part(model, tuple(name for name in known if name in names or not names))


Parameters = Sequence[Any] | Mapping[str, Any]


def first(shape: Part[Row], sql: str, parameters: Parameters, **related: Part[Any]) -> Row | None:
    """The first row of SQL that selects the columns of `shape` and then those of each of `related`, by the field's name;
    what a LEFT JOIN did not find is None."""
    with prepared.cursor() as cursor:
        cursor.execute(sql, parameters)
        values = cursor.fetchone()
    return None if values is None else _row(shape, values, related)


def every(shape: Part[Row], sql: str, parameters: Parameters, **related: Part[Any]) -> list[Row]:
    """As `first`, all of them."""
    with prepared.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [_row(shape, values, related) for values in cursor.fetchall()]


def _row(shape: Part[Row], values: Sequence[Any], related: Mapping[str, Part[Any]]) -> Row:
    row, at = _taken(shape, values, 0), len(shape.names)
    for name, other in related.items():
        beside = _taken(other, values, at)
        setattr(row, name, beside if beside.pk is not None else None)
        at += len(other.names)
    return row


def _taken(shape: Part[Row], values: Sequence[Any], at: int) -> Row:
    return shape.model.from_db(connection.alias, shape.names, values[at : at + len(shape.names)])


def inserting(model: type[models.Model], source: str, **instead: str) -> str:
    """INSERT of one row by the parameters of `values`, once for each row of `source` (`FROM …` or nothing).

    `instead`: SQL for a column in place of its parameter. An id that the database counts is left to it.
    """
    fields = [field for field in model._meta.concrete_fields if not field.db_returning]
    shown = ", ".join(instead.get(field.attname, _parameter(model, field)) for field in fields)
    names = ", ".join(str(field.column) for field in fields)
    return f"INSERT INTO {model._meta.db_table} ({names}) SELECT {shown} {source}"  # noqa: S608 — our own words


def _parameter(model: type[models.Model], field: Any) -> str:
    """With its type, because what is selected takes none from the column that it goes to; without the length, because a
    cast would cut what is too long and the column refuses it."""
    return f"%({_name(model, field)})s::{(field.db_type(connection) or '').split('(')[0]}"


def _name(model: type[models.Model], field: Any) -> str:
    return f"{model._meta.model_name}_{field.attname}"


def values(*written: models.Model) -> dict[str, Any]:
    """What `inserting` of their models names."""
    return {
        _name(type(row), field): field.get_db_prep_save(getattr(row, field.attname), connection)
        for row in written
        for field in row._meta.concrete_fields
        if not field.db_returning
    }
