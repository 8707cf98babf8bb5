"""A mail's HTML as lines of text, with what mail programs mark as quote or signature marked here too."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser

from notifications.inbound.quotes import QUOTE_BEGINS, Line


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


BLOCKS = _tags(
    "address article aside blockquote center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li"
    " main nav ol p pre section table tbody td th thead tr ul"
)
GAPS = _tags("p blockquote ul ol table h1 h2 h3 pre hr")  # these stand apart from what is around them
UNSEEN = _tags("head style script title template noscript")
VOID = _tags("area base br col embed hr img input link meta source track wbr")
HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
# Gmail, Outlook (desktop, web, phones), Apple, Thunderbird, Samsung; Outlook puts x_ before what it quotes.
SIGNATURES = re.compile(
    r"^(x_)*(gmail_signature(_prefix)?|signature|ms-outlook-mobile-signature|applemailsignature|composer_signature"
    r"|moz-signature|protonmail_signature_block|yahoo_signature|id-signature)$",
    re.IGNORECASE,
)
# From here on everything is a quote, though it is not marked line by line.
REFERENCES = re.compile(
    r"^(appendonsend|divrplyfwdmsg|mail-editor-reference-message-container|olk_src_body_section|yahoo_quoted.*)$",
    re.IGNORECASE,
)
CONDITIONS = re.compile(r"<!\[[^>]{0,200}>")  # <![if !mso]>, at which Python's parser breaks
NO_MARGIN = re.compile(r"margin(-top)?\s*:\s*0(cm|in|px|pt)?\s*(;|$|0)")
DEPTH_MAX = 400


@dataclass
class _Open:
    tag: str
    quoted: bool
    signature: bool
    unseen: bool
    pre: bool
    gap: bool


@dataclass
class _Reader(HTMLParser):
    """Writes lines while it goes through the page; tags that are never closed do no harm."""

    lines: list[Line] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    words: str = ""
    bullet: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack = [_Open("", quoted=False, signature=False, unseen=False, pre=False, gap=False)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        names = [values.get("id", ""), *values.get("class", "").split()]
        if tag == "br":
            self.end_line(always=True)
            return
        if tag in BLOCKS:
            self.end_line(gap=_gap(tag, names, values.get("style", "")))
        if any(REFERENCES.match(name) for name in names):
            self.end_line()
            self.lines.append(Line(QUOTE_BEGINS))
        if tag == "li":
            self.bullet = "- "
        if tag not in VOID and len(self.stack) < DEPTH_MAX:
            self.stack.append(self._opened(tag, names, values.get("style", "")))

    def _opened(self, tag: str, names: list[str], style: str) -> _Open:
        around = self.stack[-1]
        return _Open(
            tag,
            quoted=around.quoted or (tag == "blockquote" and not re.search(r"margin:\s*0\s*0\s*0\s*40px", style)),
            signature=around.signature or any(SIGNATURES.match(name) for name in names),
            unseen=around.unseen or tag in UNSEEN or bool(HIDDEN.search(style)),
            pre=around.pre or tag == "pre" or "pre-wrap" in style,
            gap=_gap(tag, names, style),
        )

    def handle_endtag(self, tag: str) -> None:
        place = next((at for at in range(len(self.stack) - 1, 0, -1) if self.stack[at].tag == tag), 0)
        if tag in BLOCKS:
            self.end_line(gap=self.stack[place].gap)
        if place:
            del self.stack[place:]

    def handle_data(self, data: str) -> None:
        now = self.stack[-1]
        if now.unseen:
            return
        if now.pre:
            first, *more = data.split("\n")
            self.words += first
            for line in more:
                self.end_line(always=True)
                self.words += line
            return
        data = re.sub(r"[ \t\n\r\f]+", " ", data)
        self.words += data.lstrip(" ") if not self.words or self.words.endswith(" ") else data

    def end_line(self, *, always: bool = False, gap: bool = False) -> None:
        """Finish the line; `always` also when it is empty, `gap`: and leave one line free."""
        always = always or "\u00a0" in self.words  # Word's empty paragraph
        now, text = self.stack[-1], self.words.replace("\u200b", "").replace("\u00a0", " ").rstrip()
        self.words = ""
        if text.strip() or always:
            self.lines.append(Line(self.bullet + text, quoted=now.quoted, signature=now.signature))
            self.bullet = ""
        if gap and self.lines and self.lines[-1].text:
            self.lines.append(Line("", quoted=self.lines[-1].quoted, signature=self.lines[-1].signature))


def _gap(tag: str, names: list[str], style: str) -> bool:
    """Whether an empty line stands before and after this; Word's lines are paragraphs without."""
    return tag in GAPS and "MsoNormal" not in names and not NO_MARGIN.search(style)


def lines(html: str) -> list[Line]:
    """The page's text. Never raises: what cannot be taken apart is left out."""
    reader = _Reader()
    with suppress(AssertionError, ValueError):  # what Python's parser says to rubbish
        reader.feed(CONDITIONS.sub("", html))
        reader.close()
    reader.end_line()
    return reader.lines
