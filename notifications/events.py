"""What people are told, in one table: how it is called, what it asks, and how patient its chain of channels is.

The apps name these events when they call `notify`; a name that is not here is an error in the code (a test reads every
call). What a person may choose follows from this table too: a mandatory event cannot be switched off.
"""

import logging
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications.models import Channel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """`minutes`: how long a link of the chain has before the next one gets its turn."""

    label: Any  # as people read it where they choose
    urgent: bool = False  # passes quiet hours, and SMS is worth its price
    mandatory: bool = False  # nobody may switch it off: work, a promise, money
    asks: bool = False  # the person is to act: a message that arrived is not enough
    bundled: bool = False  # may wait some minutes for others, to travel as one message
    push_minutes: int = 30
    sms_minutes: int = 60

    @property
    def minutes(self) -> dict[str, int]:
        return {Channel.PUSH: self.push_minutes, Channel.SMS: self.sms_minutes}


def _urgent(label: Any, *, asks: bool = False) -> Event:
    return Event(label, urgent=True, mandatory=True, asks=asks, push_minutes=10, sms_minutes=20)


def _news(label: Any) -> Event:
    return Event(label, bundled=True)


EVENTS: dict[str, Event] = {
    # --- my questions
    "question_answered": Event(_("My question is answered"), mandatory=True),
    "question_asked_back": _urgent(_("An expert asks me something back"), asks=True),
    "question_closed": Event(_("My question is closed"), mandatory=True),
    "question_waits_for_duty": Event(_("When to expect an answer")),
    "promise_broken": Event(_("My answer is late"), mandatory=True),
    "answer_corrected": _urgent(_("An answer I passed on was wrong")),
    "answer_not_relayed": Event(_("An answer waits to be passed on"), mandatory=True),
    # --- questions to me as an expert
    "question_offered": Event(_("A question for me"), mandatory=True, asks=True),
    "question_reminder": _urgent(_("A question of mine is nearly due"), asks=True),
    "question_clarified": _urgent(_("The asker has explained")),
    "attachment_shared": Event(_("A picture came with a question for me")),
    "question_no_longer_needed": Event(_("A question of mine is no longer needed"), mandatory=True),
    "answer_wants_approval": _urgent(_("An answer waits for my approval"), asks=True),
    "answer_needs_work": _urgent(_("My answer needs work")),
    "answer_helped": _news(_("My answer helped")),
    "answer_reused": _news(_("My answer was used again")),
    "answer_expired": Event(_("An answer of mine is out of date")),
    "card_wants_approval": Event(_("A card of my topic waits for my approval"), mandatory=True, asks=True),
    "card_ends_soon": Event(_("A card of my topic ends soon"), mandatory=True),
    # --- the duty desk and leads
    "question_needs_a_topic": Event(_("Desk: a question needs a topic"), mandatory=True, asks=True),
    "question_unstaffed": Event(_("Desk: nobody for a question"), mandatory=True, asks=True),
    "question_nearly_due": _urgent(_("Desk: a question is nearly due"), asks=True),
    "question_overdue": _urgent(_("Desk: a question is overdue"), asks=True),
    "question_at_risk": Event(_("A question of my topic is at risk"), mandatory=True),
    # --- my own address
    "confirm_mail": Event(_("Did I write this mail?"), mandatory=True, asks=True),
    # --- rewards
    "gift_claimed": _news(_("My gift was claimed")),
    "gift_redeemed": _news(_("My gift was used")),
    "kudos_received": _news(_("A colleague thanks me")),
    "badge_awarded": _news(_("I earned a badge")),
    "review_freeze": Event(_("A review of my gifts has begun"), mandatory=True),
    "review_release": Event(_("A review of my gifts is over"), mandatory=True),
    "review_reverse": Event(_("Gifts or thanks of mine were taken back"), mandatory=True),
}

UNKNOWN = Event(_("Other messages"), mandatory=True)
URGENT_UNKNOWN = Event(_("Other messages"), urgent=True, mandatory=True, push_minutes=10, sms_minutes=20)


def of(name: str, *, urgent: bool = False) -> Event:
    """The event's row. One that is not in the table is told all the same, by the company's chain, and logged."""
    found = EVENTS.get(name)
    if found is None:
        log.error("unknown event %s", name)
        return URGENT_UNKNOWN if urgent else UNKNOWN
    return found


def optional() -> dict[str, Event]:
    """What may be switched off."""
    return {name: event for name, event in EVENTS.items() if not event.mandatory}
