"""Wallet, gifts, offers and badges as the app keeps them."""

from collections.abc import Sequence
from uuid import UUID

from backend import clock
from backend.changes import Kind, one
from backend.manners import language
from people.models import Person
from rewards import badges, gifts, ledger
from rewards.models import Gift
from rewards.schemas import BadgeOut, GiftOut, OfferOut, WalletOut


def wallet(person: Person, ids: Sequence[UUID]) -> dict[UUID, WalletOut]:
    """There is one, and it has the person's id."""
    return {person.pk: WalletOut.of(ledger.wallet(person, clock.now()))}


def my_badges(person: Person, ids: Sequence[UUID]) -> dict[UUID, list[BadgeOut]]:
    """All in one: they come and grow together."""
    return {person.pk: [BadgeOut.of(row, language()) for row in badges.mine(person)]}


def given(giver: Person, ids: Sequence[UUID]) -> dict[UUID, GiftOut]:
    rows = Gift.objects.filter(giver=giver, pk__in=ids).select_related("offer", "giver")
    return {gift.pk: GiftOut.of(gift) for gift in rows}


def _gift_ids(giver: Person, above: UUID, limit: int) -> list[UUID]:
    rows = Gift.objects.filter(giver=giver, pk__gt=above)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def offers(giver: Person, ids: Sequence[UUID]) -> dict[UUID, OfferOut]:
    """Open now, and for this person."""
    wanted = set(ids)
    found = gifts.open_offers(giver, clock.now())
    return {offer.pk: OfferOut.of(offer, language()) for offer in found if offer.pk in wanted}


def _offer_ids(giver: Person, above: UUID, limit: int) -> list[UUID]:
    return sorted(offer.pk for offer in gifts.open_offers(giver, clock.now()) if offer.pk > above)[:limit]


KINDS = (
    one("wallet", "wallet", wallet),
    one("badges", "badges", my_badges),
    Kind("offer", "offers", _offer_ids, offers),
    Kind("gift", "gifts", _gift_ids, given),
)
