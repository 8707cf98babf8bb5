"""A person's statement: every line with the balance after it, newest first, page by page."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

# The newest lines below a transfer's id. The running balance is summed over all of the person's lines: hundreds a year.
LINES = """
WITH lots AS (SELECT id, kind FROM rewards_account WHERE person_id = %(person)s AND kind IN ('allowance', 'earned')),
     moves AS (
       SELECT t.id, t.created_at, t.amount, l.kind, t.reason, t.subject
       FROM rewards_transfer t JOIN lots l ON l.id = t.credit_id
       UNION ALL
       SELECT t.id, t.created_at, -t.amount, l.kind, t.reason, t.subject
       FROM rewards_transfer t JOIN lots l ON l.id = t.debit_id)
SELECT id, created_at, amount, kind, reason, subject, balance::bigint FROM (
  SELECT *, sum(amount) OVER (ORDER BY id, amount) AS balance FROM moves) lines
WHERE %(below)s::bigint IS NULL OR id < %(below)s
ORDER BY id DESC, amount DESC LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Line:
    """`balance` is after this line, in all lots together, what gifts hold included."""

    id: int
    at: datetime
    amount: int
    wallet: str
    reason: str
    subject: str
    balance: int


def lines(person: Any, *, below: int | None = None, limit: int) -> list[Line]:
    """Newest first; a move between two lots of one's own is two lines."""
    with connection.cursor() as cursor:
        cursor.execute(LINES, {"person": person.pk, "below": below, "limit": limit})
        return [Line(*row) for row in cursor.fetchall()]


def as_csv(person: Any, limit: int) -> str:
    """Semicolons and a byte order mark: what a Dutch spreadsheet opens without questions."""
    text = io.StringIO()
    text.write("\ufeff")
    table = csv.writer(text, delimiter=";", lineterminator="\r\n")
    table.writerow(("at", "amount", "balance", "wallet", "reason", "subject"))
    table.writerows(_cells(lines(person, limit=limit)))
    return text.getvalue()


def _cells(rows: list[Line]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield row.at.isoformat(), row.amount, row.balance, row.wallet, row.reason, row.subject
