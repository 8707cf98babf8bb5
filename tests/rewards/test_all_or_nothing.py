"""A hand-out is one statement: outside any transaction, too, all of it is written or nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend import clock
from rewards import gifts, ledger, limits
from rewards.models import Account, Counter, Gift, Hold, Transfer
from tests.conftest import Cast, in_parallel
from tests.rewards.conftest import Mall, available, earn, make_offer


def hand_out(cast: Cast, mall: Mall, key: str = "k1", **fields: Any) -> Gift:
    return gifts.hand_out(cast.alice, mall.coffee.pk, request_key=key, **fields)


def written(mall: Mall) -> tuple[int, int, int, int, int]:
    budget = Account.objects.get(pk=mall.campaign.budget_id)
    held = sum(Account.objects.filter(person__isnull=False).values_list("held", flat=True))
    gifts_, holds, moved = (model._default_manager.count() for model in (Gift, Hold, Transfer))
    return gifts_, holds, moved, held, budget.balance or 0


@pytest.mark.parametrize(
    ("credits_", "stock", "cents", "refusal"),
    [
        (9, 0, 100, ledger.NotEnoughCredits),  # all three are so: the first is said
        (10, 0, 100, limits.LimitReached),
        (10, 1, 499, ledger.BudgetSpent),
        (10, None, 499, ledger.BudgetSpent),
    ],
)
def test_what_is_refused_leaves_no_trace_and_the_first_reason_is_said(
    cast: Cast, mall: Mall, credits_: int, stock: int | None, cents: int, refusal: type[Exception]
) -> None:
    earn(cast.alice, credits_)
    mall.coffee.stock = stock
    mall.coffee.save()
    ledger.fund(mall.campaign.budget, cents - 100_000, key="less")
    before = written(mall)
    with pytest.raises(refusal):
        hand_out(cast, mall)
    assert written(mall) == before
    assert not Counter.objects.exists()


def test_two_statements_and_no_transaction_around_them(cast: Cast, mall: Mall) -> None:
    earn(cast.alice, 10)
    with CaptureQueriesContext(connection) as queries:
        hand_out(cast, mall)
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "WITH"]
    assert written(mall)[0] == 1


def test_several_lots_pay_together_the_one_that_lapses_first_before_the_others(cast: Cast, mall: Mall) -> None:
    lots = []
    for days_, credits_ in ((90, 20), (30, 4), (60, 3)):
        lots.append(ledger.lot(cast.alice, Account.Kind.EARNED, clock.now() + timedelta(days=days_)))
        ledger.move(ledger.common(1), lots[-1], credits_, reason="correction", subject="test", key=f"lot:{days_}")
    hand_out(cast, mall)
    assert [Account.objects.get(pk=lot.pk).held for lot in lots] == [3, 4, 3]
    assert available(cast.alice) == 17


def test_the_same_key_gives_the_first_gift_also_when_nothing_is_left_or_the_offer_is_over(cast: Cast, mall: Mall) -> None:
    earn(cast.alice, 10)
    first = hand_out(cast, mall)
    assert hand_out(cast, mall).pk == first.pk
    mall.coffee.is_active = False
    mall.coffee.save()
    assert hand_out(cast, mall, note="x" * 301).pk == first.pk
    with pytest.raises(gifts.OfferClosed):
        hand_out(cast, mall, key="k2")
    assert Gift.objects.count() == 1


def test_many_at_once_without_a_transaction_give_what_the_budget_and_the_stock_allow(cast: Cast, mall: Mall) -> None:
    earn(cast.alice, 200)
    tea = make_offer(mall.campaign, mall.shop, "thee", stock=3)
    ledger.fund(mall.campaign.budget, 7 * 500 + 499 - 100_000, key="less")

    def act(number: int) -> Any:
        offer = tea if number % 2 else mall.coffee
        return ledger.retried(lambda: gifts.hand_out(cast.alice, offer.pk, request_key=f"k{number}"))

    results = in_parallel(16, act)
    assert sum(isinstance(one, Gift) for one in results) == 7
    assert {type(one) for one in results} <= {Gift, ledger.BudgetSpent, limits.LimitReached}
    assert limits.used(f"offer:{tea.pk}:stock") == Gift.objects.filter(offer=tea).count() <= 3
    assert written(mall) == (7, 7, 1 + 1 + 1 + 7, 70, 499)
