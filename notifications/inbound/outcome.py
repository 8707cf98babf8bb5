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


def handled(person: Any, reply: str, text: str = "") -> Outcome:
    return Outcome(State.HANDLED, reply, person=person, text=text)
