"""Thanks between colleagues, with a note and perhaps some credits of one's allowance."""

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid
from notifications.notify import notify
from people import step_up
from people.models import Person
from rewards import days, earning, ledger, limits, words
from rewards.models import Account, Kudos, Transfer


@transaction.atomic
def thank(
    giver: Person,
    receiver: Person,
    note: str,
    *,
    credits_: int = 0,
    request_key: str,
    credits_max: int | None = None,
) -> Kudos:
    """Once for the giver's key. Credits leave the allowance (a quarter of it a month at most) and are earned ones then.

    `credits_max`: what may leave without a new proof of who gives it.
    Raises Invalid (oneself, a leaver, no note), NotEnoughCredits, LimitReached, StepUpRequired.
    """
    known = Kudos.objects.filter(giver=giver, request_key=request_key).first()
    if known is not None:
        return known
    _check(giver, receiver, note)
    if refusal := step_up.refusal(credits_, credits_max):
        raise refusal
    made, fresh = Kudos.objects.get_or_create(
        giver=giver,
        request_key=request_key,
        defaults={"receiver": receiver, "note": note.strip(), "credits": credits_, "created_at": clock.now()},
    )
    if fresh:
        if credits_:
            _pay(made)
        earning.record(receiver, "kudos", f"kudos:{made.pk}", other=giver)
        _tell(made)
    return made


def _check(giver: Person, receiver: Person, note: str) -> None:
    if giver.pk == receiver.pk or not receiver.is_active:
        raise Invalid(_("Choose a colleague."))
    if not note.strip():
        raise Invalid(_("Say what you thank %(name)s for.") % {"name": receiver.first_name})
    if len(note.strip()) > Kudos.NOTE_CHARACTERS:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": Kudos.NOTE_CHARACTERS})


def _pay(made: Kudos) -> None:
    at = made.created_at
    ledger.take_from_wallet(
        made.giver,
        made.credits,
        earning.earned_lot(made.receiver, at),
        reason=Transfer.Reason.KUDOS,
        subject=f"kudos:{made.pk}",
        key=f"kudos:{made.pk}",
        at=at,
        kind=Account.Kind.ALLOWANCE,
    )
    month = f"{days.day_of(at, made.giver.zone):%Y-%m}"
    limits.take({f"kudos:{made.giver_id}:{month}": earning.kudos_max(made.giver, at)}, made.credits)


def _tell(made: Kudos) -> None:
    notify(
        made.receiver,
        key=f"kudos:{made.pk}",
        event="kudos_received",
        subject_key=f"kudos:{made.pk}",
        **words.thanked(made),
    )
