"""Wallets, campaigns and their offers, for the benchmarks in which gifts are handed out."""

import uuid
from datetime import date
from typing import Any

from benchmarks import report

CREDITS_EACH, BUDGET_CENTS = 10**6, 10**12
WALLETS = """
WITH lot AS (
    INSERT INTO rewards_account (unit, kind, person_id, expires_at, is_renewed, balance, held, is_frozen, created_at)
    SELECT 'credit', 'earned', id, timestamptz '2100-01-01', FALSE, %(credits)s, 0, FALSE, timestamptz '2026-01-01'
    FROM people_person RETURNING id)
INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)
SELECT 1, id, 'credit', %(credits)s, 'correction', 'benchmark', 'benchmark:' || id, timestamptz '2026-01-01' FROM lot
"""


def fill_wallets() -> None:
    """A million earned credits for everybody there is."""
    report.run_sql(WALLETS, {"credits": CREDITS_EACH})


def make_campaign(number: int, **offer: Any) -> int:
    """A campaign with one offer, both with their number as id; returns the account of its budget."""
    from rewards import ledger
    from rewards.models import Account, Campaign, Offer

    budget = ledger.open_account(Account.Kind.BUDGET)
    ledger.fund(budget, BUDGET_CENTS, key=str(number))
    days = {"starts_on": date(2020, 1, 1), "ends_on": date(2099, 12, 31)}
    campaign = Campaign.objects.create(id=uuid.UUID(int=number), name=f"Campaign {number}", budget=budget, **days)
    Offer.objects.create(
        id=uuid.UUID(int=number),
        campaign=campaign,
        slug=f"offer-{number}",
        kind=Offer.Kind.GIFT,
        title_nl="Koffie",
        title_en="Coffee",
        price_credits=10,
        value_cents=500,
        vat_kind=Offer.Vat.MULTI_PURPOSE,
        **offer,
    )
    return int(budget.pk)
