"""Statements that PostgreSQL parses and plans once a connection: for the few that every request or hand-out sends.

A connection pool that gives each transaction another connection must know of prepared statements (PgBouncer from 1.21 on);
with one that does not, `PREPARED_STATEMENTS=0` sends them as all others are sent.
"""

from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper


class _Cursor(ServerBindingCursor):  # psycopg's, which the stubs take for Django's
    def execute(self, query: Any, params: Any = None) -> Any:
        return super().execute(query, params, prepare=True)  # type: ignore[misc]


def cursor() -> CursorWrapper:
    """Like `connection.cursor()`; what is executed is prepared at its first use."""
    if not settings.PREPARED_STATEMENTS:
        return connection.cursor()
    connection.ensure_connection()
    made: Any = _Cursor(connection.connection)  # type: ignore[call-arg]
    return connection.make_debug_cursor(made) if connection.queries_logged else connection.make_cursor(made)
