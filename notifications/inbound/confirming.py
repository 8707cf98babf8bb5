"""A mail to somebody's reply address from elsewhere: it waits until the owner says that it is theirs."""

from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from backend.ring import ring
from notifications import inbound, item_codes, reply_targets
from notifications.inbound import mime
from notifications.models import Channel, InboundMessage, ItemCode
from notifications.notify import notify
from notifications.reply_targets import Mail

KIND = "mail"  # of the item that asks: "mail:<id of the inbound message>"
REASON = inbound.NOT_CONFIRMED
ASKED_MAX = 5  # so many mails may wait for one person: whoever found a reply address cannot fill their mailbox
YES = frozenset({"JA", "YES", "ACCEPT"})
NO = frozenset({"NEE", "NO", "DECLINE"})
State = InboundMessage.State


def ask(message: InboundMessage, item: ItemCode) -> bool:
    """Ask the owner of `item`, at an address that is known, whether `message` is theirs. False: it cannot be asked.

    Only the sender's address is told, and none of their words.
    """
    owner: Any = item.person
    if item.kind == KIND or not owner.is_active or _waiting(owner) >= ASKED_MAX:
        return False
    with translation.override(owner.language):
        about = {"sender": message.sender, "label": item.label}
        code = item_codes.open_for(owner, f"{KIND}:{message.pk}", _("mail from %(sender)s") % about)
        notify(
            owner,
            key=f"inbound:{message.pk}:confirm",
            event="confirm_mail",
            title=_("Did you write this mail? %(label)s") % about,
            body=_(
                "A mail about %(label)s came from %(sender)s. That address is not yours with us, so it does not count"
                " yet.\n\nDid you write it? Reply YES to this mail and it counts from the moment it came in. If not,"
                " reply NO or do nothing."
            )
            % about,
            sms=_("A mail about %(label)s came from %(sender)s. Is it yours? Reply ACCEPT %(code)s or DECLINE %(code)s.")
            % {**about, "sender": message.sender[:60], "code": code.code},
            subject_key=code.item,
            item=code.item,
            reply_key=code.reply_key,
        )
    return True


def ask_writer(message: InboundMessage, writer: Any, text: str) -> bool:
    """Ask a colleague whether they wrote what came from their address without a proof. False: enough wait already."""
    if _waiting(writer) >= ASKED_MAX:
        return False
    with translation.override(writer.language):
        about = {"text": " ".join(text.split())[:60]}
        code = item_codes.open_for(writer, f"{KIND}:{message.pk}", _("your mail “%(text)s”") % {"text": about["text"][:30]})
        notify(
            writer,
            key=f"inbound:{message.pk}:confirm",
            event="confirm_mail",
            title=_("Did you write this mail? %(label)s") % {"label": about["text"]},
            body=_(
                "A mail came in from your address that begins: “%(text)s”. Your mail server does not prove that it is"
                " yours, and anybody can write an address.\n\nDid you write it? Reply YES to this mail and it counts from"
                " the moment it came in. If not, reply NO or do nothing."
            )
            % about,
            sms=_("A mail came from your address: “%(text)s”. Is it yours? Reply ACCEPT %(code)s or DECLINE %(code)s.")
            % {**about, "code": code.code},
            subject_key=code.item,
            item=code.item,
            reply_key=code.reply_key,
        )
    return True


def _waiting(owner: Any) -> int:
    since = clock.now() - inbound.HELD_KEPT
    rows = InboundMessage.objects.filter(person=owner, state=State.HELD, channel=Channel.EMAIL, received_at__gte=since)
    return rows.count()


def answer(item: ItemCode, mail: Mail) -> str:
    """The owner's mail in return: YES or NO as its first word."""
    first = (mail.text.split(None, 1) or [""])[0].upper().strip(".,:;!?")
    if first in YES:
        return accept(item)
    if first in NO:
        return decline(item)
    return _("Reply YES if you wrote that mail, NO if you did not.")


def accept(item: ItemCode) -> str:
    """The mail counts now, as of when it came in."""
    held = _held(item)
    if held is None:
        return _("That mail no longer waits.")
    if held.reason == inbound.NOT_AUTHENTICATED:
        return _let_in(held, item)
    about = item_codes.by_reply_key(held.reply_key)
    text, reason = _("That mail no longer waits."), "item_gone"
    if about is not None and held.text:
        parsed = mime.headers(bytes(held.raw))
        mail = Mail(
            person=item.person,
            text=held.text,
            subject=mime.header(parsed, "Subject"),
            received_at=held.received_at,
            message_key=f"email:{held.provider_id}",
            message_id="",
        )
        try:
            with transaction.atomic():
                text, reason = reply_targets.ITEM_HANDLERS[about.kind](about, mail), ""
        except Refusal as refusal:
            text, reason = refusal.message, refusal.code
    held.settle(State.REFUSED if reason else State.HANDLED, reason=reason, at=clock.now())
    item_codes.close(item.item)
    return text


def _let_in(held: InboundMessage, item: ItemCode) -> str:
    """It is handled like any other now, with an answer of its own."""
    at = clock.now()
    InboundMessage.objects.filter(pk=held.pk, state=State.HELD).update(
        state=State.RECEIVED, authentication=InboundMessage.Authentication.CONFIRMED, reason="", attempts=0, due_at=at
    )
    ring("notifications.tasks.handle_inbound", str(held.pk))
    item_codes.close(item.item)
    return _("Thank you. Your mail counts from when it came in.")


def decline(item: ItemCode) -> str:
    """Somebody else wrote it."""
    held = _held(item)
    if held is not None:
        held.settle(State.QUARANTINED, reason="not_theirs", at=clock.now())
    item_codes.close(item.item)
    return _("Thank you. Nothing was done with that mail.")


def _held(item: ItemCode) -> InboundMessage | None:
    rows = InboundMessage.objects.select_for_update().filter(pk=item.item.split(":")[1], state=State.HELD)
    return rows.filter(person=item.person_id, received_at__gte=clock.now() - inbound.HELD_KEPT).first()
