"""What the programme manager does about a finding: freeze, release, reverse. Each act keeps who, when and why.

Locks: the item (a guarded UPDATE on the version that the manager saw), then gifts and kudos by id, then accounts.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from backend.ids import uuid7
from notifications.notify import notify
from people.models import Person
from rewards import gifts, ledger, words
from rewards.models import Account, Gift, Kudos, ReviewAct, ReviewItem, Transfer

Act, State = ReviewAct.Act, ReviewItem.State
REASON_CHARACTERS = 500


class AlreadyHandled(Refusal):
    """A colleague was first, or there is new evidence: look again."""

    code = "already_handled"


class OwnReview(Refusal):
    """Nobody judges a finding about themselves."""

    code = "own_review"
    status = 403


class TillBusy(Refusal):
    """A till has some of it reserved; that takes minutes."""

    code = "till_busy"


@transaction.atomic
def put_on_list(gift_ids: Iterable[UUID], actor: Person, *, reason: str) -> ReviewItem:
    """A finding by hand, about these gifts. Raises Invalid without a reason or gifts."""
    found = list(Gift.objects.filter(pk__in=list(gift_ids)).order_by("id").values_list("pk", "giver_id"))
    if not found:
        raise Invalid(_("Choose a gift."))
    item = ReviewItem.objects.create(
        key=f"by_hand:{uuid7()}",
        reason=ReviewItem.Reason.BY_HAND,
        people=sorted({giver for _gift, giver in found}),
        gifts=[gift for gift, _giver in found],
        found_at=clock.now(),
    )
    _keep(item, actor, Act.LIST, reason)
    return item


@transaction.atomic
def freeze(item_id: int, actor: Person, *, reason: str, version: int) -> ReviewItem:
    """Its gifts stand still in whatever state they are; what is left of its kudos' credits is held.

    Again when there is new evidence. Raises NotFound, Invalid, OwnReview, AlreadyHandled.
    """
    item = _take(item_id, actor, reason, version, to=State.FROZEN)
    gifts.freeze(item.gifts)
    for made in _kudos_of(item):
        _hold(made)
    _keep(item, actor, Act.FREEZE, reason)
    _tell(item, Act.FREEZE)
    return item


@transaction.atomic
def release(item_id: int, actor: Person, *, reason: str, version: int) -> ReviewItem:
    """All is well: gifts go on in the state they had, unless another finding keeps them frozen.

    Raises NotFound, Invalid, OwnReview, AlreadyHandled.
    """
    was_frozen = ReviewItem.objects.filter(pk=item_id, state=State.FROZEN).exists()
    item = _take(item_id, actor, reason, version, to=State.RELEASED)
    _let_go(item)
    _keep(item, actor, Act.RELEASE, reason)
    if was_frozen:
        _tell(item, Act.RELEASE)
    return item


@transaction.atomic
def reverse(item_id: int, actor: Person, *, reason: str, version: int) -> ReviewItem:
    """Void what is left of its gifts and take back what is left of its kudos, once; what is over is left alone.

    Raises NotFound, Invalid, OwnReview, AlreadyHandled, TillBusy.
    """
    item = _take(item_id, actor, reason, version, to=State.REVERSED)
    _lock_gifts(item)
    left_alone = [pk for pk in sorted(item.gifts) if not _reverse_gift(pk)]
    for made in _kudos_of(item):
        _reverse_kudos(made)
    _let_go(item)
    _keep(item, actor, Act.REVERSE, reason, left_alone)
    _tell(item, Act.REVERSE)
    return item


def _take(item_id: int, actor: Person, reason: str, version: int, *, to: str) -> ReviewItem:
    """The item, moved. Of two managers who saw the same page one gets it."""
    item = ReviewItem.objects.filter(pk=item_id).first()
    if item is None:
        raise NotFound(_("This finding does not exist."))
    if actor.pk in item.people:
        raise OwnReview(_("This finding is about you: a colleague decides."))
    _check(reason)
    rows = ReviewItem.objects.filter(pk=item_id, version=version, state__in=ReviewItem.UNDECIDED)
    if not rows.update(state=to, version=version + 1):
        raise AlreadyHandled(_("A colleague was first, or there is news. Look again."))
    return ReviewItem.objects.get(pk=item_id)


def _check(reason: str) -> None:
    if not reason.strip():
        raise Invalid(_("Say why: it is kept with what you do."))
    if len(reason.strip()) > REASON_CHARACTERS:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": REASON_CHARACTERS})


def _keep(item: ReviewItem, actor: Person, act: str, reason: str, left_alone: Iterable[UUID] = ()) -> None:
    _check(reason)
    ReviewAct.objects.create(
        item=item, actor=actor, act=act, reason=reason.strip(), at=clock.now(), left_alone=list(left_alone)
    )


def _lock_gifts(item: ReviewItem) -> None:
    list(Gift.objects.select_for_update(no_key=True).filter(pk__in=item.gifts).order_by("id").values_list("pk"))


def _kudos_of(item: ReviewItem) -> list[Kudos]:
    """Locked, by id."""
    rows = Kudos.objects.select_related("receiver").select_for_update(of=("self",), no_key=True)
    return list(rows.filter(pk__in=item.kudos).order_by("id"))


def _let_go(item: ReviewItem) -> None:
    """Gifts and credits that no other frozen finding is about are free again.

    The rows are locked before the other findings are read, so that of two releases at once the second sees the first.
    """
    _lock_gifts(item)
    kudos = _kudos_of(item)
    others = ReviewItem.objects.filter(state=State.FROZEN).exclude(pk=item.pk)
    kept = {pk for row in others.filter(gifts__overlap=item.gifts).values_list("gifts", flat=True) for pk in row}
    gifts.release([pk for pk in item.gifts if pk not in kept])
    kept = {pk for row in others.filter(kudos__overlap=item.kudos).values_list("kudos", flat=True) for pk in row}
    for made in kudos:
        if made.pk not in kept:
            for held in ledger.holds_of(made.subject):
                ledger.void(held)


def _reverse_gift(gift_id: UUID) -> bool:
    """False when it was over already. Raises TillBusy."""
    try:
        gifts.reverse(gift_id)
    except gifts.GiftGone as error:
        if Gift.objects.filter(pk=gift_id, state__in=Gift.RUNNING).exists():
            raise TillBusy(_("A till is busy with one of these gifts. Try again in ten minutes.")) from error
        return False
    return True


# --- the credits of kudos --------------------------------------------------------------------------------------------


def _hold(made: Kudos) -> None:
    """What the receiver has left of these credits can be given to nobody during the review."""
    if made.credits and not made.reversed_at and not ledger.holds_of(made.subject):
        ledger.hold_what_is_left(
            made.receiver, made.credits, subject=made.subject, at=clock.now(), kind=Account.Kind.EARNED
        )


def _reverse_kudos(made: Kudos) -> None:
    """Once: what is left goes back to the lot it came from, and lapses there when that lot's time is over."""
    _hold(made)
    if not Kudos.objects.filter(pk=made.pk, reversed_at__isnull=True).update(reversed_at=clock.now()):
        return
    source = Transfer.objects.select_related("debit").filter(key=f"{made.subject}:1").first()
    for held in ledger.holds_of(made.subject):
        assert source is not None  # noqa: S101 — credits that are held came by a transfer
        ledger.capture(held, source.debit, held.amount, reason=Transfer.Reason.CORRECTION, key=f"hold:{held.pk}")


def _tell(item: ReviewItem, act: str) -> None:
    """Nothing is blocked behind somebody's back: whom it is about hears it, though not what others did."""
    for person in Person.objects.present().filter(pk__in=item.people).order_by("id"):
        key = f"review:{item.pk}:{item.version}:{person.pk}"
        notify(person, key=key, event=f"review_{act}", subject_key=f"review:{item.pk}", **words.reviewed(act, person))
