"""A model's row by SQL that was written once, for the hottest look-ups.

Django writes the SQL of a queryset anew each time it is asked, which takes longer than PostgreSQL takes to answer it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection, models

from backend import prepared

Row = TypeVar("Row", bound=models.Model)


def columns(model: type[models.Model]) -> str:
    """All columns of its table, in the order in which `first` reads them."""
    return ", ".join(f"{model._meta.db_table}.{field.column}" for field in model._meta.concrete_fields)


def first(model: type[Row], sql: str, parameters: Sequence[Any], **related: type[models.Model]) -> Row | None:
    """The first row of SQL that selects `columns(model)` and then those of each of `related`, by the field's name."""
    with prepared.cursor() as cursor:
        cursor.execute(sql, parameters)
        values = cursor.fetchone()
    if values is None:
        return None
    row, values = _taken(model, values)
    for name, other in related.items():
        beside, values = _taken(other, values)
        setattr(row, name, beside)
    return row


def _taken(model: type[Row], values: Sequence[Any]) -> tuple[Row, Sequence[Any]]:
    names = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(connection.alias, names, values[: len(names)]), values[len(names) :]
