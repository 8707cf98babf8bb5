"""Guessing codes is stopped by address, shop and everywhere; a till that guesses nothing is never locked out."""

import pytest
from django.test import Client, RequestFactory

from backend import rate
from rewards import codes, throttle
from rewards.models import ShopKey
from tests.conftest import Cast
from tests.rewards.conftest import Mall, claim, earn, give, make_shop, sell, till


@pytest.fixture
def code(quiet_cast: Cast, quiet_mall: Mall) -> str:
    earn(quiet_cast.alice, 10)
    return claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])


def guess(client: Client, number: int, address: str) -> int:
    body = {"code": codes.with_check(f"{number:014}")}
    return client.post("/api/v1/till/lookup", body, "application/json", REMOTE_ADDR=address).status_code


def test_an_address_gets_fifteen_tries_with_all_keys_of_a_shop_and_its_neighbour_goes_on(
    quiet_mall: Mall, code: str
) -> None:
    shop, key = make_shop("Bioscoop")
    keys = (till(key), till(ShopKey.issue(shop)))
    for number in range(throttle.PER_ADDRESS_MAX):
        assert guess(keys[number % 2], number, "127.0.0.1") == 404
    assert {guess(client, 99, "127.0.0.1") for client in keys} == {429}
    assert sell(quiet_mall.till, code, 100).status_code == 201


def test_a_stolen_key_stops_the_thief_and_not_the_shops_own_till(quiet_mall: Mall, code: str) -> None:
    stolen = till(ShopKey.issue(quiet_mall.shop))
    heard = [guess(stolen, 10 * house + number, f"203.0.113.{house}") for house in range(1, 12) for number in range(8)]
    assert heard.count(404) < throttle.PER_SHOP_MAX + 11 * throttle.HANDFUL
    assert set(heard[-3:]) == {429}
    assert sell(quiet_mall.till, code, 100).status_code == 201
    assert guess(quiet_mall.till, 5, "127.0.0.1") == 404
    assert sell(quiet_mall.till, code, 100, "r-2").status_code == 201


def test_guesses_from_everywhere_leave_each_address_a_handful_and_honest_tills_alone(quiet_mall: Mall, code: str) -> None:
    shops = [make_shop(f"Winkel {number}")[0] for number in range(20)]
    for number in range(throttle.EVERYWHERE_MAX):
        throttle.count(shops[number % 20].pk, f"198.51.100.{number // 5}")
    other = till(ShopKey.issue(shops[0]))
    assert [guess(other, number, "203.0.113.7") for number in range(7)] == [404] * throttle.HANDFUL + [429] * 2
    assert sell(quiet_mall.till, code, 100).status_code == 201


def test_one_house_is_one_address_also_on_ipv6(quiet_mall: Mall) -> None:
    def seen(address: str) -> str:
        return rate.address_of(RequestFactory().get("/", REMOTE_ADDR=address))

    assert seen("2001:db8:1:2::1") == seen("2001:db8:1:2:ffff:ffff:ffff:ffff") != seen("2001:db8:1:3::1")
    assert seen("::ffff:203.0.113.9") == seen("203.0.113.9") == "203.0.113.9"
    assert seen("unix:") == "unix:"
