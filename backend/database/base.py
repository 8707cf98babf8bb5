"""Django's PostgreSQL, with a cheaper sign of life.

Before its first query each request asks whether the connection it was left still works. Django asks by `SELECT 1`: a round
trip that no request needs while all is well. A server that went away has closed its end, and the socket knows.
"""

import select
from typing import Any

from django.db.backends.postgresql import base, operations


class DatabaseOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        """For logs and tests; of what is prepared psycopg does not keep it, so it is told as it was written."""
        return super().last_executed_query(cursor, sql, params) or str(sql)


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations

    def is_usable(self) -> bool:
        """False once the server has closed the connection or said something that nobody asked for: its last words."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()  # not select(): a busy process has more than 1,024 files open
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)
