"""What the hot requests cost in queries, so that nobody adds one without noticing. Saved points count too."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards import tasks
from tests.conftest import Cast, api, post
from tests.rewards.conftest import Mall, claim, give, sell


def cost(act: Any) -> int:
    with CaptureQueriesContext(connection) as queries:
        response = act()
    assert response.status_code < 300, response.content
    return len([query for query in queries if "SAVEPOINT" not in query["sql"]])


def test_hot_requests_cost_what_they_cost(quiet_cast: Cast, quiet_mall: Mall) -> None:
    tasks.sweep()
    alice, till = api(quiet_cast.alice), quiet_mall.till
    body = {"offer_id": str(quiet_mall.coffee.pk)}
    codes = [claim(give(quiet_cast.alice, quiet_mall.coffee, key=f"gift-{n:04}")["link"]) for n in range(3)]
    costs = {
        "wallet": cost(lambda: alice.get("/api/v1/wallet")),
        "offers": cost(lambda: alice.get("/api/v1/offers")),
        "gifts": cost(lambda: alice.get("/api/v1/gifts")),
        "statement": cost(lambda: alice.get("/api/v1/wallet/statement")),
        "hand out": cost(lambda: post(alice, "/gifts", body, key="gift-9999")),
        "look up": cost(lambda: post(till, "/till/lookup", {"code": codes[0]})),
        "sell": cost(lambda: sell(till, codes[0], 100)),
    }
    assert costs == {
        "wallet": 2,
        "offers": 2,
        "gifts": 2,
        "statement": 2,
        "hand out": 5,
        "look up": 4,
        "sell": 22,  # one of them looks whether the news to the giver joins others
    }
