"""The till's API: partner shops look up, reserve, capture, void and refund vouchers. Every path says `till`."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Header, Router
from ninja.security import HttpBearer
from pydantic import AfterValidator, Field, StringConstraints

from backend import clock, idempotency, rate
from backend.errors import NotAllowed
from backend.manners import Moment, Schema, Whole, printable, problems
from rewards import ledger, redemption, throttle
from rewards.models import Account, Gift, LateConflict, Redemption, ShopKey

EURO_CENTS_MAX = 10_000_000
LATE_ITEMS_MAX = 100


class Till(HttpBearer):
    """A shop's key: `Authorization: Bearer till_…`."""

    openapi_name = "Till"

    def authenticate(self, request: HttpRequest, token: str) -> ShopKey | None:
        return ShopKey.find(token)


router = Router(tags=["till"], auth=Till())

Code = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(printable)]
Receipt = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True), AfterValidator(printable)]
Cents = Annotated[Whole, Field(ge=1, le=EURO_CENTS_MAX, description="Euro cents.")]
TillKey = Annotated[
    str | None,
    Header(
        None,
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="Sent again it gives the first response. Without it the receipt's number does the same for a voucher.",
    ),
]


class CodeIn(Schema):
    code: Code = Field(description="As typed or scanned: any case, with or without hyphens.")


class SaleIn(CodeIn):
    amount_cents: Cents
    receipt: Receipt = Field(description="The till's number for this sale: once for a shop and voucher.")
    basket_cents: Cents | None = Field(None, description="What the basket costs; needed for a percentage.")

    def sale(self) -> redemption.Sale:
        return redemption.Sale(self.receipt, self.amount_cents, self.basket_cents)


class LateSaleIn(SaleIn):
    sold_at: Moment = Field(description="UTC: when it was sold, at most three days ago.")


class LateSalesIn(Schema):
    sales: list[LateSaleIn] = Field(min_length=1, max_length=LATE_ITEMS_MAX)


class CaptureIn(Schema):
    amount_cents: Cents | None = Field(None, description="In euro cents: less than was reserved; all of it when missing.")


class RefundIn(Schema):
    amount_cents: Cents


class VoucherOut(Schema):
    """A voucher as a till may see it: never whose it is."""

    title: str
    kind: str = Field(description="gift (may be spent in parts), fixed, percentage or product. May grow.")
    percentage: int | None
    product_code: str
    vat_kind: str = Field(
        description="single_purpose (VAT was due at hand-out), multi_purpose (it is due now) or discount (it lowers the "
        "price that VAT is counted over). May grow."
    )
    left_cents: int = Field(description="What may be taken off now; of a percentage at most this much.", ge=0)
    valid_until: datetime = Field(description="UTC: not valid from this moment on.")

    @classmethod
    def of(cls, gift: Gift) -> "VoucherOut":
        offer = gift.offer
        return cls(
            title=offer.title_nl,
            kind=offer.kind,
            percentage=offer.percentage,
            product_code=offer.product_code,
            vat_kind=offer.vat_kind,
            left_cents=Account.objects.get(pk=gift.account_id).available,
            valid_until=gift.ends_at,
        )


class RedemptionOut(Schema):
    id: UUID
    state: str = Field(description="reserved, captured, voided or expired. May grow.")
    receipt: str
    amount_cents: int = Field(description="In euro cents: reserved.", ge=1)
    captured_cents: int = Field(ge=0)
    refunded_cents: int = Field(ge=0)
    expires_at: datetime = Field(description="UTC: a reservation that is not captured before this ends by itself.")

    @classmethod
    def of(cls, row: Redemption) -> "RedemptionOut":
        return cls(
            id=row.pk,
            state=row.state,
            receipt=row.receipt,
            amount_cents=row.amount_cents,
            captured_cents=row.captured_cents,
            refunded_cents=row.refunded_cents,
            expires_at=row.expires_at,
        )


class LateResult(Schema):
    receipt: str
    result: str = Field(description="captured or conflict.")
    reason: str = Field("", description="Of a conflict: the refusal's code. People at the company settle it with the shop.")
    redemption_id: UUID | None = None


class LateResults(Schema):
    results: list[LateResult] = Field(description="In the order in which they came.")


def _key_of(request: HttpRequest, scope: str) -> ShopKey:
    """Who asks. Raises NotAllowed when the key is not made for this."""
    key: ShopKey = request.auth  # type: ignore[attr-defined]
    if scope not in key.scopes:
        raise NotAllowed(_("This key may not do that."))
    return key


def _find(request: HttpRequest, key: ShopKey, code: str) -> Gift:
    """The voucher; a code that nobody knows counts against the shop and its address. Raises TooManyTries."""
    address = rate.address_of(request)
    throttle.check(key.shop_id, address)
    try:
        return redemption.find(key.shop, code)
    except redemption.UnknownCode:
        throttle.count(key.shop_id, address)
        raise


def _once(
    request: HttpRequest, key: ShopKey, sent: str | None, status: int, work: Callable[[], Redemption]
) -> HttpResponse:
    """With the till's key when it sent one, and the whole again after a deadlock."""

    def answer() -> tuple[int, Schema]:
        return status, RedemptionOut.of(work())

    if sent:
        return ledger.retried(lambda: idempotency.once(request, sent, answer, owner=key.shop_id))
    done: tuple[int, Schema] = ledger.retried(answer)
    return HttpResponse(done[1].model_dump_json(), status=done[0], content_type="application/json")


@router.post(
    "/till/lookup",
    response={200: VoucherOut, **problems(403, 404, 409, 429)},
    operation_id="till_look_up",
    summary="Is this voucher good, and for how much?",
)
def look_up(request: HttpRequest, body: CodeIn) -> Any:
    """Refusals: `mistyped_code` (checked without looking it up), `unknown_code` (also another shop's), `voucher_spent`,
    `voucher_expired`, `voucher_void`, `too_many_tries`."""
    gift = _find(request, _key_of(request, "look_up"), body.code)
    redemption.check_usable(gift, clock.now())
    return VoucherOut.of(gift)


@router.post(
    "/till/reservations",
    response={201: RedemptionOut, **problems(403, 404, 409, 429)},
    operation_id="till_reserve",
    summary="Set an amount aside for ten minutes",
)
def reserve(request: HttpRequest, body: SaleIn, idempotency_key: TillKey) -> HttpResponse:
    """Then capture or void it. The same receipt again gives the same reservation; `receipt_used` for another amount."""
    key = _key_of(request, "redeem")
    gift = _find(request, key, body.code)
    return _once(request, key, idempotency_key, 201, lambda: redemption.reserve(key.shop, gift.pk, body.sale()))


@router.post(
    "/till/sales",
    response={201: RedemptionOut, **problems(403, 404, 409, 429)},
    operation_id="till_sell",
    summary="Reserve and capture in one step",
)
def sell(request: HttpRequest, body: SaleIn, idempotency_key: TillKey) -> HttpResponse:
    """Reserve and capture in one. Refusals: `voucher_spent`, `voucher_expired`, `voucher_void`, `amount_too_high`,
    `receipt_used`."""
    key = _key_of(request, "redeem")
    gift = _find(request, key, body.code)
    return _once(request, key, idempotency_key, 201, lambda: redemption.sell(key.shop, gift.pk, body.sale()))


@router.post(
    "/till/sales/late",
    response={200: LateResults, **problems(403, 429)},
    operation_id="till_sell_late",
    summary="Tell what was sold while offline",
)
def sell_late(request: HttpRequest, body: LateSalesIn) -> Any:
    """Each is booked as of its time, once for its receipt; what cannot be booked is a conflict, for people to settle."""
    key = _key_of(request, "redeem")
    throttle.check(key.shop_id, rate.address_of(request))
    return LateResults(results=[_late(request, key, sale) for sale in body.sales])


def _late(request: HttpRequest, key: ShopKey, item: LateSaleIn) -> LateResult:
    try:
        done = ledger.retried(lambda: redemption.sell_late(key.shop, item.code, item.sale(), sold_at=item.sold_at))
    except redemption.MistypedCode as refusal:
        return LateResult(receipt=item.receipt, result="conflict", reason=refusal.code)
    if isinstance(done, LateConflict):
        if done.reason == redemption.UnknownCode.code:
            throttle.count(key.shop_id, rate.address_of(request))
        return LateResult(receipt=item.receipt, result="conflict", reason=done.reason)
    return LateResult(receipt=item.receipt, result="captured", reason="", redemption_id=done.pk)


@router.get(
    "/till/redemptions/{redemption_id}",
    response={200: RedemptionOut, **problems(403, 404)},
    operation_id="till_get_redemption",
    summary="How a reservation or sale stands",
)
def get_redemption(request: HttpRequest, redemption_id: UUID) -> Any:
    """One of this shop's, as it is booked now."""
    return RedemptionOut.of(redemption.of_shop(_key_of(request, "look_up").shop, redemption_id))


@router.post(
    "/till/redemptions/{redemption_id}/capture",
    response={200: RedemptionOut, **problems(403, 404, 409)},
    operation_id="till_capture",
    summary="The sale is made",
)
def capture(request: HttpRequest, redemption_id: UUID, body: CaptureIn, idempotency_key: TillKey) -> HttpResponse:
    """All or part of it; the rest is released. The same amount twice is fine; `not_reserved` when it is over,
    `voucher_void` when it came under review since: let the customer pay."""
    key = _key_of(request, "redeem")
    return _once(request, key, idempotency_key, 200, lambda: redemption.capture(key.shop, redemption_id, body.amount_cents))


@router.post(
    "/till/redemptions/{redemption_id}/void",
    response={200: RedemptionOut, **problems(403, 404, 409)},
    operation_id="till_void",
    summary="The sale does not happen",
)
def void(request: HttpRequest, redemption_id: UUID) -> Any:
    """Twice is fine; `not_reserved` when it was captured: refund it instead."""
    key = _key_of(request, "redeem")
    return RedemptionOut.of(ledger.retried(lambda: redemption.void(key.shop, redemption_id)))


@router.post(
    "/till/redemptions/{redemption_id}/refund",
    response={200: RedemptionOut, **problems(403, 404, 409)},
    operation_id="till_refund",
    summary="Goods came back",
)
def refund(
    request: HttpRequest,
    redemption_id: UUID,
    body: RefundIn,
    idempotency_key: Annotated[
        str, Header(..., alias="Idempotency-Key", min_length=8, max_length=128, pattern=r"^[!-~]+$")
    ],
) -> HttpResponse:
    """Never more than was captured: `amount_too_high`. Needs a key: two refunds of one amount may both be meant."""
    key = _key_of(request, "refund")

    def work() -> Redemption:
        return redemption.refund(key.shop, redemption_id, body.amount_cents, key=idempotency_key)

    return _once(request, key, idempotency_key, 200, work)
