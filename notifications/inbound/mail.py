"""A mail, read: whose it is, which item or address it is meant for, and what its writer wrote."""

import email
import hashlib
import re
from email import policy
from email.message import EmailMessage
from email.utils import getaddresses

import html2text
from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from mailparser_reply import EmailReplyParser

from backend.errors import Refusal
from notifications import addresses, conversation, item_codes, reading, reply_targets
from notifications.inbound.outcome import Outcome, State, handled
from notifications.models import Channel, InboundMessage
from notifications.reply_targets import Mail

REPLY_KEY = re.compile(r"^[0-9a-f]{32}$")
ABOVE_THIS_LINE = re.compile(
    r"^[>\s]*(Write your reply above this line|Schrijf je antwoord boven deze regel) ---\s*$", re.MULTILINE
)
# "Op di 24 nov om 12:00 schreef …:" stands above our line; programs wrap it over up to three lines.
ATTRIBUTION = re.compile(r"^[>\s]*(?:Op|On)\b(?:[^\n]*\n){0,2}[^\n]*\b(?:schreef|wrote)\b[^\n]*:?\s*\Z", re.MULTILINE)
STRANGER = gettext_lazy(
    "We do not know this address. Are you a colleague? Write from your work address, or ask HR to add it."
)
COMMAND_ADDRESSES = frozenset({"doe", "do"})  # here mail says what SMS says: the same verbs
BULK = frozenset({"bulk", "list", "junk", "auto_reply"})
ROBOTS = re.compile(r"^(mailer-daemon|postmaster|no-?reply|bounces?)([+-].*)?@", re.IGNORECASE)


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def _storable(text: str) -> str:
    """Without what PostgreSQL cannot keep: NUL, and the lone surrogates that stand for bytes of no charset."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def _header(parsed: EmailMessage, name: str) -> str:
    """A header as text; a broken one is an empty one."""
    try:
        return _storable(str(parsed.get(name, "") or ""))
    except Exception:  # noqa: BLE001 — the standard library raises many kinds on rubbish
        return ""


def identify(raw: bytes, envelope_to: list[str]) -> dict[str, str]:
    """What is needed to store a mail: provider_id, sender, recipient, reply_key. Works on rubbish too."""
    parsed = parse(raw)
    ours = [to.lower() for to in envelope_to if to.lower().endswith("@" + settings.MAIL_DOMAIN)] or envelope_to
    recipient = next((to for to in ours if REPLY_KEY.match(to.split("@")[0])), ours[0] if ours else "")
    local = recipient.split("@")[0].lower()
    return {
        "provider_id": _header(parsed, "Message-ID").strip() or fingerprint(raw),
        "sender": _sender(parsed),
        "recipient": recipient,
        "reply_key": local if REPLY_KEY.match(local) else "",
    }


def fingerprint(raw: bytes) -> str:
    """An id for a mail that has none: the same bytes are the same mail."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def _sender(parsed: EmailMessage) -> str:
    """The one From address, lower case; empty when there is none or more than one (a forger's trick)."""
    try:
        found = getaddresses([str(value) for value in parsed.get_all("From", [])])
    except Exception:  # noqa: BLE001
        return ""
    values = [_storable(value).lower() for _name, value in found if "@" in value]
    return values[0] if len(values) == 1 else ""


def message_id(message: InboundMessage) -> str:
    return message.provider_id if message.provider_id.startswith("<") else ""


def reply_subject(message: InboundMessage, language: str) -> str:
    with translation.override(language):
        subject = " ".join(_header(parse(bytes(message.raw)), "Subject").split()) or _("Your message")
    return subject[:180] if subject.lower().startswith("re:") else f"Re: {subject[:180]}"


def is_automatic(parsed: EmailMessage) -> bool:
    """Written by a machine (RFC 3834). X-Auto-Response-Suppress does not count: Outlook adds it to people's own mail."""
    submitted = _header(parsed, "Auto-Submitted").split(";")[0].strip().lower()
    return (
        submitted not in {"", "no"}
        or _header(parsed, "Return-Path").strip() == "<>"
        or _header(parsed, "Precedence").strip().lower() in BULK
        or bool(parsed.get("List-Id"))
        or parsed.get_content_type() == "multipart/report"
        or bool(ROBOTS.match(_sender(parsed)))
        or _sender(parsed).endswith("@" + settings.MAIL_DOMAIN)
    )


def written_text(parsed: EmailMessage) -> str:
    """What the person wrote: without what they quoted and without their signature."""
    text = _storable(_plain_body(parsed)).replace("\r\n", "\n")
    own, *quoted = ABOVE_THIS_LINE.split(text, maxsplit=1)
    return _without_quotes(ATTRIBUTION.sub("", own) if quoted else own).strip()


def _without_quotes(text: str) -> str:
    """Cut quotes and signature; our own `--- intern` line must survive, so it is kept out of the parser's sight."""
    parts = re.split(r"(?m)^(---\s*intern\s*)$", text, maxsplit=1)
    stripped = [EmailReplyParser(languages=["nl", "en"]).parse_reply(part) or "" for part in parts[::2]]
    return f"\n{parts[1]}\n".join(stripped) if len(parts) > 1 else stripped[0]


def _plain_body(parsed: EmailMessage) -> str:
    part = parsed.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except (LookupError, UnicodeError):  # a charset nobody knows
        content = (part.get_payload(decode=True) or b"").decode("utf-8", "replace")  # type: ignore[union-attr]
    if part.get_content_type() == "text/html":
        reader = html2text.HTML2Text(bodywidth=0)
        reader.ignore_links = reader.ignore_images = reader.ignore_emphasis = True
        content = reader.handle(content)
    return str(content)


def handle(message: InboundMessage) -> Outcome:
    """Decide and act. Runs in the transaction that also stores the outcome."""
    parsed = parse(bytes(message.raw))
    if is_automatic(parsed):
        return Outcome(State.REFUSED, reason="automatic")  # no answer: that is how loops begin
    if not message.sender:
        return Outcome(State.QUARANTINED, reason="no_single_sender")
    address = addresses.owner(Channel.EMAIL, message.sender)
    text = written_text(parsed)
    if _local(message) in COMMAND_ADDRESSES:
        said = command_of(text, " ".join(_header(parsed, "Subject").split()))
        return conversation.handle(message, said, STRANGER, reply_key=_local(message))
    if address is None or not address.person.is_active:
        with translation.override(settings.LANGUAGE_CODE):
            return Outcome(State.QUARANTINED, str(STRANGER), "unknown_sender", text=text)
    person = address.person
    with translation.override(person.language):
        mail = Mail(
            person=person,
            text=text,
            subject=" ".join(_header(parsed, "Subject").split()),
            received_at=message.received_at,
            message_key=f"email:{message.provider_id}",
            message_id=message_id(message),
        )
        try:
            with transaction.atomic():
                return _deliver(message, mail)
        except Refusal as refusal:
            return Outcome(State.REFUSED, refusal.message, refusal.code, person, text)


def _local(message: InboundMessage) -> str:
    return message.recipient.split("@")[0].lower()


def key_for(message: InboundMessage) -> str:
    """Where a reply to our reply goes: the item's key, or the address that takes commands."""
    return message.reply_key or (_local(message) if _local(message) in COMMAND_ADDRESSES else "")


def command_of(text: str, subject: str) -> str:
    """What a mail of commands says: its subject when there is nothing else, and only its first line when the verb takes no
    free text, because a greeting and a name follow in mails."""
    text = reading.tidy(text or subject)
    first, *more = text.splitlines() or [""]
    verb = reading.read(first).verb
    takes_text = verb is None or (verb.words_max is None and verb.fits is None)
    return text if more and takes_text and not conversation.is_word_alone(first) else first.strip()


def _deliver(message: InboundMessage, mail: Mail) -> Outcome:
    if message.reply_key:
        return _to_item(message, mail)
    local = _local(message)
    for handler in reply_targets.ADDRESS_HANDLERS:
        answered = handler(local, mail)
        if answered is not None:
            reply, reply_key = answered
            return handled(mail.person, reply, mail.text, reply_key=reply_key)
    unknown = _("Nobody reads %(address)s. To ask a question, write to %(ask)s.") % {
        "address": message.recipient,
        "ask": f"vraag@{settings.MAIL_DOMAIN}",
    }
    return Outcome(State.REFUSED, unknown, "unknown_address", mail.person, mail.text)


def _to_item(message: InboundMessage, mail: Mail) -> Outcome:
    item = item_codes.by_reply_key(message.reply_key)
    if item is None or item.person_id != mail.person.pk:
        # Somebody else's key, or one we never gave out: nothing is told apart and nothing disclosed.
        reply = _("This reply address is not yours or does not exist. Nothing was done with your message.")
        return Outcome(State.QUARANTINED, reply, "not_their_reply_key", mail.person, mail.text)
    if not mail.text:
        return handled(mail.person, _("Your message was empty: please write your text above the quoted mail."))
    return handled(mail.person, reply_targets.ITEM_HANDLERS[item.kind](item, mail), mail.text)
