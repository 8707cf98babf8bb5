"""What the demo company gives away: two partner shops, a campaign with money, three offers, and everybody's allowance."""

import json
from datetime import timedelta
from pathlib import Path

from backend import clock
from rewards import days, ledger, tasks
from rewards.models import Account, Campaign, Offer, Shop

FILE = Path(__file__).resolve().parent / "demo" / "rewards.json"
CAMPAIGN_DAYS = 365


def load() -> None:
    data = json.loads(FILE.read_text())
    shops = {name: Shop.objects.create(name=name, account=ledger.open_account(Account.Kind.SHOP)) for name in data["shops"]}
    money = data["campaign"].pop("budget_cents")
    today = days.day_of(clock.now())
    campaign = Campaign.objects.create(
        **data["campaign"],
        starts_on=today,
        ends_on=today + timedelta(days=CAMPAIGN_DAYS),
        budget=ledger.open_account(Account.Kind.BUDGET),
    )
    ledger.fund(campaign.budget, money, key="demo")
    for offer in data["offers"]:
        sold_at = offer.pop("shops")
        Offer.objects.create(campaign=campaign, **offer).shops.set([shops[name] for name in sold_at])
    tasks.sweep()
