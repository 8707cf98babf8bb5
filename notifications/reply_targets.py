"""The registry of reply addresses: who handles a mail to an item's reply key, or to an address such as a topic's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.models import ItemCode


@dataclass(frozen=True)
class Mail:
    """A mail from a known person, read: `text` is what they wrote, without quotes and signature."""

    person: Any
    text: str
    subject: str
    received_at: datetime
    message_key: str  # unique for the message: the key of every effect
    message_id: str


ItemHandler = Callable[[ItemCode, Mail], str]  # returns what goes back to the person
# Given the local part; returns what goes back and the reply key that it goes back under. None: not mine.
AddressHandler = Callable[[str, Mail], tuple[str, str] | None]

ITEM_HANDLERS: dict[str, ItemHandler] = {}
ADDRESS_HANDLERS: list[AddressHandler] = []


def register_item(kind: str, handler: ItemHandler) -> None:
    """`handler` takes mails to the reply key of items of this kind."""
    if kind in ITEM_HANDLERS:
        raise ValueError(f"items of kind {kind} have a handler")
    ITEM_HANDLERS[kind] = handler


def register_address(handler: AddressHandler) -> None:
    """`handler` is asked, in order of registration, for mails to any other address of ours."""
    ADDRESS_HANDLERS.append(handler)
