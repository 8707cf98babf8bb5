"""What somebody wrote themselves: their mail without what they quoted, without signature, in its order.

Inline answers come out one below the other, without the pieces they answer: what we send an expert holds what is theirs
alone (links that answer in their name, what may not be said), and their answer goes to a friend.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

QUOTE_BEGINS = "\ue000quote"  # a line that the reader of HTML writes where everything below is a quote
DASHES = "-‑–—―−‒"  # noqa: RUF001 — what word processors make of two or three hyphens
ATTRIBUTION_LINES = 4
ATTRIBUTION_CHARACTERS = 500
SIGNATURE_LINES = 25
LINE_CHARACTERS = 300
HEADER_BLOCK_LINES = 12
HEADERS_LEAST = 3
WORDS_OF_OURS = 4  # so many words in a row that we sent are a quote; fewer may be somebody's own

QUOTED = re.compile(r"^ ?(>[> ]*)")
NOTE = re.compile(rf"^\s*(?P<dashes>[{DASHES}_ ]{{1,8}})intern(?:al)?\b\s*[:.]?", re.IGNORECASE)
MARKER = re.compile(r"(Write your reply above this line|Schrijf je antwoord boven deze regel)\s*---?")
SEPARATOR = re.compile(
    rf"^\s*[{DASHES}_]{{2,}} ?(Original Message|Oorspronkelijk bericht|Origineel bericht|Original-Nachricht|Reply message)"
    rf" ?[{DASHES}_]{{2,}}\s*$|^\s*[{DASHES}]{{3,}}\s*(Op|On) .{{3,200}}(schreef|wrote).{{0,200}}$",
    re.IGNORECASE,
)
FORWARDED = re.compile(
    rf"^\s*[{DASHES}]{{2,}} ?(Forwarded message|Doorgestuurd bericht|Doorgestuurde e-?mail) ?[{DASHES}]{{2,}}\s*$"
    r"|^\s*(Begin forwarded message|Begin doorgestuurd bericht)\s*:?\s*$",
    re.IGNORECASE,
)
FORWARD_SUBJECT = re.compile(r"^\s*(fw|fwd|doorst|doorg|doorgestuurd)\s*:", re.IGNORECASE)
HEADER_LINE = re.compile(
    r"^[\s*]*(Van|From|Verzonden|Verstuurd|Sent|Datum|Date|Aan|To|Cc|Onderwerp|Subject|Beantwoorden|Antwoord aan|Reply-To)"
    r"\s?:[\s*]*(?P<value>.*)$",
    re.IGNORECASE,
)
HEADERS_FIRST = re.compile(r"^[\s*]*(Van|From|Verzonden|Sent|Datum|Date)\s?:", re.IGNORECASE)
SUBJECT = re.compile(r"^[\s*]*(Onderwerp|Subject)\s?:", re.IGNORECASE)
# "Op di 24 nov 2026 om 12:00 schreef X <x@y>:" and its sisters, over up to four lines.
ATTRIBUTION = re.compile(
    r"^(Op|On)\b.*\d.*\b(schreef|wrote|geschreven)\b.{0,200}$"
    r"|^.{1,120}\b(schreef op|wrote on|schreef het volgende op)\b.*\d.*$"
    r"|^\d{1,4}[-/.]\d\d?[-/.]\d{1,4}.*<\S+@\S+>:$",
    re.IGNORECASE,
)
ATTRIBUTION_BEGINS = re.compile(r"^\s*((Op|On|\d+)\b|\S.{0,100}\b(schreef|wrote)\b)", re.IGNORECASE)
SURELY = re.compile(r"<?\S+@\S+>?|\d\d?[:.]\d\d|het volgende geschreven", re.IGNORECASE)
SIGNED = re.compile(r"^--\s*$|^[–—]\s?[–—]?\s*$")
RULE = re.compile(r"^\s*_{5,}\s*$")  # what Outlook draws above what it quotes
DEVICE = re.compile(
    r"^\W*((Verzonden|Verstuurd|Verzend|Sent|Send) (vanaf|vanuit|van|via|met|from|with|using)\b.{0,60}"
    r"\b(iPhone|iPad|Galaxy|Samsung\w*|Android\w*|Huawei|Outlook|Mail|Yahoo|Proton\w*|Gmail|BlackBerry|mobiel\w*|mobile|telefoon"
    r"|phone|smartphone|tablet|toestel|Spark|K-9|Nokia|OnePlus|Pixel|Xiaomi|Apple|Thunderbird|BlueMail|device)\b.{0,60}"
    r"|(Download|Get) Outlook (voor|for) .{2,40}|Outlook (voor|for) .{2,30} downloaden.{0,60}"
    r"|Downloaden? .{0,12}Outlook (voor|for) .{2,40})$",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"^\W*(((met|with)\s+)?((vriendelijke|hartelijke|beste|warme|zonnige|lieve|sportieve|veel|fijne|kind|best|warm|many|warmest)"
    r"\s+)*(groet|groeten|groetjes|regards|wishes)|m\.?v\.?g\.?|gr\.?|cheers|best|(yours )?sincerely|hoogachtend)"
    r"(\s*[/|]\s*[\w ]{3,30})?\s*([,.!]|$)(\s*[\w .'-]{0,40})$"
    r"|^\W*(groet|groeten|groetjes|gr\.?|mvg),?\s+[\w'-]+(\s+[\w'-]+){0,3}\W*$",
    re.IGNORECASE,
)
POSTSCRIPT = re.compile(r"^\W*P\.?\s?S\.?\b", re.IGNORECASE)
POINTS_BELOW = re.compile(
    r"\b(hieronder|onderstaand\w*|below|inline|tussen de regels|tussendoor|in (het )?(rood|blauw|groen|red|blue|green))\b",
    re.IGNORECASE,
)
BANNER = re.compile(
    r"^\W*(caution|warning|external|extern(e)?|let op|waarschuwing|pas op|disclaimer|you don't often get"
    r"|u ontvangt niet vaak|je ontvangt niet vaak)\b",
    re.IGNORECASE,
)
LINK = re.compile(r"<?(https?://|mailto:)\S+>?", re.IGNORECASE)


@dataclass
class Line:
    text: str
    quoted: bool = False
    signature: bool = False


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    """Patterns see the beginning of a line: what they look for is short, and no line shall keep them busy."""
    return bool(pattern.match(text[:LINE_CHARACTERS]))


def storable(text: str) -> str:
    """Without what PostgreSQL cannot keep: NUL, and the lone surrogates that stand for bytes of no charset."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def plain_lines(text: str) -> list[Line]:
    """Text as lines, those that begin with > marked as quoted."""
    found = []
    for text_line in text.split("\n"):
        prefix = QUOTED.match(text_line)
        found.append(Line(text_line[prefix.end() :] if prefix else text_line, quoted=bool(prefix)))
    return found


def own_words(lines: list[Line], *, sent: str = "", keep_forwarded: bool = False) -> str:
    """What the writer of these lines wrote. Empty only when there is nothing but what we sent.

    `sent`: the texts of ours that they may have quoted. `keep_forwarded`: what was forwarded to us is what matters, so
    only the headers above it go.
    """
    ours = _Ours(sent)
    head, tail = _divided(lines)
    if keep_forwarded:
        return _joined([_unsigned(head), _without_headers(tail)])
    head = _without_attributions(head)
    blocks = _blocks(head, ours)
    own = _joined(_unsigned(block) for block in blocks)
    if tail and (not own or (len(own) < 200 and POINTS_BELOW.search(own))):
        below = _text(_unsigned(_without_ours(tail, ours))) if ours.words else ""
        own = "\n\n".join(part for part in (own, below) if part)
    if own:
        return own
    # Everything would go: what we neither sent nor know as a signature stays.
    return _text(_part_unsigned(_without_ours(lines, ours)))


def is_forward(subject: str) -> bool:
    return bool(FORWARD_SUBJECT.match(subject))


# --- where the quotes are --------------------------------------------------------------------------------------------


def _divided(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """(what stands above, what stands below the first quote that is not marked line by line)"""
    for at, line in enumerate(lines):
        if not line.quoted and _begins_tail(lines, at):
            return lines[:at], lines[at:]
    return lines, []


def _begins_tail(lines: list[Line], at: int) -> bool:
    text = lines[at].text
    if text == QUOTE_BEGINS or MARKER.search(text[:LINE_CHARACTERS]) or _fits(SEPARATOR, text) or _fits(FORWARDED, text):
        return True
    if _is_header_block(lines, at):
        return True
    end = _attribution_end(lines, at)
    return bool(end) and not _quote_follows(lines, end)


def _is_header_block(lines: list[Line], at: int) -> bool:
    """Whether a mail's headers begin here: from whom, when, to whom, and always the subject."""
    if not _fits(HEADERS_FIRST, lines[at].text):
        return False
    block = [line.text for line in lines[at : at + HEADER_BLOCK_LINES] if _fits(HEADER_LINE, line.text)]
    return len(block) >= HEADERS_LEAST and any(_fits(SUBJECT, one) for one in block)


def _quote_follows(lines: list[Line], at: int) -> bool:
    """Whether the first line with something in it, from `at` on, is marked as a quote."""
    following = (line.quoted for line in lines[at : at + 5] if line.text.strip() or line.quoted)
    return next(following, False)


def _attribution_end(lines: list[Line], at: int) -> int:
    """Where "Op … schreef …:" ends that begins at `at`; 0 when none does."""
    if not _fits(ATTRIBUTION_BEGINS, lines[at].text):
        return 0
    joined = ""
    for end in range(at, min(at + ATTRIBUTION_LINES, len(lines))):
        if lines[end].quoted != lines[at].quoted or not lines[end].text.strip():
            return 0
        joined = f"{joined} {lines[end].text.strip()}".strip()
        if len(joined) > ATTRIBUTION_CHARACTERS:
            return 0
        if not joined.endswith(":") or not ATTRIBUTION.match(joined):
            continue
        if SURELY.search(joined) or _quote_follows(lines, end + 1):
            return end + 1
    return 0


def _without_attributions(lines: list[Line]) -> list[Line]:
    kept: list[Line] = []
    at = 0
    while at < len(lines):
        end = _attribution_end(lines, at)
        if end:
            kept.append(Line("", quoted=True))
        else:
            kept.append(lines[at])
        at = end or at + 1
    return kept


def _without_headers(lines: list[Line]) -> list[Line]:
    """A forwarded mail without who wrote to whom: the friend stays unknown."""
    kept = []
    in_headers = False
    for at, line in enumerate(lines):
        begins = _fits(FORWARDED, line.text) or _fits(SEPARATOR, line.text) or line.text == QUOTE_BEGINS
        is_header = _fits(HEADER_LINE, line.text) and (in_headers or _is_header_block(lines, at))
        in_headers = bool(begins) or is_header or (in_headers and not line.text.strip())
        if not (begins or is_header):
            kept.append(line)
    return kept


def _blocks(lines: list[Line], ours: "_Ours") -> list[list[Line]]:
    """The writer's own lines, in pieces between the quotes."""
    blocks: list[list[Line]] = [[]]
    quotes_seen = False
    for line in lines:
        if line.quoted or (quotes_seen and ours.has(line.text)):
            quotes_seen = True
            if blocks[-1]:
                blocks.append([])
        else:
            blocks[-1].append(line)
    return blocks


class _Ours:
    """The words that we sent, to be found again in what comes back."""

    def __init__(self, sent: str) -> None:
        self.words = f" {_bare(sent)} " if sent else ""
        self.next = 0  # where the last line that was ours ended

    def has(self, text: str) -> bool:
        """Whether this line is a piece of what we sent: some words in a row, or what follows on the line before."""
        line = _bare(text)
        if not self.words or not line:
            return bool(self.words) and not line and self.next > 0
        if self.words.startswith(f"{line} ", self.next):
            self.next += len(line) + 1
            return True
        place = self.words.find(f" {line} ")
        if place < 0 or (len(line.split()) < WORDS_OF_OURS and place + 1 < self.next):
            return False
        if len(line.split()) < WORDS_OF_OURS and place > self.next + 200:
            return False
        self.next = place + len(line) + 2
        return True


def _bare(text: str) -> str:
    """Words alone, as they are compared: without links, punctuation, or the case that some programs change."""
    return " ".join(re.findall(r"\w+", LINK.sub(" ", text).lower()))


def _without_ours(lines: list[Line], ours: "_Ours") -> list[Line]:
    """What in an unmarked quote is not ours: answers that were typed into it."""
    ours.next = 0
    kept = []
    for line in _without_headers(_without_attributions(lines)):
        text = line.text
        theirs = not text.strip() or not (
            text == QUOTE_BEGINS
            or MARKER.search(text[:LINE_CHARACTERS])
            or _fits(SEPARATOR, text)
            or _fits(BANNER, text)
            or not _bare(text)
            or ours.has(text)
        )
        if theirs:
            kept.append(line)
    return kept


# --- signatures, and the line that divides ---------------------------------------------------------------------------


def _unsigned(block: list[Line]) -> list[Line]:
    """Without the signature, which may stand above and below the note for colleagues."""
    done: list[Line] = []
    part: list[Line] = []
    for line in block:
        note = _note(line.text)
        if note is None or line.signature:
            part.append(line)
            continue
        done += [*_part_unsigned(part), Line("--- intern")]
        part = [Line(note)] if note else []
    return done + _part_unsigned(part)


def _note(text: str) -> str | None:
    """What stands behind `--- intern` on its line; None when it is no such line. Outlook makes — and – of the hyphens."""
    found = NOTE.match(text[:LINE_CHARACTERS])
    if found is None:
        return None
    dashes, rest = found["dashes"].replace(" ", ""), text[found.end() :].strip()
    if len(dashes) >= 3 or (len(dashes) >= 2 and dashes[0] not in "_"):  # noqa: PLR2004
        return rest
    return "" if not rest and dashes != "-" and dashes != "_" else None


def _part_unsigned(part: list[Line]) -> list[Line]:
    lines = [line for line in part if not line.signature]
    end = next((at for at, line in enumerate(lines) if _fits(SIGNED, line.text)), len(lines))
    lines = [*lines[:end], *_postscript(lines[end:])]
    lines = [line for at, line in enumerate(lines) if not _fits(DEVICE, line.text) or _goes_on(lines, at)]
    start = next((at for at, line in enumerate(lines) if line.text.strip()), len(lines))
    for at in range(max(start + 1, len(lines) - SIGNATURE_LINES - 1), len(lines)):
        if _fits(CLOSING, lines[at].text):
            return [*lines[:at], *_postscript(lines[at + 1 :])]
    return lines


def _goes_on(lines: list[Line], at: int) -> bool:
    """Whether a text goes on below, so that this line belongs to it."""
    return sum(len(line.text.split()) for line in lines[at + 1 :]) > 60  # noqa: PLR2004


def _postscript(lines: list[Line]) -> list[Line]:
    start = next((at for at, line in enumerate(lines) if _fits(POSTSCRIPT, line.text)), len(lines))
    return lines[start:]


def _text(lines: list[Line]) -> str:
    end = len(lines)
    while end and (not lines[end - 1].text.strip() or _fits(RULE, lines[end - 1].text)):
        end -= 1
    text = "\n".join(line.text.rstrip() for line in lines[:end] if line.text != QUOTE_BEGINS)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _joined(blocks: Iterable[list[Line]]) -> str:
    """Pieces of text, one empty line apart."""
    return "\n\n".join(text for text in map(_text, blocks) if text)
