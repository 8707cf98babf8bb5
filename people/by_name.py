"""People by their names: one that somebody means, and pages in the order of names. Nobody is ranked."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from backend.errors import Invalid
from backend.manners import BadRequest
from people.models import Person

CHOICES = 4
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


def colleague_named(person: Person, name: str) -> Person:
    """The one colleague whose first name, name or mail begins so. Raises Invalid, with the choice if there are several."""
    name = " ".join(name.split())
    named = Q(name__istartswith=name) | Q(email__istartswith=f"{name}@")
    found = list(Person.objects.present().exclude(pk=person.pk).filter(named)[: CHOICES * 5]) if name else []
    lowered = name.lower()
    exact = [other for other in found if lowered in {other.name.lower(), other.first_name.lower()}] or found
    if len(exact) == 1:
        return exact[0]
    if not exact:
        raise Invalid(_("There is no colleague %(name)s.") % {"name": name[:40]})
    several = ", ".join((other.email or other.name).split("@")[0] for other in exact[:CHOICES])
    raise Invalid(_("Which one? %(names)s") % {"names": several})


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
