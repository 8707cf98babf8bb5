"""Addresses that open one thing: the friend's page and the expert's answer page."""

import base64
import hmac
import secrets
import uuid
from hashlib import sha256

from django.conf import settings

from questions.models import Assignment, Question

SIGNATURE_BYTES = 12


def new_friend_key() -> str:
    """128 random bits."""
    return secrets.token_urlsafe(16)


def friend_link(question: Question) -> str:
    return f"{settings.PUBLIC_BASE_URL}/q/{question.friend_key}"


def answer_link(assignment: Assignment) -> str:
    return f"{settings.PUBLIC_BASE_URL}/a/{answer_token(assignment.pk)}"


def answer_token(assignment_id: uuid.UUID) -> str:
    """Derived from a server key, so that a reader of the database cannot answer in an expert's name."""
    body = assignment_id.bytes
    return base64.urlsafe_b64encode(body + _signature(body)).decode().rstrip("=")


def read_answer_token(token: str) -> uuid.UUID | None:
    """The assignment's id; None for a token that we did not make."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    body, signature = raw[:16], raw[16:]
    if len(body) != 16 or not hmac.compare_digest(signature, _signature(body)):
        return None
    return uuid.UUID(bytes=body)


def _signature(body: bytes) -> bytes:
    return hmac.digest(f"answer-link:{settings.SECRET_KEY}".encode(), body, sha256)[:SIGNATURE_BYTES]
