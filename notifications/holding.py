"""What waits for its sender's word: they are asked once more, and told when the time is over. Nothing ends in silence."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from notifications import addresses, conversation, inbound, item_codes
from notifications.inbound import handling, mail
from notifications.models import InboundMessage

State = InboundMessage.State
BATCH = 200
EXCERPT_CHARACTERS = 60


def run_due(limit: int = BATCH) -> int:
    """The next step of what is held and due; returns how many there were. Safe in any number of workers."""
    due = InboundMessage.objects.filter(state=State.HELD, due_at__lte=clock.now()).order_by("due_at")
    return sum(_step(pk) for pk in due.values_list("pk", flat=True)[:limit])


@transaction.atomic
def _step(message_id: UUID) -> bool:
    rows = InboundMessage.objects.select_for_update(skip_locked=True, of=("self",)).select_related("person")
    held = rows.filter(pk=message_id, state=State.HELD, due_at__lte=clock.now()).first()
    if held is None:
        return False
    ends_at = held.received_at + inbound.HELD_KEPT
    if ends_at <= clock.now():
        _end(held)
    else:
        _remind(held)
        InboundMessage.objects.filter(pk=held.pk).update(due_at=ends_at, reminded_at=clock.now())
    return True


def _remind(held: InboundMessage) -> None:
    """Only of what was held last: numbers would be taken for another menu's otherwise."""
    newest = inbound.last_held(held.person)
    if newest is not None and newest.pk == held.pk:
        _say(held, _reminder, "reminder")


def _end(held: InboundMessage) -> None:
    reason = held.reason if held.reason in {inbound.NOT_CONFIRMED, inbound.NOT_AUTHENTICATED} else "no_choice"
    held.settle(State.REFUSED, reason=reason, at=clock.now())
    _say(held, _notice, "expired")


def _say(held: InboundMessage, words: Callable[[InboundMessage], str], what: str) -> None:
    """To where it came from, as long as that is still this person's."""
    owner = addresses.owner(held.channel, held.sender)
    if held.person is None or owner is None or owner.person_id != held.person_id:
        return
    with translation.override(held.person.language):
        handling.reply(held, words(held), person=held.person, key=f"inbound:{held.pk}:{what}", reply_key=mail.key_for(held))


def _reminder(held: InboundMessage) -> str:
    return _("Your text “%(text)s” still waits.") % {"text": _excerpt(held)} + " " + _question(held)


def _question(held: InboundMessage) -> str:
    kind, _colon, choices = held.reason.partition(":")
    if kind == "menu":
        by_code = {item.code: item for item in item_codes.open_items(held.person)}
        shown = [by_code[code] for code in choices.split(",") if code in by_code]
        if len(shown) == len(choices.split(",")):
            return conversation.menu_of(shown)
        return _("Reply with the code: %(codes)s.") % {"codes": ", ".join(item.code for item in shown) or "STATUS"}
    if kind == "typo" and "," not in choices:
        return _("Did you mean %(verb)s? Reply OK.") % {"verb": choices}
    if kind == "typo":
        return _("Did you mean one of these: %(verbs)s?") % {"verbs": choices.replace(",", ", ")}
    return _("A question for a colleague? Reply ASK.")


def _notice(held: InboundMessage) -> str:
    return _("Nothing was done with your text “%(text)s”: you did not choose in time. Please send it again.") % {
        "text": _excerpt(held)
    }


def _excerpt(held: InboundMessage) -> str:
    text = " ".join(held.text.split())
    return text if len(text) <= EXCERPT_CHARACTERS else text[: EXCERPT_CHARACTERS - 3].rstrip() + "..."
