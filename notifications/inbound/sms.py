"""An SMS, read: what was typed. Who sent it and what it does is the conversation's, the same for SMS and mail."""

from urllib.parse import parse_qs

from django.utils.translation import gettext_lazy

from notifications import conversation, reading
from notifications.inbound.outcome import Outcome
from notifications.models import InboundMessage

STRANGER = gettext_lazy(
    "We do not know this number. Are you a colleague? Text NUMBER + your work mail, or JOIN + your code from HR."
)


def body_of(message: InboundMessage) -> str:
    """The words that were typed."""
    fields = parse_qs(bytes(message.raw).decode("utf-8", "replace"), keep_blank_values=True)
    return reading.tidy(fields.get("Body", [""])[0])


def handle(message: InboundMessage) -> Outcome:
    """Decide and act. Runs in the transaction that also stores the outcome."""
    return conversation.handle(message, body_of(message), STRANGER)
