"""Pages of people in the order of their names: nobody is ranked."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from backend.manners import BadRequest
from people.models import Person

ORDER = "(lower(people_person.name), people_person.id)"


def page_by_name(rows: Any, *, cursor: str | None, limit: int, show: Callable[[Person], Any]) -> dict[str, Any]:
    """Costs the same on every page (keyset, no COUNT). The cursor is the last person shown. Raises BadRequest."""
    if cursor:
        rows = rows.extra(  # noqa: S610 — constant SQL, values are parameters
            where=[f"{ORDER} > (%s, %s)"], params=list(_after(cursor))
        )
    found = list(rows.order_by(Lower("name"), "id")[: limit + 1])
    shown = found[:limit]
    return {"items": [show(row) for row in shown], "next_cursor": str(shown[-1].pk) if len(found) > limit else None}


def _after(cursor: str) -> tuple[str, UUID]:
    """Lowered by the database, not by Python: the two disagree about some letters."""
    try:
        pk = UUID(cursor)
    except ValueError as error:
        raise BadRequest(_("This cursor is not one of ours.")) from error
    name = Person.objects.order_by().filter(pk=pk).values_list(Lower("name"), flat=True).first()
    if name is None:
        raise BadRequest(_("This cursor is not one of ours."))
    return name, pk
