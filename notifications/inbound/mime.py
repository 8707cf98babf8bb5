"""What a mail consists of: its headers, the text its reader would see first, and what hangs on it. Works on rubbish too."""

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.errors import InvalidHeaderDefect
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from typing import Any, cast

from notifications.inbound import html_text
from notifications.inbound.quotes import Line, plain_lines, storable

TEXT_BYTES_MAX = 2_000_000  # of one part; nobody reads on
PARTS_MAX = 500
DEPTH_MAX = 20
BOUNDARIES_MAX = 5_000  # a text may have such lines too
NESTED_MAX = 200  # each costs as much as all before it
HEADER_SECTION_BYTES = 262_144
HEADER_CHARACTERS = 4_000
# What browsers do too: these names are used by programs that write Windows' characters.
WINDOWS = frozenset({"us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "l1", "cp1252", "windows-1252", "x-ansi"})
ADDRESS = re.compile(r"^[^\s<>\"(),:;@\[\]\x00]+@[^\s<>\"(),:;@\[\]\x00]+$")


@dataclass
class Content:
    """`lines` are the text, with what is visibly a quote or a signature marked; `attachments` are names, for people."""

    lines: list[Line] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)


class TooManyParts(Exception):
    """More parts than any mail program makes: taking it apart would keep a worker busy for minutes."""


def headers(raw: bytes) -> EmailMessage:
    """The headers alone: 25 MB need not be taken apart for them."""
    head: EmailMessage = BytesHeaderParser(policy=policy.default).parsebytes(raw[:HEADER_SECTION_BYTES])
    return head


def parse(raw: bytes) -> EmailMessage:
    if raw.count(b"\n--") > BOUNDARIES_MAX or raw.count(b"multipart/") > NESTED_MAX:
        raise TooManyParts
    return email.message_from_bytes(raw, policy=policy.default)


def header(parsed: EmailMessage, name: str) -> str:
    """A header as one line of text; a broken one is an empty one, and of an endless one the beginning."""
    try:
        written = _written(parsed, name)
        return " ".join(storable(str(_read(name, written[0]))).split()) if written else ""
    except Exception:  # noqa: BLE001 — the standard library raises many kinds on rubbish
        return ""


def _written(parsed: EmailMessage, name: str) -> list[str]:
    return [str(value) for known, value in parsed.raw_items() if known.lower() == name.lower()]


def _read(name: str, written: str) -> Any:
    """The standard library takes half a minute for a header of a megabyte."""
    return policy.default.header_fetch_parse(name, written[:HEADER_CHARACTERS])


def from_address(parsed: EmailMessage) -> str:
    """The one From address, lower case; empty when there is none or more than one (a forger's trick).

    Read from the header's structure: a display name that looks like an address stays a name.
    """
    written = _written(parsed, "From")
    if len(written) != 1 or len(written[0]) > HEADER_CHARACTERS:
        return ""
    try:
        value = _read("From", written[0])
        found, defects = [address.addr_spec for address in value.addresses], value.defects
    except Exception:  # noqa: BLE001
        return ""
    address = found[0] if len(found) == 1 else ""
    if any(isinstance(defect, InvalidHeaderDefect) for defect in defects):
        # "Bakker, Bob <bob@…>" without quotes is common. What holds a second @ could be read in two ways, so it is not.
        address = (re.findall(r"<([^<>]*)>\s*$", written[0]) or [""])[0] if written[0].count("@") == 1 else ""
    address = storable(address).strip().lower()
    return address if ADDRESS.match(address) else ""


def content(parsed: EmailMessage) -> Content:
    """The mail's text and attachments. Of a mail that only carries another mail, that one's text."""
    found = Content()
    _collect(parsed, found, depth=0)
    if not any(line.text.strip() for line in found.lines):
        inner = next((part for part in _walk(parsed) if part.get_content_type() == "message/rfc822"), None)
        if inner is not None and inner.is_multipart():
            _collect(cast(EmailMessage, inner.get_payload(0)), found, depth=1)
    return found


def _walk(parsed: EmailMessage) -> Iterator[EmailMessage]:
    for number, part in enumerate(parsed.walk()):
        if number >= PARTS_MAX:
            return
        yield part


def _collect(part: EmailMessage, found: Content, *, depth: int) -> None:
    """Add what `part` says to `found`, as a mail program shows it."""
    kind = part.get_content_type()
    if kind.startswith("multipart/") and not part.is_multipart():
        kind = "text/plain"  # its boundary is missing, its text is not
    if depth > DEPTH_MAX or len(found.attachments) > PARTS_MAX:
        return
    if kind == "message/rfc822" or not part.is_multipart():
        _collect_leaf(part, kind, found)
        return
    parts: list[EmailMessage] = list(part.iter_parts())[:PARTS_MAX]  # type: ignore[assignment]
    if kind == "multipart/alternative":
        _choose(parts, found, depth)
    else:
        for child in parts:
            _collect(child, found, depth=depth + 1)


def _choose(parts: list[EmailMessage], found: Content, depth: int) -> None:
    """HTML shows what is a quote and a signature, and breaks no lines; plain text is what we read without it."""
    seen: list[tuple[bool, Content]] = []
    for part in parts:
        one = Content()
        _collect(part, one, depth=depth + 1)
        seen.append((any(sub.get_content_type() == "text/html" for sub in _walk(part)), one))
    readable = [(is_html, one) for is_html, one in seen if any(line.text.strip() for line in one.lines)]
    chosen = max(readable, key=lambda choice: choice[0], default=None)
    if chosen:
        found.lines += chosen[1].lines
    for _is_html, one in seen:
        found.attachments += [name for name in one.attachments if name not in found.attachments]


def _collect_leaf(part: EmailMessage, kind: str, found: Content) -> None:
    name = _filename(part)
    is_text = kind in {"text/plain", "text/html"} and part.get_content_disposition() != "attachment" and not name
    if is_text:
        text = _decoded(part)
        if kind == "text/html":
            found.lines += html_text.lines(text)
        else:
            found.lines += plain_lines(_unflowed(text, part))
    elif not _is_furniture(part, kind):
        found.attachments.append(name or kind)


def _is_furniture(part: EmailMessage, kind: str) -> bool:
    """What nobody attached: pictures that belong to the page, signatures of the mail program, receipts."""
    inline = part.get("Content-ID") and kind.startswith("image/") and part.get_content_disposition() != "attachment"
    return bool(inline) or kind in {
        *("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"),
        *("message/delivery-status", "message/disposition-notification", "text/rfc822-headers"),
    }


def _filename(part: EmailMessage) -> str:
    try:
        return " ".join(storable(part.get_filename() or "").split())[:100]
    except Exception:  # noqa: BLE001
        return ""


def _decoded(part: EmailMessage) -> str:
    """The part as text, whatever it says about its charset."""
    try:
        payload = part.get_payload(decode=True)
        charset = str(part.get_content_charset() or "")
    except Exception:  # noqa: BLE001
        return ""
    raw = payload[:TEXT_BYTES_MAX] if isinstance(payload, bytes) else b""
    return storable(decoded(raw, charset)).replace("\r\n", "\n").replace("\r", "\n")


def decoded(raw: bytes, charset: str) -> str:
    """Bytes as text: the charset that is named, if it fits; else UTF-8, if it fits; else Windows' own."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        charset = "utf-16"
    for name in (charset if charset.lower() not in WINDOWS else "", "utf-8", "cp1252"):
        try:
            if name and name.lower() not in {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}:
                return raw.decode(name)
        except (LookupError, UnicodeError, ValueError):  # a charset nobody knows, or not this text's
            continue
    return raw.decode("latin-1")


def _unflowed(text: str, part: EmailMessage) -> str:
    """format=flowed (RFC 3676): a line that ends in a space goes on in the next one of the same depth."""
    try:
        if str(part.get_param("format", "")).lower() != "flowed":
            return text
        keeps_space = str(part.get_param("delsp", "")).lower() != "yes"
    except Exception:  # noqa: BLE001
        return text
    done: list[tuple[int, str]] = []
    goes_on = False
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth, bare = len(line) - len(bare), bare.removeprefix(" ")
        if goes_on and done and done[-1][0] == depth:
            done[-1] = (depth, done[-1][1] + bare)
        else:
            done.append((depth, bare))
        goes_on = bare.endswith(" ") and bare != "-- "
        if goes_on and not keeps_space:
            done[-1] = (depth, done[-1][1][:-1])
    return "\n".join(">" * depth + (" " if depth else "") + bare for depth, bare in done)
