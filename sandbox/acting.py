"""What a pretend person does: text from their phone, write or answer a mail from their mailbox."""

import secrets

from django.conf import settings

from backend import clock
from notifications import addresses
from sandbox.models import Letter, PhoneTrouble
from sandbox.twilio import new_sid


def text(number: str, body: str) -> Letter:
    """Send an SMS from this number to the product; the courier hands it in within a moment.

    After a STOP the provider itself refuses to send to the number, until START.
    """
    word = body.strip().upper()
    if word in addresses.STOP_WORDS:
        PhoneTrouble.objects.update_or_create(number=number, defaults={"kind": PhoneTrouble.Kind.STOPPED})
    elif word in addresses.START_WORDS:
        PhoneTrouble.objects.filter(number=number, kind=PhoneTrouble.Kind.STOPPED).delete()
    return _send(channel="sms", provider_id=new_sid(), address=number, other=settings.SMS_FROM, body=body)


def mail(sender: str, to: str, subject: str, body: str, *, in_reply_to: str = "") -> Letter:
    """Send a mail from this address; the courier hands it to the product's SMTP server."""
    domain = sender.rsplit("@", 1)[-1]
    provider_id = f"<{secrets.token_hex(12)}@{domain}>"
    return _send(
        channel="email",
        provider_id=provider_id,
        address=sender,
        other=to,
        subject=subject,
        body=body,
        in_reply_to=in_reply_to,
    )


def reply(letter: Letter, body: str) -> Letter:
    """Answer a mail the way mail programs do: text on top, the original quoted below."""
    quoted = "\n".join(f"> {line}" for line in letter.body.splitlines())
    sent = letter.created_at.strftime("%d-%m-%Y %H:%M")
    subject = letter.subject if letter.subject.lower().startswith("re:") else f"Re: {letter.subject}"
    whole = f"{body}\n\nOp {sent} schreef {settings.MAIL_FROM_NAME} <{letter.other}>:\n{quoted}\n"
    return mail(letter.address, letter.other, subject, whole, in_reply_to=letter.provider_id)


def _send(**fields: str) -> Letter:
    at = clock.real()
    return Letter.objects.create(
        direction=Letter.Direction.FROM_PERSON, status="waiting", created_at=at, next_at=at, **fields
    )
