"""Item codes: `A7` is how one person names one open item in an SMS, and its reply key does the same for mail."""

import re
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import IntegrityError, transaction

from backend import clock, rows
from backend.ids import CLEAR_DIGITS, CLEAR_LETTERS
from notifications.models import ItemCode

ITEM_CODE = rows.part(ItemCode)
QUARANTINE = timedelta(days=30)  # how long a closed item keeps its letters, so that a late answer never hits another
CODE = re.compile(rf"^([{CLEAR_LETTERS}][{CLEAR_DIGITS}]|[{CLEAR_LETTERS}]{{2}}[{CLEAR_DIGITS}])$")


class OutOfCodes(Exception):
    """A person with every code in use; cannot happen below 1,800 items in a month."""


def is_code(word: str) -> bool:
    return bool(CODE.match(word.upper()))


def open_for(person: Any, item: str, label: str) -> ItemCode:
    """The person's code for this item, made when there is none and opened again when it was closed."""
    return _made_at_once(person, item, label) or _known_or_made(person, item, label)


def _made_at_once(person: Any, item: str, label: str) -> ItemCode | None:
    """The first free code of two letters, in one statement. None when all are in use or the item has its code."""
    made = ItemCode(person=person, item=item, label=label[:80], created_at=clock.now())
    long_ago = made.created_at - QUARANTINE
    return rows.first(ITEM_CODE, _make_at_once(), {**rows.values(made), "long_ago": long_ago})


@cache
def _make_at_once() -> str:
    two = ",".join(_two())
    return f"""
WITH freed AS (  -- what it frees counts as in use until the next time
    UPDATE notifications_itemcode SET freed_at = %(itemcode_created_at)s
    WHERE person_id = %(itemcode_person_id)s AND freed_at IS NULL AND closed_at < %(long_ago)s
)
{rows.inserting(ItemCode, "", code="code")}
FROM unnest('{{{two}}}'::text[]) WITH ORDINALITY AS two (code, place)
WHERE NOT EXISTS (SELECT FROM notifications_itemcode taken
                  WHERE taken.person_id = %(itemcode_person_id)s AND taken.freed_at IS NULL AND taken.code = two.code)
  AND NOT EXISTS (SELECT FROM notifications_itemcode known
                  WHERE known.person_id = %(itemcode_person_id)s AND known.item = %(itemcode_item)s)
ORDER BY place LIMIT 1
ON CONFLICT DO NOTHING RETURNING {ITEM_CODE.columns}
"""  # noqa: S608 — our own words


def _known_or_made(person: Any, item: str, label: str) -> ItemCode:
    known = ItemCode.objects.filter(person=person, item=item).first()
    if known is None:
        return _make(person, item, label)
    if known.closed_at is not None and known.freed_at is None:
        ItemCode.objects.filter(pk=known.pk).update(closed_at=None)
        known.closed_at = None
    return known


def _make(person: Any, item: str, label: str) -> ItemCode:
    free_up(person)
    in_use = set(ItemCode.objects.filter(person=person, freed_at__isnull=True).values_list("code", flat=True))
    for code in _codes():
        if code not in in_use:
            try:
                with transaction.atomic():
                    return ItemCode.objects.create(
                        person=person, item=item, code=code, label=label[:80], created_at=clock.now()
                    )
            except IntegrityError:  # taken this very moment, or the item has its code now
                known = ItemCode.objects.filter(person=person, item=item).first()
                if known:
                    return known
    raise OutOfCodes(str(person.pk))


def _two() -> list[str]:
    return [letter + digit for digit in CLEAR_DIGITS for letter in CLEAR_LETTERS]


def _codes() -> list[str]:
    return _two() + [letter + code for letter in CLEAR_LETTERS for code in _two()]


def free_up(person: Any) -> None:
    """Give back the letters of items that were closed long ago."""
    now = clock.now()
    ItemCode.objects.filter(person=person, freed_at__isnull=True, closed_at__lt=now - QUARANTINE).update(freed_at=now)


def close(item: str, *, person: Any = None) -> None:
    """The item can no longer be answered (by `person`, or by anybody)."""
    rows = ItemCode.objects.filter(item=item, closed_at__isnull=True)
    if person is not None:
        rows = rows.filter(person=person)
    rows.update(closed_at=clock.now())


def find(person: Any, code: str) -> ItemCode | None:
    """What this person means by `code`, also when it is closed by now; never somebody else's."""
    return ItemCode.objects.filter(person=person, code=code.upper(), freed_at__isnull=True).first()


def open_items(person: Any, *kinds: str) -> list[ItemCode]:
    """The person's open items of these kinds, oldest first."""
    rows = ItemCode.objects.filter(person=person, closed_at__isnull=True).order_by("created_at", "pk")
    return [row for row in rows if not kinds or row.kind in kinds]


def by_reply_key(reply_key: str) -> ItemCode | None:
    return ItemCode.objects.select_related("person").filter(reply_key=reply_key.lower()).first()
