"""Hand out, claim, cancel, expire. A gift's row is locked first, then accounts, then counters, the budget last."""

from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock, rows
from backend.errors import Invalid, NotFound, Refusal
from backend.ids import uuid7
from notifications.notify import notify
from people import step_up
from people.models import Person
from rewards import codes, days, issuing, ledger, limits, recipients, words
from rewards.models import SPENT, Account, Campaign, Gift, Offer, Transfer

CLAIM_WINDOW_DAYS = 30
OFFER, CAMPAIGN, BUDGET = rows.part(Offer), rows.part(Campaign), rows.part(Account, "id", "limits_version")
WITH_LIMITS = f"""
SELECT {OFFER.columns}, {CAMPAIGN.columns}, {BUDGET.columns} FROM rewards_offer
JOIN rewards_campaign ON rewards_campaign.id = rewards_offer.campaign_id
JOIN rewards_account ON rewards_account.id = rewards_campaign.budget_id WHERE rewards_offer.id = %s
"""  # noqa: S608 — our own columns
Reason = Transfer.Reason
State = Gift.State


class OfferClosed(Refusal):
    """Not begun, over or switched off."""

    code = "offer_closed"


class GiftGone(Refusal):
    """Cancelled, claimed or over meanwhile; or frozen during a review."""

    code = "gift_gone"


class OwnGift(Refusal):
    """Credits are for others."""

    code = "own_gift"


# --- handing out -----------------------------------------------------------------------------------------------------


def open_offers(person: Person, at: datetime) -> list[Offer]:
    """What this person can hand out at `at`, stock and wallet aside."""
    rows = Offer.objects.select_related("campaign").filter(is_active=True, campaign__is_active=True)
    return [offer for offer in rows if offer.is_open(at) and offer.is_for(person, at)]


def hand_out(
    giver: Person,
    offer_id: UUID,
    *,
    request_key: str,
    note: str = "",
    language: str = "",
    credits_max: int | None = None,
) -> Gift:
    """A gift for a friend: the giver's credits are held, its value is set aside. The same key gives the first gift.

    `credits_max`: what may leave without a new proof of who gives it. Raises NotFound, OfferClosed, NotEnoughCredits,
    LimitReached, BudgetSpent, Invalid, StepUpRequired.
    """
    wanted = {"request_key": request_key, "note": note, "language": language or giver.language}
    while True:
        with suppress(limits.LimitsChanged):
            return _hand_out(giver, offer_id, credits_max, **wanted)


def _hand_out(
    giver: Person, offer_id: UUID, credits_max: int | None, *, request_key: str, note: str, language: str
) -> Gift:
    """By the limits as they are now. Raises LimitsChanged when they are others meanwhile, and what `hand_out` raises."""
    offer, at = _offer(offer_id), clock.now()
    refusal = _refusal(giver, offer, note, at)
    if offer is not None and refusal is None:
        refusal = step_up.refusal(offer.price_credits, credits_max)
    if offer is not None and refusal is None:
        gift = _gift(giver, offer, at, request_key=request_key, note=note, language=language)
        counted = _one_by_one(gift)
        with transaction.atomic() if counted else nullcontext():  # without: one statement is a transaction by itself
            if counted:
                limits.keep(offer.campaign_id)
            if issuing.issue(gift, offer.campaign.budget, counted):
                return gift
    known = Gift.objects.select_related("offer", "giver").filter(giver=giver, request_key=request_key).first()
    if known is None:
        raise refusal or GiftGone(_("This gift does not exist."))
    return known


def _offer(offer_id: UUID) -> Offer | None:
    """With its campaign and the version of its limits, as they were at one moment."""
    offer = rows.first(OFFER, WITH_LIMITS, [offer_id], campaign=CAMPAIGN, budget=BUDGET)
    if offer is not None:
        offer.campaign.budget = offer.budget  # type: ignore[attr-defined]  # read beside the offer
    return offer


def _refusal(giver: Person, offer: Offer | None, note: str, at: datetime) -> Refusal | None:
    """Why this offer is not handed out with this note, wallet, limits and budget aside."""
    if offer is None or not offer.is_for(giver, at):
        return NotFound(_("This offer does not exist."))
    if not offer.is_open(at):
        return OfferClosed(_("%(title)s cannot be handed out now.") % {"title": offer.title(giver.language)})
    if len(note) > Gift.NOTE_CHARACTERS:
        return Invalid(_("This text is too long: %(max)s characters at most.") % {"max": Gift.NOTE_CHARACTERS})
    return None


def _gift(giver: Person, offer: Offer, at: datetime, **fields: Any) -> Gift:
    gift = Gift(
        id=uuid7(),
        giver=giver,
        offer=offer,
        campaign=offer.campaign,
        team_id=giver.team_id,
        price_credits=offer.price_credits,
        value_cents=offer.value_cents,
        handed_out_at=at,
        ends_at=days.end_after(at, CLAIM_WINDOW_DAYS),
        **fields,
    )
    _set_secrets(gift)
    return gift


def _set_secrets(gift: Gift) -> None:
    made = codes.voucher(gift.pk, gift.secret_number)
    gift.secret_digest, gift.code_digest = made.secret_digest, made.code_digest


def _counted(gift: Gift) -> dict[str, int | None]:
    """Every limit that a hand-out may count on, whether or not it is set now. `rewards_counted` in SQL has the same."""
    offer, campaign = gift.offer, gift.campaign
    team = {f"campaign:{campaign.pk}:team:{gift.team_id}": campaign.gifts_per_team_max} if gift.team_id else {}
    return {
        f"offer:{offer.pk}:stock": offer.stock,
        f"offer:{offer.pk}:giver:{gift.giver_id}": offer.per_giver_max,
        f"campaign:{campaign.pk}:gifts": campaign.gifts_max,
        f"campaign:{campaign.pk}:giver:{gift.giver_id}": campaign.gifts_per_giver_max,
        **team,
    }


def _one_by_one(gift: Gift) -> dict[str, int]:
    """The limits that are set: counting on what nobody limits would make one row that everybody waits for."""
    return {scope: limit for scope, limit in _counted(gift).items() if limit is not None}


# --- the giver's side ------------------------------------------------------------------------------------------------


def _of_giver(giver: Person, gift_id: UUID) -> Gift:
    """Locked. Raises NotFound, also for somebody else's."""
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account").select_for_update(of=("self",))
    gift = rows.filter(pk=gift_id, giver=giver).first()
    if gift is None:
        raise NotFound(_("This gift does not exist."))
    return gift


def to_show(giver: Person, gift_id: UUID) -> Gift:
    """A gift of mine whose link may still be shown. Raises NotFound, also for somebody else's, and GiftGone."""
    gift = Gift.objects.filter(pk=gift_id, giver=giver).first()
    if gift is None:
        raise NotFound(_("This gift does not exist."))
    if gift.state not in Gift.RUNNING or gift.frozen_at:
        raise GiftGone(_("This gift cannot be passed on any more."))
    return gift


@transaction.atomic
def new_link(giver: Person, gift_id: UUID) -> Gift:
    """A fresh link (and code) for a gift that is not used up; the old one opens nothing any more. Raises GiftGone."""
    gift = _of_giver(giver, gift_id)
    number = gift.secret_number + 1
    made = codes.voucher(gift.pk, number)
    moved = gift.state in Gift.RUNNING and gift.move(
        to=gift.state,
        leaving=(gift.state,),
        secret_number=number,
        secret_digest=made.secret_digest,
        code_digest=made.code_digest,
    )
    if not moved:
        raise GiftGone(_("This gift cannot be passed on any more."))
    return gift


@transaction.atomic
def cancel(giver: Person, gift_id: UUID) -> Gift:
    """Take back what nobody has claimed: the credits keep their lot's own end. Twice is fine. Raises GiftGone."""
    gift = _of_giver(giver, gift_id)
    if gift.state == State.CANCELLED:
        return gift
    if not gift.mark_cancelled():
        raise GiftGone(_("This gift was claimed already or is over."))
    _undo(gift, clock.now(), renew=False)
    return gift


def _undo(gift: Gift, at: datetime, *, renew: bool) -> None:
    """Credits, counts and value go back where they came from; `renew` when its time was over."""
    limits.keep(gift.campaign_id)
    ledger.give_back(ledger.holds_of(gift.subject), at=at, renew=renew)
    limits.give_back(list(_counted(gift)))
    return_value(gift, reason=Reason.LAPSED if renew else Reason.RETURNED)


def return_value(gift: Gift, *, reason: str = Reason.RETURNED) -> None:
    """What the gift still holds goes back to its campaign's budget. Called with the gift locked."""
    account = Account.objects.select_for_update(no_key=True).get(pk=gift.account_id)
    if account.available:
        number = Transfer.objects.filter(debit=account, reason__in=(Reason.RETURNED, Reason.LAPSED)).count() + 1
        ledger.move(
            account,
            gift.offer.campaign.budget,
            account.available,
            reason=reason,
            subject=gift.subject,
            key=f"{gift.subject}:returned:{number}",
        )


# --- the friend's side -----------------------------------------------------------------------------------------------


def by_secret(secret: str) -> Gift | None:
    """The gift behind a link. Without a lock."""
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account")
    return rows.filter(secret_digest=codes.secret_digest(secret)).first()


@transaction.atomic
def claim(gift_id: UUID, *, recipient: str = "") -> Gift:
    """The friend takes it: the giver's credits are spent and the code counts at the till. Twice is fine.

    `recipient` is asked where a limit counts by it, and kept as a keyed hash alone.
    Raises GiftGone, Invalid, OwnGift, LimitReached.
    """
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account")
    gift = rows.select_for_update(of=("self",)).get(pk=gift_id)
    if gift.state in Gift.AT_TILL and not gift.frozen_at:
        return gift
    at, offer = clock.now(), gift.offer
    address = recipients.normal(recipient) if offer.asks_recipient else ""
    if address and address in {gift.giver.email, gift.giver.mobile}:
        raise OwnGift(_("You cannot claim a gift of your own."))
    digest = codes.recipient_digest(address) if address else None
    ends_at = days.end_after(at, offer.valid_days)
    if not gift.mark_claimed(at, ends_at=ends_at, recipient=digest):
        raise GiftGone(_("This gift is not available any more."))
    for held in ledger.holds_of(gift.subject):
        ledger.capture(held, ledger.common(SPENT), held.amount, reason=Reason.GIFT, key=f"hold:{held.pk}")
    if digest:
        limits.take(_of_recipient(offer, gift.giver, digest))
    _tell(gift, "claimed")
    return gift


def short(recipient: bytes) -> str:
    """How a recipient stands in the scope of a counter."""
    return recipient.hex()[:32]


def _of_recipient(offer: Offer, giver: Person, digest: bytes) -> dict[str, int | None]:
    """Both as soon as one is set: the other may be set later, and a recipient is known only from then on."""
    return {
        f"offer:{offer.pk}:to:{short(digest)}": offer.per_recipient_max,
        f"offer:{offer.pk}:pair:{giver.pk}:{short(digest)}": offer.per_pair_max,
    }


def _tell(gift: Gift, what: str) -> None:
    """The giver hears that it was claimed and that it was redeemed; never where or when. Leavers hear nothing."""
    if gift.giver.is_active:
        notify(
            gift.giver,
            key=f"{gift.subject}:{what}",
            event=f"gift_{what}",
            subject_key=gift.subject,
            **words.gift_moved(gift, what),
        )


def tell_redeemed(gift: Gift) -> None:
    _tell(gift, "redeemed")


# --- during a review -------------------------------------------------------------------------------------------------


def freeze(gift_ids: list[UUID]) -> None:
    """From any state: nothing moves, the till hears that they are void. Twice is fine.

    Locked by id first: two findings may be about the same gifts.
    """
    locked = Gift.objects.select_for_update(no_key=True).filter(pk__in=gift_ids).order_by("id")
    list(locked.values_list("pk", flat=True))
    Gift.objects.filter(pk__in=gift_ids, frozen_at__isnull=True).update(frozen_at=clock.now())


def release(gift_ids: list[UUID]) -> None:
    """As if nothing had been; their last day stays. Twice is fine."""
    Gift.objects.filter(pk__in=gift_ids, frozen_at__isnull=False).update(frozen_at=None)


@transaction.atomic
def reverse(gift_id: UUID) -> Gift:
    """Void it for good: unclaimed, the giver's credits come back; claimed, what is left of its value does.

    What was redeemed stays redeemed. Twice is fine. Raises GiftGone when it is over, or while a till holds some of it.
    """
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account")
    gift = rows.select_for_update(of=("self",)).get(pk=gift_id)
    if gift.state == State.CANCELLED:
        return gift
    if gift.state not in Gift.RUNNING or Account.objects.filter(pk=gift.account_id, held__gt=0).exists():
        raise GiftGone(_("This gift is over, or a till is busy with it."))
    unclaimed = gift.state == State.HANDED_OUT
    Gift.objects.filter(pk=gift.pk).update(state=State.CANCELLED, frozen_at=None)
    gift.state, gift.frozen_at = State.CANCELLED, None
    if unclaimed:
        _undo(gift, clock.now(), renew=False)
    else:
        return_value(gift)
    return gift


# --- the clock -------------------------------------------------------------------------------------------------------


def due_ids(limit: int) -> list[UUID]:
    """Gifts whose time to be claimed or redeemed is over and that nobody has closed."""
    rows = Gift.objects.filter(state__in=Gift.RUNNING, ends_at__lte=clock.now(), frozen_at__isnull=True)
    return list(rows.filter(account__held=0).order_by("ends_at").values_list("pk", flat=True)[:limit])


@transaction.atomic
def expire(gift_id: UUID) -> bool:
    """Unclaimed: the credits go back. Claimed: what is left of its value does. Twice is fine; True when it ended now.

    A till that has reserved some of it finishes first.
    """
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account")
    gift = rows.select_for_update(of=("self",)).get(pk=gift_id)
    at = clock.now()
    if gift.mark_unclaimed(at):
        _undo(gift, at, renew=True)
        return True
    if Account.objects.filter(pk=gift.account_id, held=0).exists() and gift.mark_lapsed(at):
        return_value(gift, reason=Reason.LAPSED)
        return True
    return False
