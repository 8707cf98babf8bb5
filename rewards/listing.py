"""Which offers are open changes by time alone: phones that keep copies are told by this sweep.

What may be handed out is never judged by what stands here, but by the clock (`gifts.open_offers`).
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from backend import changes, clock
from people.models import Person
from rewards import days
from rewards.models import Offer

SLACK = timedelta(days=1)  # people's own days begin before or after the company's


def due_ids() -> list[UUID]:
    """Offers that came, or are over, by the clock; and once a day those for people who have been here long enough."""
    at = clock.now()
    rows = Offer.objects.select_related("campaign").filter(Q(is_listed=True) | Q(is_active=True))
    return [offer.pk for offer in rows if _is_new(offer, at)]


def _is_new(offer: Offer, at: datetime) -> bool:
    another_day = offer.audience_employed_days_min is not None and offer.looked_on != days.day_of(at)
    return another_day or offer.is_listed != offer.is_open(at)


@transaction.atomic
def look(offer_id: UUID) -> None:
    """Twice is fine."""
    at = clock.now()
    offer = Offer.objects.select_related("campaign").select_for_update(of=("self",)).get(pk=offer_id)
    if not _is_new(offer, at):
        return
    today = days.day_of(at)
    Offer.objects.filter(pk=offer_id).update(is_listed=offer.is_open(at), looked_on=today)
    if offer.audience_employed_days_min is not None:
        since = offer.looked_on or today
        changes.note("offer", offer_id, _here_long_enough(offer.audience_employed_days_min, since - SLACK, today + SLACK))


def _here_long_enough(count: int, since: date, until: date) -> list[UUID]:
    """Who reached so many days here between the two."""
    reached = Q(joined_on__range=(since - timedelta(days=count), until - timedelta(days=count)))
    return list(Person.objects.present().filter(reached).values_list("pk", flat=True))
