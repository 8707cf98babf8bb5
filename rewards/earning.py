"""What people did earns credits, each fact once; the monthly allowance; and taking back what was earned wrongly."""

import logging
from calendar import monthrange
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from backend import clock
from people.models import Person
from rewards import badges, days, ledger, limits
from rewards.models import ISSUED, Account, Allowance, EarningRule, Fact, Transfer

log = logging.getLogger(__name__)

EARNED_MONTHS = 12  # earned credits lapse at the end of the month, so many months on: one lot a month
Reason = Transfer.Reason


@transaction.atomic
def record(person: Person, kind: str, key: str, *, other: Person | None = None) -> Fact:
    """Rewards is told a fact, once for person, kind and key; the rule of that kind pays for it within its caps.

    `other` is whom it was about: caps count pairs. Leavers are noted and not paid.
    """
    at = clock.now()
    fact, fresh = Fact.objects.get_or_create(
        person=person, kind=kind, key=key, defaults={"other": other, "happened_at": at}
    )
    rule = EarningRule.objects.filter(kind=kind, is_active=True, credits__gt=0).first() if fresh else None
    if rule and person.is_active and _pay(person, rule, fact, at):
        Fact.objects.filter(pk=fact.pk).update(credits=rule.credits)
        fact.credits = rule.credits
    if fresh:
        badges.award(person, kind)
    return fact


def _pay(person: Person, rule: EarningRule, fact: Fact, at: datetime) -> bool:
    """False when a cap is reached: then nothing is paid."""
    try:
        with transaction.atomic():
            ledger.move(
                ledger.common(ISSUED),
                earned_lot(person, at),
                rule.credits,
                reason=Reason.EARNED,
                subject=fact.key[:60],
                key=f"earned:{fact.pk}",
            )
            limits.take(_caps(person, rule, fact, at), rule.credits)
    except limits.LimitReached:
        return False
    return True


def _caps(person: Person, rule: EarningRule, fact: Fact, at: datetime) -> dict[str, int | None]:
    day = days.day_of(at, person.zone)
    month, scope = f"{day:%Y-%m}", f"rule:{rule.kind}:{person.pk}"
    pair = {f"{scope}:{fact.other_id}:{month}": rule.per_pair_month_max} if fact.other_id else {}
    return {f"{scope}:{day}": rule.per_day_max, f"{scope}:{month}": rule.per_month_max, **pair}


def earned_lot(person: Person, at: datetime) -> Account:
    """Where what is earned now goes: at least twelve months, then to the end of that month."""
    end = days.month_end(at, person.zone, months_on=EARNED_MONTHS)
    return ledger.lot(person, Account.Kind.EARNED, end)


@transaction.atomic
def withdraw(person: Person, kind: str, key: str) -> int:
    """The fact did not hold: take back what it earned, once. Returns how much; what is given away already is let go."""
    at = clock.now()
    rows = Fact.objects.filter(person=person, kind=kind, key=key, withdrawn_at__isnull=True)
    if not rows.update(withdrawn_at=at):
        return 0
    fact = Fact.objects.get(person=person, kind=kind, key=key)
    taken = ledger.take_back(
        person,
        fact.credits,
        ledger.common(ISSUED),
        reason=Reason.CLAWBACK,
        subject=key[:60],
        key=f"clawback:{fact.pk}",
        at=at,
    )
    Fact.objects.filter(pk=fact.pk).update(taken_back=taken)
    return taken


# --- the allowance ---------------------------------------------------------------------------------------------------


def allowance_of(person: Person, at: datetime) -> int:
    """Credits of this local month: in proportion to its days for who joins on the way, rounded up."""
    today = days.day_of(at, person.zone)
    current = Allowance.objects.filter(starts_on__lte=today).first()
    if current is None:
        return 0
    length = monthrange(today.year, today.month)[1]
    joined = person.joined_on
    if joined is None or joined < today.replace(day=1):
        return current.credits
    if joined > today:
        return 0
    return -(-current.credits * (length - joined.day + 1) // length)


def without_allowance(limit: int) -> list[UUID]:
    """People who work here and have no allowance for their local month yet."""
    at, found = clock.now(), list[UUID]()
    for name in Person.objects.present().order_by().values_list("time_zone", flat=True).distinct():
        zone = ZoneInfo(name)
        given = Account.objects.filter(kind=Account.Kind.ALLOWANCE, expires_at=days.month_end(at, zone), is_renewed=False)
        rows = (
            Person.objects.present(days.day_of(at, zone))
            .filter(time_zone=name)
            .exclude(joined_on__gt=days.day_of(at, zone))
        )
        found += rows.exclude(pk__in=given.values("person"))[: limit - len(found)].values_list("pk", flat=True)
    return found


@transaction.atomic
def grant_allowance(person_id: UUID) -> int:
    """This local month's allowance, once; it lapses when the month ends. Returns how much was given now."""
    person, at = Person.objects.get(pk=person_id), clock.now()
    amount = allowance_of(person, at)
    if not amount or not person.is_active:
        return 0
    lot = ledger.lot(person, Account.Kind.ALLOWANCE, days.month_end(at, person.zone))
    month = f"{days.day_of(at, person.zone):%Y-%m}"
    key = f"allowance:{month}:{person.pk}"
    given = ledger.move(ledger.common(ISSUED), lot, amount, reason=Reason.ALLOWANCE, subject=f"month:{month}", key=key)
    return amount if given else 0


def kudos_max(person: Any, at: datetime) -> int:
    """How many credits may go to colleagues in a month: a quarter of an allowance."""
    today = days.day_of(at, person.zone)
    current = Allowance.objects.filter(starts_on__lte=today).first()
    return current.credits // 4 if current else 0
