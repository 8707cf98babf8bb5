"""Thirty-two clients at once over real HTTP: whatever they do, the books are right and limits hold exactly."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.db import connections, transaction

from backend import clock
from people.models import AccessToken, Person
from rewards import gifts, ledger, redemption, tasks
from rewards.models import Account, Allowance, Gift, Hold, Redemption, Transfer
from tests.conftest import later, make_cast, person
from tests.rewards.conftest import Mall, available, claim, earn, give, make_mall, sell
from tests.rewards.web import CLIENTS, Server


def at_once(count: int, job: Callable[[int], tuple[int, Any]]) -> list[tuple[int, Any]]:
    """`job(0…count-1)` by 32 clients."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(job, range(count)))


def statuses(results: list[tuple[int, Any]]) -> Counter[int]:
    return Counter(status for status, _body in results)


@pytest.fixture
def alice(server: Server) -> Person:
    return make_cast().alice


def test_one_code_redeemed_two_hundred_times_at_once_succeeds_once(server: Server, alice: Person, mall: Mall) -> None:
    earn(alice, 10)
    code = claim(give(alice, mall.coffee)["link"])
    results = at_once(
        200,
        lambda n: server.call("POST", "/till/sales", mall.key, {"code": code, "amount_cents": 500, "receipt": f"r{n}"}),
    )
    assert statuses(results) == {201: 1, 409: 199}
    assert {body["code"] for status, body in results if status == 409} == {"voucher_spent"}
    assert Redemption.objects.count() == 1


def test_a_balance_of_a_hundred_gives_exactly_a_hundred_of_three_hundred(server: Server, alice: Person, mall: Mall) -> None:
    earn(alice, 60)
    tasks.sweep()  # and a hundred of allowance, of which sixty remain
    with transaction.atomic():
        ledger.hold_what_is_left(alice, 60, subject="test", at=clock.now(), kind="earned")
    mall.coffee.price_credits = 1
    mall.coffee.save()
    token = AccessToken.issue(alice)
    results = at_once(
        300,
        lambda n: server.call("POST", "/gifts", token, {"offer_id": str(mall.coffee.pk)}, key=f"key-{n:08}"),
    )
    assert statuses(results) == {201: 100, 409: 200}
    assert available(alice) == 0
    assert Gift.objects.count() == 100


def test_a_budget_with_seven_left_serves_seven_of_fifty_givers(server: Server, alice: Person) -> None:
    mall = make_mall(budget_cents=7 * 500 + 499)
    givers = [person(f"G{number}", f"Giver{number} G", mail=False) for number in range(1000, 1050)]
    for giver in givers:
        earn(giver, 10)
    tokens = [AccessToken.issue(giver) for giver in givers]
    results = at_once(
        50, lambda n: server.call("POST", "/gifts", tokens[n], {"offer_id": str(mall.coffee.pk)}, key="key-00000001")
    )
    assert statuses(results) == {201: 7, 409: 43}
    assert {body["code"] for status, body in results if status == 409} == {"budget_spent"}
    assert Account.objects.get(pk=mall.campaign.budget_id).balance == 499
    assert Hold.objects.count() == 7


def test_a_stock_of_five_is_five_and_a_limit_of_two_a_giver_is_two(server: Server, alice: Person, mall: Mall) -> None:
    mall.coffee.stock, mall.coffee.per_giver_max = 5, 2
    mall.coffee.save()
    givers = [person(f"G{number}", f"Giver{number} G", mail=False) for number in range(1000, 1010)]
    for giver in givers:
        earn(giver, 100)
    tokens = [AccessToken.issue(giver) for giver in givers]
    results = at_once(
        100, lambda n: server.call("POST", "/gifts", tokens[n % 10], {"offer_id": str(mall.coffee.pk)}, key=f"key-{n:08}")
    )
    assert statuses(results) == {201: 5, 409: 95}
    assert max(giver.gifts.count() for giver in givers) <= 2


@pytest.mark.parametrize("each_way", [100, pytest.param(1000, marks=pytest.mark.heavy)])
def test_kudos_each_way_leave_the_sums_equal_and_no_error(server: Server, mall: Mall, each_way: int) -> None:
    Allowance.objects.create(credits=8000, starts_on=date(2026, 1, 2))
    cast = make_cast()
    tasks.sweep()
    pair = (cast.bob, cast.charlie)
    tokens = [AccessToken.issue(who) for who in pair]

    def thank(n: int) -> tuple[int, Any]:
        body = {"colleague_id": str(pair[1 - n % 2].pk), "note": "Dank!", "credits": 1 + n % 3}
        return server.call("POST", "/kudos", tokens[n % 2], body, key=f"key-{n:08}")

    before = sum(available(who) for who in pair)
    assert statuses(at_once(2 * each_way, thank)) == {201: 2 * each_way}
    assert sum(available(who) for who in pair) == before
    assert Transfer.objects.filter(reason="kudos").count() == 2 * each_way


def test_capture_void_and_expiry_at_once_resolve_a_reservation_once(server: Server, alice: Person, mall: Mall) -> None:
    earn(alice, 200)
    codes = [claim(give(alice, mall.coffee, key=f"gift-{n:04}")["link"]) for n in range(12)]
    body = {"amount_cents": 500, "receipt": "r1"}
    made = [server.call("POST", "/till/reservations", mall.key, {**body, "code": code})[1]["id"] for code in codes]
    later(minutes=11)

    def resolve(n: int) -> tuple[int, Any]:
        if n % 3 == 2:
            return redemption.expire(made[n // 3]), None
        what = ("capture", "void")[n % 3]
        return server.call("POST", f"/till/redemptions/{made[n // 3]}/{what}", mall.key, {} if what == "capture" else None)

    results = at_once(36, resolve)
    assert {status for status, _body in results} <= {200, 409, True, False}
    assert not Redemption.objects.filter(state="reserved").exists()
    assert Hold.objects.filter(subject__startswith="redemption:", state="held").count() == 0
    captured = Redemption.objects.filter(state="captured").count()
    assert Transfer.objects.filter(reason="redeemed").count() == captured


def test_fifty_refunds_at_once_never_exceed_what_was_captured(server: Server, alice: Person, mall: Mall) -> None:
    earn(alice, 10)
    code = claim(give(alice, mall.coffee)["link"])
    sale = sell(mall.till, code, 500).json()
    path = f"/till/redemptions/{sale['id']}/refund"
    results = at_once(50, lambda n: server.call("POST", path, mall.key, {"amount_cents": 70}, key=f"key-{n:08}"))
    assert statuses(results) == {200: 7, 409: 43}
    assert Redemption.objects.get().refunded_cents == 490


def test_the_same_key_fifty_times_moves_once_and_answers_the_same(server: Server, alice: Person, mall: Mall) -> None:
    earn(alice, 100)
    token, body = AccessToken.issue(alice), {"offer_id": str(mall.coffee.pk)}
    results = at_once(50, lambda n: server.call("POST", "/gifts", token, body, key="key-00000001"))
    assert statuses(results) == {201: 50}
    assert len({json.dumps(answer) for _status, answer in results}) == 1
    assert Gift.objects.count() == 1
    code = claim(results[0][1]["link"])
    sale = {"code": code, "amount_cents": 100, "receipt": "r1"}
    sold = at_once(50, lambda n: server.call("POST", "/till/sales", mall.key, sale, key="key-00000001" if n % 2 else ""))
    assert statuses(sold) == {201: 50}
    assert Transfer.objects.filter(reason="redeemed").count() == 1


def test_the_months_end_and_expiry_run_three_times_during_spending_take_effect_once(
    server: Server, alice: Person, mall: Mall
) -> None:
    tasks.sweep()
    mall.coffee.price_credits = 1
    mall.coffee.save()
    token = AccessToken.issue(alice)
    later(days=32)

    def act(n: int) -> tuple[int, Any]:
        if n % 20 == 10:
            return tasks.sweep(), None
        return server.call("POST", "/gifts", token, {"offer_id": str(mall.coffee.pk)}, key=f"key-{n:08}")

    at_once(60, act)
    tasks.sweep()
    assert Transfer.objects.filter(reason="allowance", credit__person=alice).count() == 2
    assert Transfer.objects.filter(reason="lapsed", debit__person=alice).count() == 1
    assert available(alice) == 100 - Gift.objects.filter(giver=alice).count()


def test_cancelling_and_claiming_at_once_ends_in_one_of_them(server: Server, alice: Person, mall: Mall) -> None:
    earn(alice, 100)
    made = [give(alice, mall.coffee, key=f"gift-{n:04}") for n in range(10)]

    def act(n: int) -> tuple[int, Any]:
        gift_id = made[n // 2]["id"]
        try:
            return 1, (gifts.claim(gift_id) if n % 2 else gifts.cancel(alice, gift_id)).state
        except gifts.GiftGone:
            return 0, None
        finally:
            connections.close_all()

    results = at_once(20, act)
    assert all(results[n][0] + results[n + 1][0] == 1 for n in range(0, 20, 2))
    assert available(alice) == 100 - 10 * Gift.objects.filter(state="claimed").count()
