"""A mail, read: whose it is, which item or address it is meant for, and what its writer wrote."""

import hashlib
import re
from email.message import EmailMessage
from typing import Any, TypedDict

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.errors import Refusal
from notifications import addresses, conversation, inbound, item_codes, outcomes, reading, reply_targets
from notifications.channels import email as email_channel
from notifications.inbound import authentication, confirming, machines, mime, quotes
from notifications.inbound.outcome import Outcome, State, handled
from notifications.models import Address, Channel, Delivery, InboundMessage, ItemCode
from notifications.reply_targets import Mail

REPLY_KEY = re.compile(r"^[0-9a-f]{32}$")
STRANGER = gettext_lazy(
    "We do not know this address. Are you a colleague? Write from your work address, or ask HR to add it."
)
COMMAND_ADDRESSES = frozenset({"doe", "do"})  # here mail says what SMS says: the same verbs
TEXT_CHARACTERS_MAX = 100_000
QUOTED_MAILS = 5  # so many of ours about one item may stand quoted below a reply
ID_CHARACTERS_MAX = 250


class Identity(TypedDict):
    """What a mail is stored under."""

    provider_id: str
    sender: str
    recipient: str
    reply_key: str


def identify(raw: bytes, envelope_to: list[str]) -> Identity:
    """What is needed to store a mail. Never raises, and reads the headers alone."""
    parsed = mime.headers(raw)
    ours = [to.lower() for to in envelope_to if to.lower().endswith("@" + settings.MAIL_DOMAIN)] or envelope_to
    recipient = next((to for to in ours if REPLY_KEY.match(to.split("@")[0])), ours[0] if ours else "")
    local = recipient.split("@")[0].lower()
    return {
        "provider_id": _provider_id(parsed, raw),
        "sender": mime.from_address(parsed),
        "recipient": recipient,
        "reply_key": local if REPLY_KEY.match(local) else "",
    }


def _provider_id(parsed: EmailMessage, raw: bytes) -> str:
    """The Message-ID; a mail without one, or with an endless one, gets one that its second copy gets too."""
    given = "".join(mime.header(parsed, "Message-ID").split())
    if not given:
        return "sha256:" + _fingerprint(raw)
    return given if len(given) <= ID_CHARACTERS_MAX else "sha256:" + hashlib.sha256(given.encode()).hexdigest()


def _fingerprint(raw: bytes) -> str:
    """Of what a mail says, not of its bytes: a provider's webhook writes them anew, with other boundaries, at each try."""
    digest = hashlib.sha256()
    try:
        parsed = mime.parse(raw)
        for name in ("From", "To", "Date", "Subject"):
            digest.update(mime.header(parsed, name).encode() + b"\n")
        for part in parsed.walk():
            payload = part.get_payload(decode=True)
            digest.update(payload.strip() if isinstance(payload, bytes) else b"|")
    except Exception:  # noqa: BLE001 — of rubbish the bytes
        return hashlib.sha256(raw).hexdigest()
    return digest.hexdigest()


def message_id(message: InboundMessage) -> str:
    return message.provider_id if message.provider_id.startswith("<") else ""


def reply_subject(message: InboundMessage, language: str) -> str:
    with translation.override(language):
        subject = mime.header(mime.headers(bytes(message.raw)), "Subject") or _("Your message")
    return subject[:180] if subject.lower().startswith("re:") else f"Re: {subject[:180]}"


def handle(message: InboundMessage) -> Outcome:
    """Decide and act. Runs in the transaction that also stores the outcome."""
    parsed = mime.parse(bytes(message.raw))
    bounce = machines.bounce(parsed)
    if bounce:
        outcomes.note_bounce(bounce.delivery_id, f"bounced {bounce.status}", address_is_dead=bounce.address_is_dead)
        return Outcome(State.HANDLED, reason="bounce")
    if machines.is_automatic(parsed):
        return Outcome(State.REFUSED, reason="automatic")  # no answer: that is how loops begin
    if not message.sender:
        return Outcome(State.QUARANTINED, reason="no_single_sender")
    item = item_codes.by_reply_key(message.reply_key) if message.reply_key else None
    text, message.attachments = _read(parsed, item)
    address = addresses.owner(Channel.EMAIL, message.sender)
    writer = address.person if address and address.person.is_active else None
    if writer is not None and not message.reply_key and not authentication.stands(message):
        return _not_proved(message, writer, text, mime.header(parsed, "Subject"))
    if _local(message) in COMMAND_ADDRESSES:
        said = command_of(text, mime.header(parsed, "Subject"))
        return conversation.handle(message, said, STRANGER, reply_key=_local(message))
    with translation.override(writer.language if writer else settings.LANGUAGE_CODE):
        if message.reply_key and (item is None or writer != item.person):
            return _not_theirs(message, item, writer, text)
        if writer is None:
            return Outcome(State.QUARANTINED, str(STRANGER), "unknown_sender", text=text)
        try:
            with transaction.atomic():
                return _deliver(message, mail_of(message, writer, text, parsed), item)
        except Refusal as refusal:
            return Outcome(State.REFUSED, refusal.message, refusal.code, writer, text)


def _read(parsed: EmailMessage, item: ItemCode | None) -> tuple[str, list[str]]:
    """(what its writer wrote, the names of what is attached)"""
    found = mime.content(parsed)
    is_forward = item is None and quotes.is_forward(mime.header(parsed, "Subject"))
    text = quotes.own_words(found.lines, sent=_sent(item, parsed) if item else "", keep_forwarded=is_forward)
    return text[:TEXT_CHARACTERS_MAX], found.attachments


def _sent(item: ItemCode, parsed: EmailMessage) -> str:
    """What we wrote to this person about the item: some programs quote it without a mark."""
    named = machines.our_ids(mime.header(parsed, "In-Reply-To") + mime.header(parsed, "References"))[-QUOTED_MAILS:]
    to = Address.objects.filter(person=item.person_id, channel=Channel.EMAIL).values("value")
    ours = Delivery.objects.filter(channel=Channel.EMAIL, reply_key=item.reply_key)
    newest = ours.filter(to__in=to).order_by("-created_at")[:QUOTED_MAILS]
    return "\n".join(email_channel.text_of(one) for one in [*ours.filter(pk__in=named), *newest])


def mail_of(message: InboundMessage, person: object, text: str, parsed: EmailMessage) -> Mail:
    return Mail(
        person=person,
        text=text,
        subject=mime.header(parsed, "Subject"),
        received_at=message.received_at,
        message_key=f"email:{message.provider_id}",
        message_id=message_id(message),
    )


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


def _not_theirs(message: InboundMessage, item: ItemCode | None, writer: object, text: str) -> Outcome:
    """A reply key in other hands. Its owner is asked; whoever wrote hears the same whether the key exists or not."""
    reply = str(STRANGER)
    if writer is not None:
        reply = _("This reply address is not yours or does not exist. Only its owner can let your message count.")
    if item is not None and confirming.ask(message, item):
        return Outcome(State.HELD, reply, confirming.REASON, writer, text, held_for=item.person)
    return Outcome(State.QUARANTINED, reply, "not_their_reply_key", writer, text)


def _not_proved(message: InboundMessage, writer: Any, text: str, subject: str) -> Outcome:
    """Anybody can write a colleague's address into a From: they are asked, and until then it does nothing."""
    if confirming.ask_writer(message, writer, text or subject):
        return Outcome(State.HELD, reason=inbound.NOT_AUTHENTICATED, text=text, held_for=writer)
    with translation.override(writer.language):
        reply = _("We cannot tell whether you wrote this mail, so nothing was done with it.")
    return Outcome(State.QUARANTINED, reply, inbound.NOT_AUTHENTICATED, text=text)


def _deliver(message: InboundMessage, mail: Mail, item: ItemCode | None) -> Outcome:
    if item is not None:
        return handled(mail.person, _to_item(item, mail) + _left_out(message), mail.text)
    local = _local(message)
    for handler in reply_targets.ADDRESS_HANDLERS:
        answered = handler(local, mail)
        if answered is not None:
            reply, reply_key = answered
            return handled(mail.person, reply + _left_out(message), mail.text, reply_key=reply_key)
    unknown = _("Nobody reads %(address)s. To ask a question, write to %(ask)s.") % {
        "address": message.recipient,
        "ask": f"vraag@{settings.MAIL_DOMAIN}",
    }
    return Outcome(State.REFUSED, unknown, "unknown_address", mail.person, mail.text)


def _to_item(item: ItemCode, mail: Mail) -> str:
    if not mail.text:
        return _("Your message was empty: please write your text above the quoted mail.")
    return reply_targets.ITEM_HANDLERS[item.kind](item, mail)


def _left_out(message: InboundMessage) -> str:
    """What is attached is kept with the mail and goes no further: nobody has looked at it yet."""
    if not message.attachments:
        return ""
    return "\n\n" + _("Attachments are not passed on: %(names)s. Please write what matters as text.") % {
        "names": ", ".join(message.attachments)[:300]
    }
