"""What became of a message."""

from dataclasses import dataclass
from typing import Any

from notifications.models import InboundMessage

State = InboundMessage.State


@dataclass(frozen=True)
class Outcome:
    """The message's new state, and what its sender hears (nothing when `reply` is empty)."""

    state: str
    reply: str = ""
    reason: str = ""
    person: Any = None
    text: str = ""
    is_counted: bool = False  # a stranger's try, limited by their number: each is answered
    reply_key: str = ""  # what a mail in return is about; without one: the same item as the message
    held_for: Any = None  # whose word it waits for, when that is not its sender


def handled(person: Any, reply: str, text: str = "", *, reply_key: str = "") -> Outcome:
    return Outcome(State.HANDLED, reply, person=person, text=text, reply_key=reply_key)
