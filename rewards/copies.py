"""Wallet and gifts as the app keeps them."""

from collections.abc import Sequence
from uuid import UUID

from backend import clock
from backend.changes import Kind
from people.models import Person
from rewards import ledger
from rewards.models import Gift
from rewards.schemas import GiftOut, WalletOut


def wallet(person: Person, ids: Sequence[UUID]) -> dict[UUID, WalletOut]:
    """There is one, and it has the person's id."""
    return {person.pk: WalletOut.of(ledger.wallet(person, clock.now()))}


def gifts(giver: Person, ids: Sequence[UUID]) -> dict[UUID, GiftOut]:
    rows = Gift.objects.filter(giver=giver, pk__in=ids).select_related("offer", "giver")
    return {gift.pk: GiftOut.of(gift) for gift in rows}


def _gift_ids(giver: Person, above: UUID, limit: int) -> list[UUID]:
    rows = Gift.objects.filter(giver=giver, pk__gt=above)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


KINDS = (
    Kind("wallet", "wallet", lambda person, above, limit: [person.pk] if person.pk > above else [], wallet),
    Kind("gift", "gifts", _gift_ids, gifts),
)
