"""What a till may do and what it hears when it may not."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from backend import clock
from rewards import gifts, tasks, throttle
from rewards.models import Account, Gift, LateConflict, Redemption, ShopKey
from tests.conftest import Cast, later, post
from tests.rewards.conftest import Mall, claim, earn, give, make_offer, make_shop, sell, till


@pytest.fixture
def code(quiet_cast: Cast, quiet_mall: Mall) -> str:
    earn(quiet_cast.alice, 100)
    return claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])


def left(mall: Mall) -> int:
    return int(Account.objects.get(pk=mall.campaign.budget_id).balance or 0)


def refused(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def reserve(client: Client, code: str, cents: int, receipt: str = "r-1") -> Any:
    return post(client, "/till/reservations", {"code": code, "amount_cents": cents, "receipt": receipt})


def test_unknown_foreign_and_unclaimed_codes_sound_the_same(quiet_cast: Cast, quiet_mall: Mall, code: str) -> None:
    from rewards import codes

    _other, key = make_shop("Bioscoop")
    unclaimed = give(quiet_cast.alice, quiet_mall.coffee, key="gift-0002")["id"]
    hidden = codes.voucher(Gift.objects.get(pk=unclaimed).pk, 1).code
    heard = [
        post(till(key), "/till/lookup", {"code": code}),
        post(quiet_mall.till, "/till/lookup", {"code": codes.with_check("0" * 14)}),
        post(quiet_mall.till, "/till/lookup", {"code": hidden}),
    ]
    assert {refused(response) for response in heard} == {(404, "unknown_code")}
    assert len({response.json()["detail"] for response in heard}) == 1


def test_a_mistyped_code_is_told_apart_and_counts_for_nothing(quiet_mall: Mall, code: str) -> None:
    wrong = ("1" if code[0] != "1" else "2") + code[1:]
    for _try in range(throttle.PER_ADDRESS_MAX + 1):
        assert refused(post(quiet_mall.till, "/till/lookup", {"code": wrong})) == (422, "mistyped_code")
    assert post(quiet_mall.till, "/till/lookup", {"code": code}).status_code == 200


def test_a_shop_hears_of_its_own_code_when_it_was_spent_when_it_expired_and_that_it_is_void(
    quiet_cast: Cast, quiet_mall: Mall, code: str
) -> None:
    sell(quiet_mall.till, code, 500)
    spent = post(quiet_mall.till, "/till/lookup", {"code": code})
    assert refused(spent) == (409, "voucher_spent")
    assert str(clock.now().year) in spent.json()["detail"]
    frozen = claim(give(quiet_cast.alice, quiet_mall.coffee, key="gift-0002")["link"])
    Gift.objects.filter(state="claimed").update(frozen_at=clock.now())
    assert refused(sell(quiet_mall.till, frozen, 1, "r-9")) == (409, "voucher_void")
    Gift.objects.filter(state="claimed").update(frozen_at=None)
    later(days=91)
    assert refused(sell(quiet_mall.till, frozen, 1, "r-9")) == (409, "voucher_expired")
    tasks.sweep()
    assert refused(post(quiet_mall.till, "/till/lookup", {"code": frozen})) == (409, "voucher_expired")


def test_guessing_stops_the_shop_that_guesses_and_nobody_else(quiet_mall: Mall, code: str) -> None:
    from rewards import codes

    thief_shop, key = make_shop("Bioscoop")
    thief = till(key)
    for number in range(throttle.PER_ADDRESS_MAX):
        guess = codes.with_check(f"{number:014}")
        assert refused(post(thief, "/till/lookup", {"code": guess})) == (404, "unknown_code")
    assert refused(post(thief, "/till/lookup", {"code": codes.with_check("9" * 14)})) == (429, "too_many_tries")
    for number in range(throttle.EVERYWHERE_MAX // 8):
        for _shop in range(8):
            throttle.count(thief_shop.pk, f"10.0.0.{number}")
    assert post(quiet_mall.till, "/till/lookup", {"code": code}).status_code == 200
    assert sell(quiet_mall.till, code, 100).status_code == 201


def test_a_key_does_only_what_it_is_for_and_a_revoked_one_nothing(quiet_mall: Mall, code: str) -> None:
    looker = till(ShopKey.issue(quiet_mall.shop, scopes=["look_up"]))
    assert post(looker, "/till/lookup", {"code": code}).status_code == 200
    assert refused(sell(looker, code, 100)) == (403, "not_allowed")
    fresh = till(ShopKey.issue(quiet_mall.shop, label="next year's"))
    assert sell(fresh, code, 100).status_code == 201
    ShopKey.objects.filter(label="till 1").update(revoked_at=clock.real())
    assert sell(quiet_mall.till, code, 100, "r-2").status_code == 401
    assert sell(fresh, code, 100, "r-2").status_code == 201


def test_an_employees_token_opens_no_till_and_a_tills_key_no_app(quiet_cast: Cast, quiet_mall: Mall, code: str) -> None:
    from tests.conftest import api

    assert post(api(quiet_cast.alice), "/till/lookup", {"code": code}).status_code == 401
    assert quiet_mall.till.get("/api/v1/wallet").status_code == 401


def test_another_shops_redemption_is_not_there(quiet_mall: Mall, code: str) -> None:
    _shop, key = make_shop("Bioscoop")
    made = reserve(quiet_mall.till, code, 100).json()
    for path in (f"/till/redemptions/{made['id']}/capture", f"/till/redemptions/{made['id']}/void"):
        assert refused(post(till(key), path)) == (404, "not_found")
    assert till(key).get(f"/api/v1/till/redemptions/{made['id']}").status_code == 404
    assert Redemption.objects.get().state == "reserved"


def test_the_same_receipt_reserves_once_and_another_amount_is_refused(quiet_mall: Mall, code: str) -> None:
    first, again = (reserve(quiet_mall.till, code, 100).json() for _time in range(2))
    assert first == again
    assert refused(reserve(quiet_mall.till, code, 101)) == (409, "receipt_used")
    assert Redemption.objects.count() == 1


def test_what_is_reserved_elsewhere_is_not_there_until_it_ends(quiet_mall: Mall, code: str) -> None:
    reserve(quiet_mall.till, code, 400)
    assert refused(reserve(quiet_mall.till, code, 101, "r-2")) == (409, "amount_too_high")
    later(minutes=10)
    tasks.sweep()
    assert Redemption.objects.get().state == "expired"
    assert reserve(quiet_mall.till, code, 500, "r-2").status_code == 201


def test_a_part_capture_releases_the_rest(quiet_mall: Mall, code: str) -> None:
    made = reserve(quiet_mall.till, code, 500).json()
    done = post(quiet_mall.till, f"/till/redemptions/{made['id']}/capture", {"amount_cents": 120})
    assert done.json()["captured_cents"] == 120
    assert post(quiet_mall.till, "/till/lookup", {"code": code}).json()["left_cents"] == 380
    again = post(quiet_mall.till, f"/till/redemptions/{made['id']}/capture", {"amount_cents": 120})
    assert again.json() == done.json()
    assert refused(post(quiet_mall.till, f"/till/redemptions/{made['id']}/capture", {"amount_cents": 121})) == (
        409,
        "not_reserved",
    )


def test_a_percentage_is_at_most_its_share_of_the_basket_and_used_once(quiet_cast: Cast, quiet_mall: Mall) -> None:
    offer = make_offer(quiet_mall.campaign, quiet_mall.shop, "korting", kind="percentage", percentage=20, value_cents=1000)
    before = left(quiet_mall)
    earn(quiet_cast.alice, 10)
    code = claim(give(quiet_cast.alice, offer)["link"])
    assert left(quiet_mall) == before - 1000
    assert refused(sell(quiet_mall.till, code, 400)) == (422, "invalid")
    assert refused(sell(quiet_mall.till, code, 401, basket_cents=2000)) == (409, "amount_too_high")
    assert refused(sell(quiet_mall.till, code, 1001, basket_cents=900_000)) == (409, "amount_too_high")
    assert sell(quiet_mall.till, code, 400, basket_cents=2000).status_code == 201
    assert left(quiet_mall) == before - 400
    assert refused(sell(quiet_mall.till, code, 100, "r-2", basket_cents=2000)) == (409, "voucher_spent")


def test_a_refunded_gift_can_be_spent_again_and_a_refunded_discount_is_over(
    quiet_cast: Cast, quiet_mall: Mall, code: str
) -> None:
    sale = sell(quiet_mall.till, code, 500).json()
    path = f"/till/redemptions/{sale['id']}/refund"
    assert post(quiet_mall.till, path, {"amount_cents": 200}, key="refund-0001").json()["refunded_cents"] == 200
    assert post(quiet_mall.till, path, {"amount_cents": 200}, key="refund-0001").json()["refunded_cents"] == 200
    assert refused(post(quiet_mall.till, path, {"amount_cents": 301}, key="refund-0002")) == (409, "amount_too_high")
    assert sell(quiet_mall.till, code, 200, "r-2").status_code == 201

    before = left(quiet_mall)
    offer = make_offer(quiet_mall.campaign, quiet_mall.shop, "vijf", kind="fixed", value_cents=500)
    gift = give(quiet_cast.alice, offer, key="gift-0002")
    sale = sell(quiet_mall.till, claim(gift["link"]), 500, "r-3").json()
    assert left(quiet_mall) == before - 500
    post(quiet_mall.till, f"/till/redemptions/{sale['id']}/refund", {"amount_cents": 500}, key="refund-0003")
    assert Gift.objects.get(pk=gift["id"]).state == "refunded"
    assert left(quiet_mall) == before


def test_a_gift_that_ends_while_a_till_holds_it_waits_for_the_till(quiet_mall: Mall, code: str) -> None:
    gift = Gift.objects.get()
    clock.move(gift.ends_at - clock.now() - timedelta(minutes=5))
    made = reserve(quiet_mall.till, code, 300).json()
    later(minutes=6)
    assert tasks.sweep() >= 0
    assert gifts.expire(gift.pk) is False
    assert post(quiet_mall.till, f"/till/redemptions/{made['id']}/capture", {}).status_code == 200
    tasks.sweep()
    gift.refresh_from_db()
    assert gift.state == "lapsed"
    assert left(quiet_mall) == 100_000 - 300


# --- sold offline ----------------------------------------------------------------------------------------------------


def late(mall: Mall, *sales: dict[str, Any]) -> Any:
    return post(mall.till, "/till/sales/late", {"sales": list(sales)})


def test_what_was_sold_offline_is_booked_as_of_then_and_what_cannot_be_is_a_conflict(
    quiet_cast: Cast, quiet_mall: Mall, code: str
) -> None:
    gift = Gift.objects.get()
    clock.move(gift.ends_at - clock.now() + timedelta(minutes=30))
    sold_at = (clock.now() - timedelta(hours=1)).isoformat()
    sale = {"code": code, "amount_cents": 300, "sold_at": sold_at}
    results = late(quiet_mall, {**sale, "receipt": "r-1"}, {**sale, "receipt": "r-2"}, {**sale, "receipt": "r-1"})
    assert [(row["result"], row["reason"]) for row in results.json()["results"]] == [
        ("captured", ""),
        ("conflict", "amount_too_high"),
        ("captured", ""),
    ]
    assert Redemption.objects.get().is_late
    assert LateConflict.objects.get().amount_cents == 300
    again = late(quiet_mall, {**sale, "receipt": "r-2"}).json()["results"]
    assert again[0]["result"] == "conflict"
    assert LateConflict.objects.count() == 1


def test_a_sale_after_the_last_day_is_a_conflict_and_a_time_out_of_reach_is_refused(quiet_mall: Mall, code: str) -> None:
    gift = Gift.objects.get()
    clock.move(gift.ends_at - clock.now() + timedelta(minutes=30))
    sale = {"code": code, "amount_cents": 300, "receipt": "r-1"}
    just_after = (clock.now() - timedelta(minutes=10)).isoformat()
    assert late(quiet_mall, {**sale, "sold_at": just_after}).json()["results"][0]["reason"] == "voucher_expired"
    for sold_at in (clock.now() + timedelta(minutes=1), clock.now() - timedelta(days=4)):
        assert refused(late(quiet_mall, {**sale, "sold_at": sold_at.isoformat()})) == (422, "invalid")
    assert Redemption.objects.count() == 0
