"""Ids and codes that people and programs pass around."""

import secrets
import uuid

import uuid_utils.compat

# Without 0/O, 1/I/L, 2/Z, 5/S, 8/B and U/V: what is left cannot be misread on a phone or misheard on the phone.
CLEAR_LETTERS = "ACDEFGHJKMNPQRTVWXY"
CLEAR_DIGITS = "34679"
CLEAR = CLEAR_LETTERS + CLEAR_DIGITS


def uuid7() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): sorts by creation time, so that new rows land at the end of an index."""
    return uuid_utils.compat.uuid7()


def clear_code(length: int) -> str:
    """`length` random characters that survive being read aloud."""
    return "".join(secrets.choice(CLEAR) for _ in range(length))
