"""Wallet, offers and gifts over HTTP. The till's part is in `till_api`."""

from io import BytesIO
from typing import Any
from uuid import UUID

import segno
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router

from backend import clock, idempotency
from backend.errors import NotFound
from backend.manners import (
    BadRequest,
    Cursor,
    IdempotencyKey,
    IdempotencyKeyMaybe,
    Limit,
    Page,
    Schema,
    language,
    page,
    problems,
)
from people import step_up
from people.bearer import caller, session
from people.by_name import page_by_name
from people.models import Person
from rewards import badges, gifts, kudos, ledger, sharing, statement
from rewards.models import Gift, Kudos
from rewards.schemas import (
    BadgeOut,
    GiftOut,
    GiveIn,
    KudosOut,
    OfferOut,
    SharedGiftOut,
    StatementLine,
    TeamMateOut,
    ThankIn,
    WalletOut,
)

router = Router(tags=["rewards"])
CSV_LINES = 10_000


@router.get("/wallet", response={200: WalletOut, **problems()}, operation_id="get_wallet", summary="What I can give away")
def get_wallet(request: HttpRequest) -> Any:
    """What has lapsed does not count. Held credits come back when nobody claims the gift."""
    return WalletOut.of(ledger.wallet(caller(request), clock.now()))


@router.get(
    "/wallet/statement",
    response={200: Page[StatementLine], **problems()},
    operation_id="get_statement",
    summary="My credits, line by line",
)
def get_statement(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first, each with the balance after it."""
    try:
        below = int(cursor) if cursor else None
    except ValueError as error:
        raise BadRequest(_("This cursor is not one of ours.")) from error
    if below is not None and not 0 < below < 2**63:
        raise BadRequest(_("This cursor is not one of ours."))
    found = statement.lines(caller(request), below=below, limit=limit + 2)
    shown = _whole_transfers(found, limit)
    return {
        "items": [StatementLine(**vars(line)) for line in shown],
        "next_cursor": str(shown[-1].id) if len(found) > len(shown) else None,
    }


def _whole_transfers(found: list[statement.Line], limit: int) -> list[statement.Line]:
    """At most `limit` lines and one more, so that both lines of one transfer stand on one page."""
    if len(found) > limit and found[limit - 1].id == found[limit].id:
        return found[: limit + 1]
    return found[:limit]


@router.get(
    "/wallet/statement.csv",
    response={200: str, **problems()},
    operation_id="get_statement_csv",
    summary="My credits as a table",
)
def get_statement_csv(request: HttpRequest) -> HttpResponse:
    """The newest 10,000 lines; opens in a spreadsheet."""
    text = statement.as_csv(caller(request), CSV_LINES)
    headers = {"Content-Disposition": 'attachment; filename="credits.csv"'}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/offers", response={200: list[OfferOut], **problems()}, operation_id="list_offers", summary="What I can hand out"
)
def list_offers(request: HttpRequest) -> Any:
    """Open now and meant for somebody with my roles; whether my credits suffice, `get_wallet` says."""
    me = caller(request)
    return [OfferOut.of(offer, language()) for offer in gifts.open_offers(me, clock.now())]


@router.post(
    "/gifts",
    response={201: SharedGiftOut, **problems(403, 404, 409)},
    operation_id="hand_out_gift",
    summary="Give something",
)
def hand_out_gift(request: HttpRequest, body: GiveIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """My credits are held until my friend claims it. Refusals: `not_enough_credits`, `limit_reached`, `budget_spent`,
    `offer_closed`, `step_up_required` (see `step_up`)."""
    me = caller(request)
    made: dict[str, Gift] = {}

    def work() -> tuple[int, Schema]:
        gift = gifts.hand_out(
            me,
            body.offer_id,
            request_key=f"api:{idempotency_key}",
            note=body.note,
            language=body.language or "",
            credits_max=step_up.credits_max(session(request)),
        )
        made[str(gift.pk)] = gift
        return 201, SharedGiftOut.of(gift)

    def reveal(answer: dict[str, Any]) -> dict[str, Any]:
        return SharedGiftOut.reveal(answer, made.get(answer["id"]))

    return ledger.retried(lambda: idempotency.once(request, idempotency_key, work, reveal=reveal))


@router.get("/gifts", response={200: Page[GiftOut], **problems()}, operation_id="list_gifts", summary="What I gave")
def list_gifts(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first."""
    rows = Gift.objects.filter(giver=caller(request)).select_related("offer", "giver")
    return page(rows, cursor=cursor, limit=limit, time_field="handed_out_at", show=GiftOut.of)


@router.get("/gifts/{gift_id}", response={200: GiftOut, **problems(404)}, operation_id="get_gift", summary="One of them")
def get_gift(request: HttpRequest, gift_id: UUID) -> Any:
    """Given by me: claimed and redeemed, never where or when."""
    gift = Gift.objects.select_related("offer", "giver").filter(pk=gift_id, giver=caller(request)).first()
    if gift is None:
        raise NotFound(_("This gift does not exist."))
    return GiftOut.of(gift)


@router.get(
    "/gifts/{gift_id}/qr.svg",
    response={200: str, **problems(404, 409)},
    operation_id="get_gift_qr",
    summary="Its link as a QR code",
)
def get_qr(request: HttpRequest, gift_id: UUID) -> HttpResponse:
    """An SVG image for a friend who stands beside me. `gift_gone` when it is over."""
    link = sharing.link(gifts.to_show(caller(request), gift_id))
    out = BytesIO()
    segno.make(link, error="m").save(out, kind="svg", scale=8, border=2)
    return HttpResponse(out.getvalue(), content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@router.post(
    "/gifts/{gift_id}/cancel",
    response={200: GiftOut, **problems(404, 409)},
    operation_id="cancel_gift",
    summary="Take back what nobody claimed",
)
def cancel_gift(request: HttpRequest, gift_id: UUID) -> Any:
    """Twice is fine. `gift_gone` when it was claimed or is over."""
    return GiftOut.of(ledger.retried(lambda: gifts.cancel(caller(request), gift_id)))


@router.post(
    "/gifts/{gift_id}/link",
    response={200: SharedGiftOut, **problems(404, 409)},
    operation_id="renew_gift_link",
    summary="A new link",
)
def renew_link(request: HttpRequest, gift_id: UUID, idempotency_key: IdempotencyKeyMaybe = None) -> Any:
    """The old link and its code die at once. `gift_gone` when it is over."""

    def work() -> tuple[int, Schema]:
        return 200, SharedGiftOut.of(gifts.new_link(caller(request), gift_id))

    if idempotency_key:
        key = idempotency_key
        return ledger.retried(lambda: idempotency.once(request, key, work, reveal=SharedGiftOut.reveal))
    _status, gift = ledger.retried(work)
    return SharedGiftOut(**SharedGiftOut.reveal(gift.model_dump()))


@router.post(
    "/kudos",
    response={201: KudosOut, **problems(403, 404, 409)},
    operation_id="thank_colleague",
    summary="Thank a colleague",
)
def thank(request: HttpRequest, body: ThankIn, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Refusals: `not_enough_credits`, `limit_reached`, `step_up_required` (see `step_up`)."""
    me = caller(request)

    def work() -> tuple[int, Schema]:
        colleague = Person.objects.present().filter(pk=body.colleague_id).first()
        if colleague is None:
            raise NotFound(_("This colleague does not exist."))
        made = kudos.thank(
            me,
            colleague,
            body.note,
            credits_=body.credits,
            request_key=f"api:{idempotency_key}",
            credits_max=step_up.credits_max(session(request)),
        )
        return 201, KudosOut.of(made)

    return ledger.retried(lambda: idempotency.once(request, idempotency_key, work))


@router.get(
    "/kudos/received", response={200: Page[KudosOut], **problems()}, operation_id="list_kudos_received", summary="My thanks"
)
def list_received(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first."""
    rows = Kudos.objects.filter(receiver=caller(request)).select_related("giver", "receiver")
    return page(rows, cursor=cursor, limit=limit, time_field="created_at", show=KudosOut.of)


@router.get(
    "/kudos/given", response={200: Page[KudosOut], **problems()}, operation_id="list_kudos_given", summary="Whom I thanked"
)
def list_given(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Newest first."""
    rows = Kudos.objects.filter(giver=caller(request)).select_related("giver", "receiver")
    return page(rows, cursor=cursor, limit=limit, time_field="created_at", show=KudosOut.of)


@router.get("/badges", response={200: list[BadgeOut], **problems()}, operation_id="list_badges", summary="My badges")
def list_badges(request: HttpRequest) -> Any:
    """Mine and those I can still get, with how far I am."""
    me = caller(request)
    return [BadgeOut.of(row, language()) for row in badges.mine(me)]


@router.get(
    "/team/badges",
    response={200: Page[TeamMateOut], **problems()},
    operation_id="list_team_badges",
    summary="Badges of my team",
)
def list_team_badges(request: HttpRequest, cursor: Cursor, limit: Limit) -> Any:
    """Only of those who chose to show them (`shows_badges` of `PATCH /me`), by name. There is no ranking."""
    me = caller(request)
    return page_by_name(
        badges.team_of(me), cursor=cursor, limit=limit, show=lambda person: TeamMateOut.of(person, language())
    )
