"""A partner shop, a campaign and offers; and after every test here the books are proved."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from backend import clock
from people.models import Person
from rewards import checks, earning, ledger, throttle
from rewards.models import ISSUED, Account, Campaign, Offer, Shop, ShopKey
from tests.conftest import api, in_parallel, post
from tests.rewards.web import server as server


@pytest.fixture(autouse=True)
def _the_books_are_right(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set up after the database and so torn down before it: `ledger_check` runs on what the test left."""
    for name in ("committed", "db"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
            yield
            if "breaks_the_books" not in request.keywords:
                assert checks.violations() == []
            return
    yield


@pytest.fixture(autouse=True)
def _one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries at a till are counted in ten minutes of the wall clock: no test runs across the end of them."""
    at = clock.real()
    monkeypatch.setattr(throttle, "clock", SimpleNamespace(real=lambda: at))


@dataclass
class Mall:
    """One campaign with € 1.000 to give away at the coffee bar. `till` is the coffee bar's."""

    campaign: Campaign
    coffee: Offer  # a gift of € 5,00 for 10 credits, to be spent in parts
    shop: Shop
    key: str

    @property
    def till(self) -> Client:
        return till(self.key)


def make_shop(name: str) -> tuple[Shop, str]:
    shop = Shop.objects.create(name=name, account=ledger.open_account(Account.Kind.SHOP))
    return shop, ShopKey.issue(shop, label="till 1")


def make_offer(campaign: Campaign, shop: Shop, slug: str, **fields: Any) -> Offer:
    defaults: dict[str, Any] = {
        "kind": Offer.Kind.GIFT,
        "title_nl": f"Een {slug}",
        "title_en": f"A {slug}",
        "terms_nl": "Eén per bezoek.",
        "terms_en": "One a visit.",
        "price_credits": 10,
        "value_cents": 500,
        "vat_kind": Offer.Vat.MULTI_PURPOSE,
    }
    offer = Offer.objects.create(campaign=campaign, slug=slug, **{**defaults, **fields})
    offer.shops.add(shop)
    return offer


def make_mall(*, budget_cents: int = 100_000) -> Mall:
    shop, key = make_shop("Koffiebar")
    campaign = Campaign.objects.create(
        name="Winter",
        starts_on=date(2026, 1, 1),
        ends_on=date(2030, 12, 31),
        budget=ledger.open_account(Account.Kind.BUDGET),
    )
    ledger.fund(campaign.budget, budget_cents, key="start")
    return Mall(campaign, make_offer(campaign, shop, "koffie"), shop, key)


@pytest.fixture
def mall(committed: None) -> Mall:
    return make_mall()


@pytest.fixture
def quiet_mall(db: None) -> Mall:
    return make_mall()


def till(key: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {key}"})


def earn(who: Person, credits_: int, key: str = "start") -> None:
    """Credits of the person's earned wallet, from nowhere."""
    lot = earning.earned_lot(who, clock.now())
    ledger.move(ledger.common(ISSUED), lot, credits_, reason="correction", subject="test", key=f"test:{who.pk}:{key}")


def give(who: Person, offer: Offer, key: str = "gift-0001", **body: Any) -> Any:
    """Hand out by the API; the response's JSON with its link."""
    response = post(api(who), "/gifts", {"offer_id": str(offer.pk), **body}, key=key)
    assert response.status_code == 201, response.content
    return response.json()


def path_of(link: str) -> str:
    return "/g/" + link.rsplit("/g/", 1)[1]


def claim(link: str, **fields: str) -> str:
    """The friend presses the button; the code that the page shows."""
    friend = Client()
    response = friend.post(path_of(link), {"action": "claim", **fields})
    assert response.status_code == 302, response.content.decode()
    return code_on(friend.get(path_of(link)).content.decode())


def code_on(page: str) -> str:
    found = page.split('id="code"', 1)[1].split(">", 1)[1].split("<", 1)[0]
    return found.strip()


def sell(client: Client, code: str, cents: int, receipt: str = "r-1", key: str = "", **body: Any) -> Any:
    return post(client, "/till/sales", {"code": code, "amount_cents": cents, "receipt": receipt, **body}, key=key)


def available(who: Person) -> int:
    wallet = ledger.wallet(who, clock.now())
    return wallet.allowance + wallet.earned


def in_parallel_facts(who: Person, kind: str, count: int) -> None:
    results = in_parallel(count, lambda number: earning.record(who, kind, f"round:{number}"))
    assert not [result for result in results if isinstance(result, Exception)]
