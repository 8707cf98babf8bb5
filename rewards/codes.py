"""The two secrets of a gift: its link (128 bits) and the voucher code (70 bits and a check symbol).

Both are derived from the gift and a server key: the claim page can show the code again and a giver can get a new link,
while the database holds only keyed hashes. The check symbol is one of the Reed-Solomon kind: the symbols, each times its
own power of a primitive element of GF(32), add up to zero. A single wrong symbol changes the sum, and so does any swap of
two different symbols, because no two places share a power.
"""

import base64
import hmac
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from django.conf import settings

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O and U
VALUE = {symbol: value for value, symbol in enumerate(ALPHABET)}
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
NOISE = str.maketrans("", "", " -–—.\u00a0\t\r\n")
DATA_SYMBOLS = 14
SYMBOLS = DATA_SYMBOLS + 1
GROUP = 5
SECRET_BYTES = 16
FIELD_POLYNOMIAL = 0b100101  # x⁵ + x² + 1, primitive over GF(2)


@dataclass(frozen=True)
class Voucher:
    """What is shown to people (`secret`, `code`) and what is stored (the digests)."""

    secret: str
    code: str
    secret_digest: bytes
    code_digest: bytes


def voucher(gift_id: UUID, secret_number: int) -> Voucher:
    """The gift's voucher; another number gives another link and another code."""
    secret = _keyed("link", gift_id.bytes + secret_number.to_bytes(4, "big"))[:SECRET_BYTES]
    bits = int.from_bytes(_keyed("code", secret), "big")
    code = with_check("".join(ALPHABET[bits >> 5 * place & 31] for place in range(DATA_SYMBOLS)))
    link = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    return Voucher(link, code, secret_digest(link), code_digest(code))


def secret_digest(secret: str) -> bytes:
    return _keyed("stored-link", secret.encode())


def code_digest(code: str) -> bytes:
    return _keyed("stored-code", code.encode())


def recipient_digest(address: str) -> bytes:
    """Of what a friend enters at the claim: enough to count by, and of no use for writing to them."""
    return _keyed("recipient", address.encode())


def _keyed(purpose: str, value: bytes) -> bytes:
    return hmac.digest(f"{purpose}:{settings.VOUCHER_KEY}".encode(), value, sha256)


# --- the code, as people handle it -----------------------------------------------------------------------------------


def shown(code: str) -> str:
    """`7K2MN-4QX8D-P3R9T`."""
    return "-".join(code[start : start + GROUP] for start in range(0, SYMBOLS, GROUP))


def read(text: str) -> str | None:
    """The code that somebody typed or scanned: any case, spaces and hyphens, O for 0, I or L for 1. None: mistyped."""
    code = text.upper().translate(NOISE).translate(MISREAD)
    if len(code) != SYMBOLS or any(symbol not in VALUE for symbol in code):
        return None
    return code if _sum(code) == 0 else None


def with_check(data: str) -> str:
    """`data` and the symbol that makes the weighted sum zero."""
    return data + ALPHABET[_times(_sum(data), _INVERSE[SYMBOLS])]


def _times_x(value: int) -> int:
    value <<= 1
    return value ^ FIELD_POLYNOMIAL if value & 0b100000 else value


def _times(first: int, second: int) -> int:
    """The product in GF(32)."""
    product = 0
    while second:
        if second & 1:
            product ^= first
        first, second = _times_x(first), second >> 1
    return product


def _powers(count: int) -> list[int]:
    powers = [1]
    for _place in range(count):
        powers.append(_times_x(powers[-1]))
    return powers


_WEIGHT = _powers(SYMBOLS)  # the symbol in place n (from 1) weighs xⁿ
_INVERSE = {SYMBOLS: next(other for other in range(1, 32) if _times(other, _WEIGHT[SYMBOLS]) == 1)}


def _sum(code: str) -> int:
    total = 0
    for place, symbol in enumerate(code, 1):
        total ^= _times(VALUE[symbol], _WEIGHT[place])
    return total
