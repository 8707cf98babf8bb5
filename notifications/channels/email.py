"""Mail through Django: any SMTP server, or any provider Anymail knows. HTML and text, one button, a reply address."""

import smtplib
from email.utils import formataddr
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailInvalidAddress, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from notifications import unsubscribe
from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Delivery


def message_id(delivery: Delivery) -> str:
    """The same for every attempt, so that a mail sent twice is shown once."""
    return f"<{delivery.pk}@{settings.MAIL_DOMAIN}>"


def reply_address(reply_key: str) -> str:
    """A reply to this address is known by its key. 32 hex digits: mail servers change case and cut long names."""
    return f"{reply_key}@{settings.MAIL_DOMAIN}"


def send(delivery: Delivery) -> str:
    """Hand the mail to the server; returns its Message-ID. Raises TryLater, Undeliverable or Unknown."""
    mail = compose(delivery)
    try:
        mail.send()
    except (smtplib.SMTPRecipientsRefused, AnymailRecipientsRefused, AnymailInvalidAddress) as error:
        raise _refused(error) from error
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
    codes = [code for code, _ in getattr(error, "recipients", {}).values()] if hasattr(error, "recipients") else []
    if codes and all(code < 500 for code in codes):
        return TryLater(f"smtp {codes[0]}")
    return Undeliverable("recipient refused", address_is_dead=True)


def _api_trouble(error: Any) -> Exception:
    status = error.status_code or 0
    if status == 429:
        return TryLater("429")
    return Undeliverable(f"provider {status}") if 400 <= status < 500 else Unknown(f"provider {status}")


def compose(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail as it leaves: the same words as text and as HTML, in the reader's language."""
    with translation.override(delivery.language):
        words = {"delivery": delivery, "sender": settings.MAIL_FROM_NAME, "can_reply": bool(delivery.reply_key)}
        text = render_to_string("notifications/mail.txt", words)
        html = render_to_string("notifications/mail.html", words)
    headers = {
        "Message-ID": message_id(delivery),
        "Auto-Submitted": "auto-generated",  # RFC 3834: so that no auto-reply answers
        **unsubscribe.headers(delivery),
    }
    if delivery.in_reply_to:
        headers |= {"In-Reply-To": delivery.in_reply_to, "References": delivery.in_reply_to}
    reply_to = [formataddr((settings.MAIL_FROM_NAME, reply_address(delivery.reply_key)))] if delivery.reply_key else []
    mail = EmailMultiAlternatives(
        subject=" ".join(delivery.subject.split()), body=text, to=[delivery.to], reply_to=reply_to, headers=headers
    )
    mail.attach_alternative(html, "text/html")
    return mail
