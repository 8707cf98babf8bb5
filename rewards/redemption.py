"""What a till does with a voucher: look up, reserve, capture, void, refund, and tell afterwards what it sold offline.

The gift's row is locked first, so that all tills take turns on one voucher; the money is a hold on the gift's account.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from backend.ring import ring
from rewards import codes, gifts, ledger, words
from rewards.models import Account, Gift, LateConflict, Offer, Redemption, Shop, Transfer

RESERVED_FOR = timedelta(minutes=10)
LATE_AT_MOST = timedelta(days=3)  # how long after the sale a till may tell of it
Reason, State = Transfer.Reason, Gift.State


class MistypedCode(Refusal):
    """The check symbol does not fit: nothing was looked up."""

    code = "mistyped_code"
    status = 422


class UnknownCode(Refusal):
    """No such code, or not one of this shop's: the two look the same."""

    code = "unknown_code"
    status = 404


class VoucherSpent(Refusal):
    code = "voucher_spent"


class VoucherExpired(Refusal):
    code = "voucher_expired"


class VoucherVoid(Refusal):
    """Under review, or taken back."""

    code = "voucher_void"


class TooMuch(Refusal):
    """More than the voucher (or what was reserved, or captured) has left."""

    code = "amount_too_high"


class ReceiptUsed(Refusal):
    """This receipt redeemed this voucher before, with another amount or another outcome."""

    code = "receipt_used"


class NotReserved(Refusal):
    """The reservation was captured, voided or has expired."""

    code = "not_reserved"


@dataclass(frozen=True)
class Sale:
    """What a till wants to do. `basket_cents` is what a percentage is counted over."""

    receipt: str
    amount_cents: int
    basket_cents: int | None = None


def find(shop: Shop, typed: str) -> Gift:
    """The voucher that somebody typed or scanned. Raises MistypedCode, UnknownCode (also for other shops' vouchers)."""
    code = codes.read(typed)
    if code is None:
        raise MistypedCode(_("This code is mistyped. Check it once more."))
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account").filter(claimed_at__isnull=False)
    gift = rows.filter(code_digest=codes.code_digest(code), offer__shops=shop).first()
    if gift is None:
        raise UnknownCode(_("This code is not known here."))
    return gift


def check_usable(gift: Gift, at: datetime, *, sold_at: datetime | None = None) -> None:
    """Raises VoucherVoid, VoucherSpent or VoucherExpired: what a shop hears of its own genuine code."""
    if gift.frozen_at or gift.state == State.CANCELLED:
        raise VoucherVoid(_("This voucher is not valid any more."))
    if gift.state in {State.REDEEMED, State.REFUNDED}:
        raise VoucherSpent(_("This voucher was spent on %(when)s.") % {"when": _spent_on(gift)})
    if gift.state == State.LAPSED or gift.ends_at <= (sold_at or at):
        raise VoucherExpired(_("This voucher was valid until %(day)s.") % {"day": words.last_day(gift.ends_at)})


def _spent_on(gift: Gift) -> str:
    last = gift.redemptions.filter(captured_at__isnull=False).order_by("-captured_at").first()
    return words.moment(last.captured_at) if last and last.captured_at else ""


def _check_amount(gift: Gift, sale: Sale) -> None:
    """A percentage is at most that of the basket; everything is at most what the voucher has left."""
    offer = gift.offer
    if offer.kind == Offer.Kind.PERCENTAGE:
        if sale.basket_cents is None:
            raise Invalid(_("Say what the basket costs: this voucher is a percentage."))
        if sale.amount_cents > sale.basket_cents * (offer.percentage or 0) // 100:
            raise TooMuch(_("This is more than %(percentage)s %% of the basket.") % {"percentage": offer.percentage})


def _locked(gift_id: UUID) -> Gift:
    rows = Gift.objects.select_related("offer__campaign__budget", "giver", "account")
    return rows.select_for_update(of=("self",)).get(pk=gift_id)


# --- reserve, capture, void ------------------------------------------------------------------------------------------


@transaction.atomic
def reserve(shop: Shop, gift_id: UUID, sale: Sale) -> Redemption:
    """Set this amount aside for ten minutes. The same receipt again gives the same reservation.

    Raises VoucherVoid, VoucherSpent, VoucherExpired, TooMuch, ReceiptUsed, Invalid.
    """
    return _reserve(shop, _locked(gift_id), sale, clock.now())


def _reserve(shop: Shop, gift: Gift, sale: Sale, at: datetime, *, sold_at: datetime | None = None) -> Redemption:
    known = Redemption.objects.select_related("hold__account").filter(shop=shop, gift=gift, receipt=sale.receipt).first()
    if known is not None:
        if known.amount_cents != sale.amount_cents:
            raise ReceiptUsed(_("This receipt was used for this voucher before."))
        return known
    check_usable(gift, at, sold_at=sold_at)
    _check_amount(gift, sale)
    made = Redemption(
        shop=shop,
        gift=gift,
        receipt=sale.receipt,
        amount_cents=sale.amount_cents,
        basket_cents=sale.basket_cents,
        created_at=at,
        expires_at=at + RESERVED_FOR,
        is_late=sold_at is not None,
    )
    try:
        made.hold = ledger.hold(gift.account, sale.amount_cents, subject=f"redemption:{made.pk}")
    except ledger.BudgetSpent as error:
        left = Account.objects.get(pk=gift.account_id).available
        if not left:  # a colleague's till has the rest reserved
            raise VoucherSpent(_("This voucher has nothing left.")) from error
        raise TooMuch(_("This voucher has %(left)s left.") % {"left": words.money(left, gift.language)}) from error
    made.save(force_insert=True)
    return made


def _of_shop(shop: Shop, redemption_id: UUID) -> Redemption:
    """The shop's own redemption, with its gift locked. Raises NotFound, also for another shop's."""
    found = Redemption.objects.filter(pk=redemption_id, shop=shop).values_list("gift_id", flat=True).first()
    if found is None:
        raise NotFound(_("This redemption does not exist."))
    gift = _locked(found)
    redemption = Redemption.objects.select_related("hold__account", "shop__account").get(pk=redemption_id)
    redemption.gift = gift
    return redemption


@transaction.atomic
def capture(shop: Shop, redemption_id: UUID, amount_cents: int | None = None) -> Redemption:
    """The sale is made: this much (all of it by default) is the shop's; the rest of the reservation is released.

    The same amount twice is fine. Raises NotFound, NotReserved, TooMuch, and VoucherVoid during a review.
    """
    redemption = _of_shop(shop, redemption_id)
    amount = redemption.amount_cents if amount_cents is None else amount_cents
    if redemption.state == Redemption.State.CAPTURED and redemption.captured_cents == amount:
        return redemption
    return _capture(redemption, amount, clock.now())


def _capture(redemption: Redemption, amount: int, sold_at: datetime) -> Redemption:
    if redemption.state != Redemption.State.RESERVED:
        raise NotReserved(_("This reservation is over."))
    if redemption.gift.frozen_at:  # since it was reserved; by and by the reservation expires
        raise VoucherVoid(_("This voucher is not valid any more."))
    if not 0 < amount <= redemption.amount_cents:
        raise TooMuch(_("This is more than was reserved."))
    key = f"redemption:{redemption.pk}:captured"
    ledger.capture(redemption.hold, redemption.shop.account, amount, reason=Reason.REDEEMED, key=key)
    _save(redemption, state=Redemption.State.CAPTURED, captured_cents=amount, captured_at=sold_at)
    _settle_gift(redemption.gift)
    gifts.tell_redeemed(redemption.gift)
    ring("rewards.tasks.review_redeemed", str(redemption.gift_id))
    return redemption


def _save(redemption: Redemption, **fields: object) -> None:
    for name, value in fields.items():
        setattr(redemption, name, value)
    redemption.save(update_fields=list(fields))


def _settle_gift(gift: Gift) -> None:
    """After a capture or a refund: what is left decides the state. A single-use voucher gives its rest back."""
    if gift.offer.is_single_use and not Account.objects.filter(pk=gift.account_id, held__gt=0).exists():
        gifts.return_value(gift)
    left = Account.objects.get(pk=gift.account_id).balance
    state = State.PART_REDEEMED if left else State.REDEEMED
    Gift.objects.filter(pk=gift.pk).update(state=state)
    gift.state = state


@transaction.atomic
def void(shop: Shop, redemption_id: UUID) -> Redemption:
    """The sale does not happen. Twice is fine. Raises NotFound, NotReserved once it is captured."""
    redemption = _of_shop(shop, redemption_id)
    if redemption.state == Redemption.State.CAPTURED:
        raise NotReserved(_("This sale was made; refund it instead."))
    if redemption.state == Redemption.State.RESERVED:
        ledger.void(redemption.hold)
        _save(redemption, state=Redemption.State.VOIDED)
    return redemption


def due_ids(limit: int) -> list[UUID]:
    rows = Redemption.objects.filter(state=Redemption.State.RESERVED, expires_at__lte=clock.now())
    return list(rows.order_by("expires_at").values_list("pk", flat=True)[:limit])


@transaction.atomic
def expire(redemption_id: UUID) -> bool:
    """The till said nothing more: the reservation is released. Twice is fine; True when it ended now."""
    redemption = Redemption.objects.select_related("shop").get(pk=redemption_id)
    redemption = _of_shop(redemption.shop, redemption_id)
    if redemption.state != Redemption.State.RESERVED or redemption.expires_at > clock.now():
        return False
    ledger.expire(redemption.hold)
    _save(redemption, state=Redemption.State.EXPIRED)
    return True


# --- refund ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def refund(shop: Shop, redemption_id: UUID, amount_cents: int, *, key: str) -> Redemption:
    """Goods came back. Never more than was captured; once for a key.

    A gift that is still valid can be spent again; of anything else the money goes back to the budget, and a voucher
    whose whole sale came back ends as refunded. Raises NotFound, NotReserved, TooMuch.
    """
    redemption = _of_shop(shop, redemption_id)
    if redemption.state != Redemption.State.CAPTURED:
        raise NotReserved(_("There is no sale to refund."))
    transfer_key = f"redemption:{redemption.pk}:refund:{key}"
    if Transfer.objects.filter(key=transfer_key).exists():
        return redemption
    if amount_cents > redemption.captured_cents - redemption.refunded_cents:
        raise TooMuch(_("This is more than was captured and not refunded yet."))
    gift = redemption.gift
    subject = f"redemption:{redemption.pk}"
    ledger.move(shop.account, gift.account, amount_cents, reason=Reason.REFUNDED, subject=subject, key=transfer_key)
    _save(redemption, refunded_cents=redemption.refunded_cents + amount_cents)
    _settle_refunded(gift, clock.now())
    return redemption


def _settle_refunded(gift: Gift, at: datetime) -> None:
    usable = not gift.offer.is_single_use and gift.ends_at > at and gift.state != State.CANCELLED
    sold = sum(row.captured_cents - row.refunded_cents for row in Redemption.objects.filter(gift=gift))
    if not usable:
        gifts.return_value(gift)
    over = State.REFUNDED if not sold else State.REDEEMED
    open_ = State.PART_REDEEMED if sold else State.CLAIMED
    state = gift.state if gift.state == State.CANCELLED else open_ if usable else over
    Gift.objects.filter(pk=gift.pk).update(state=state)


# --- sold while the till was offline ---------------------------------------------------------------------------------


@transaction.atomic
def sell(shop: Shop, gift_id: UUID, sale: Sale) -> Redemption:
    """Reserve and capture in one step, for tills that know the amount when they scan."""
    gift, at = _locked(gift_id), clock.now()
    redemption = _reserve(shop, gift, sale, at)
    redemption.gift = gift
    if redemption.state == Redemption.State.CAPTURED:
        return redemption
    redemption.shop = shop
    return _capture(redemption, sale.amount_cents, at)


def sell_late(shop: Shop, typed: str, sale: Sale, *, sold_at: datetime) -> Redemption | LateConflict:
    """Book what was sold offline, as of then. What cannot be booked is kept as a conflict for people to settle.

    Raises MistypedCode, and Invalid for a time that is in the future or longer ago than three days.
    """
    at = clock.now()
    if not at - LATE_AT_MOST <= sold_at <= at:
        raise Invalid(_("The time of the sale must lie within the last three days."))
    gift = None
    try:
        gift = find(shop, typed)
        return _sell_late(shop, gift.pk, sale, at, sold_at)
    except MistypedCode:
        raise
    except Refusal as refusal:
        return _conflict(shop, typed, gift, sale, refusal.code, sold_at)


@transaction.atomic
def _sell_late(shop: Shop, gift_id: UUID, sale: Sale, at: datetime, sold_at: datetime) -> Redemption:
    gift = _locked(gift_id)
    redemption = _reserve(shop, gift, sale, at, sold_at=sold_at)
    if redemption.state == Redemption.State.CAPTURED:
        return redemption
    redemption.gift, redemption.shop = gift, shop
    return _capture(redemption, sale.amount_cents, sold_at)


def _conflict(shop: Shop, typed: str, gift: Gift | None, sale: Sale, reason: str, sold_at: datetime) -> LateConflict:
    made, _fresh = LateConflict.objects.get_or_create(
        shop=shop,
        receipt=sale.receipt,
        code_digest=codes.code_digest(codes.read(typed) or ""),
        defaults={
            "gift": gift,
            "amount_cents": sale.amount_cents,
            "reason": reason,
            "sold_at": sold_at,
            "reported_at": clock.now(),
        },
    )
    return made


def of_shop(shop: Shop, redemption_id: UUID) -> Redemption:
    """Without a lock. Raises NotFound, also for another shop's."""
    found = Redemption.objects.filter(pk=redemption_id, shop=shop).first()
    if found is None:
        raise NotFound(_("This redemption does not exist."))
    return found
