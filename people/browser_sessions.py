"""Django's sessions in the database, of no use to who reads the database.

Their rows are found by a hash of the key that the browser (or the app, while it signs in) shows, and what they hold is
encrypted: a code that was just sent stands in it.
"""

import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session

from backend import clock

BOX = Fernet(f"{settings.SESSION_SECRET}=")
STORED_CHARACTERS = 40  # what Django's column holds: 160 bits


def stored(key: str) -> str:
    """SHA-256 and not a password hash: the key is random already."""
    return hashlib.sha256(key.encode()).hexdigest()[:STORED_CHARACTERS]


class SessionStore(db.SessionStore):
    """`session_key` is the browser's; the database only ever sees `stored` of it."""

    def load(self) -> dict[str, Any]:
        key = self.session_key
        row = self._row(key) if key else None
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.session_data)

    def _row(self, key: str) -> Session | None:
        return Session.objects.filter(session_key=stored(key), expire_date__gt=clock.real()).first()

    def exists(self, session_key: str) -> bool:
        return super().exists(stored(session_key))

    def create_model_instance(self, data: Any) -> Any:
        row: Any = super().create_model_instance(data)
        row.session_key = stored(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(session_key=stored(key)).delete()

    def encode(self, session_dict: dict[str, Any]) -> str:
        return BOX.encrypt(json.dumps(session_dict).encode()).decode()

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        try:
            held: dict[str, Any] = json.loads(BOX.decrypt(session_data))
        except (InvalidToken, ValueError):  # of before there was encryption, or of another SECRET_KEY
            return {}
        return held
