"""Mail through Django: any SMTP server, or any provider Anymail knows. HTML and text, one button, a reply address."""

import json
import re
import smtplib
from collections.abc import Callable
from email.utils import formataddr
from functools import partial
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailInvalidAddress, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import linebreaks
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from notifications import unsubscribe
from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Delivery

PREHEADER_CHARACTERS = 110  # what a list of mails shows behind the subject: the news, and not how to reply
STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
DEAD = re.compile(r"^5\.(1\.(0|1|2|3|6|10)|2\.1|4\.4)$")


def message_id(delivery: Delivery) -> str:
    """The same for every attempt, so that a mail sent twice is shown once."""
    return f"<{delivery.pk}@{settings.MAIL_DOMAIN}>"


def reply_address(reply_key: str) -> str:
    """A reply to this address is known by its key. 32 hex digits: mail servers change case and cut long names."""
    return f"{reply_key}@{settings.MAIL_DOMAIN}"


def send(delivery: Delivery) -> str:
    """Hand the mail to the server; returns its Message-ID. Raises TryLater, Undeliverable or Unknown."""
    return prepare(delivery)()


def prepare(delivery: Delivery) -> Callable[[], str]:
    """The mail, written; a bundle's asks the database for its members. The rest talks to the server only."""
    return partial(_hand_over, compose(delivery), delivery)


def _hand_over(mail: EmailMultiAlternatives, delivery: Delivery) -> str:
    try:
        mail.send()
    except (smtplib.SMTPRecipientsRefused, AnymailRecipientsRefused, AnymailInvalidAddress) as error:
        raise _refused(error) from error
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPHeloError, smtplib.SMTPSenderRefused) as error:
        raise TryLater(f"smtp {error.smtp_code}") from error  # ours to mend, and no fault of this mail
    except smtplib.SMTPResponseException as error:
        trouble = f"smtp {error.smtp_code}"
        raise (TryLater(trouble) if error.smtp_code < 500 else Undeliverable(trouble)) from error
    except AnymailAPIError as error:
        raise _api_trouble(error) from error
    except (ConnectionRefusedError, smtplib.SMTPConnectError) as error:
        raise TryLater("refused") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Unknown(type(error).__name__) from error
    return message_id(delivery)


def _refused(error: Exception) -> Exception:
    answers = list(error.recipients.values()) if isinstance(error, smtplib.SMTPRecipientsRefused) else []
    if answers and all(code < 500 for code, _words in answers):
        return TryLater(f"smtp {answers[0][0]}")
    said = " ".join(f"{code} {bytes(words).decode('latin-1')}" for code, words in answers)
    dead = address_is_dead(said)
    return Undeliverable(f"recipient refused {said}".strip(), address_is_dead=dead is None or dead)


def address_is_dead(said: str) -> bool | None:
    """Whether a mail server's words mean that nothing else will reach the address either; None: they do not say.

    RFC 3463: the mailbox does not exist, is switched off, or moved. A full one, or one that dislikes this mail, may take
    the next.
    """
    status = STATUS.search(said)
    return bool(DEAD.match(status[0])) if status else None


def _api_trouble(error: Any) -> Exception:
    status = error.status_code or 0
    if status == 429:
        return TryLater("429")
    return Undeliverable(f"provider {status}") if 400 <= status < 500 else Unknown(f"provider {status}")


def text_of(delivery: Delivery) -> str:
    """The words that a reply may quote."""
    return f"{delivery.subject}\n{compose(delivery).body}"


def _unbroken(html: str) -> SafeString:
    """With `--- intern` on one line: whoever reads it broken would write it so."""
    return mark_safe(html.replace("--- intern", '<span style="white-space:nowrap">--- intern</span>'))  # noqa: S308


def compose(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail as it leaves: the same words as text and as HTML, in the reader's language."""
    with translation.override(delivery.language):
        words = {
            "delivery": delivery,
            "sender": settings.MAIL_FROM_NAME,
            "switch_off": unsubscribe.last_line(delivery),
            "can_reply": bool(delivery.reply_key),
            "body": _unbroken(linebreaks(delivery.body, autoescape=True)),
            "preheader": Truncator(" ".join(delivery.body.split())).chars(PREHEADER_CHARACTERS),
        }
        text = render_to_string("notifications/mail.txt", words)
        html = render_to_string("notifications/mail.html", words)
    headers = {
        "Message-ID": message_id(delivery),
        "Auto-Submitted": "auto-generated",  # RFC 3834: so that no auto-reply answers
        **unsubscribe.headers(delivery),
    }
    if "amazon_ses" in settings.MAIL_WEBHOOKS:
        headers["X-Metadata"] = json.dumps({"delivery": str(delivery.pk)})  # said back, also of mail by Amazon's SMTP
    if delivery.in_reply_to:
        headers |= {"In-Reply-To": delivery.in_reply_to, "References": delivery.in_reply_to}
    reply_to = [formataddr((settings.MAIL_FROM_NAME, reply_address(delivery.reply_key)))] if delivery.reply_key else []
    mail = EmailMultiAlternatives(
        subject=" ".join(delivery.subject.split()), body=text, to=[delivery.to], reply_to=reply_to, headers=headers
    )
    mail.attach_alternative(html, "text/html")
    mail.metadata = {"delivery": str(delivery.pk)}  # type: ignore[attr-defined]  # Anymail's providers say it back
    return mail
