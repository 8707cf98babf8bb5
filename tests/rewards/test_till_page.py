"""The till in a browser: a key once, then codes."""

import re

from django.test import Client

from rewards.models import Redemption, ShopKey
from tests.conftest import Cast
from tests.rewards.conftest import Mall, claim, earn, give, make_offer


def opened(mall: Mall) -> Client:
    browser = Client(headers={"Accept-Language": "en"})
    assert browser.post("/till/", {"action": "sign_in", "key": mall.key}).status_code == 302
    return browser


def test_a_code_is_looked_up_and_taken_off_once_however_often_pressed(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    code = claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])
    browser = opened(quiet_mall)
    page = browser.post("/till/", {"action": "look_up", "code": code.lower()}).content.decode()
    assert "A koffie" in page
    assert "5,00" in page
    [receipt] = re.findall(r'name="receipt" value="(\w+)"', page)
    sale = {"action": "sell", "code": code, "amount": "1,25", "receipt": receipt}
    for _time in range(3):
        assert "€1.25 was taken off" in browser.post("/till/", sale).content.decode()
    assert Redemption.objects.get().captured_cents == 125


def test_a_percentage_asks_for_the_basket(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    offer = make_offer(quiet_mall.campaign, quiet_mall.shop, "korting", kind="percentage", percentage=20)
    code = claim(give(quiet_cast.alice, offer)["link"])
    browser = opened(quiet_mall)
    assert 'name="basket"' in browser.post("/till/", {"action": "look_up", "code": code}).content.decode()
    sale = {"action": "sell", "code": code, "amount": "4", "basket": "20", "receipt": "r-1"}
    assert browser.post("/till/", {**sale, "amount": "4,01"}).status_code == 409
    assert browser.post("/till/", sale).status_code == 200


def test_without_a_key_nothing_is_looked_up_or_sold(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    code = claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])
    stranger = Client()
    assert stranger.post("/till/", {"action": "sign_in", "key": "till_wrong"}).status_code == 403
    stranger.cookies["till"] = quiet_mall.key  # unsigned
    page = stranger.post("/till/", {"action": "sell", "code": code, "amount": "1", "receipt": "r"}).content.decode()
    assert "koffie" not in page
    assert Redemption.objects.count() == 0
    browser = opened(quiet_mall)
    browser.post("/till/", {"action": "sign_out"})
    assert "koffie" not in browser.post("/till/", {"action": "look_up", "code": code}).content.decode()


def test_another_site_cannot_press_the_button(quiet_mall: Mall) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post("/till/", {"action": "sign_in", "key": quiet_mall.key}).status_code == 403


def test_odd_amounts_are_refused(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    code = claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])
    browser = opened(quiet_mall)
    for amount in ("", "-1", "0", "1,234", "abc", "9" * 12, "١"):
        sale = {"action": "sell", "code": code, "amount": amount, "receipt": "r-1"}
        assert browser.post("/till/", sale).status_code == 422, amount
    assert Redemption.objects.count() == 0


def test_a_key_does_on_the_page_only_what_it_is_for(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    code = claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])
    sale = {"action": "sell", "code": code, "amount": "1", "receipt": "r-1"}
    expected = {"look_up": (200, 403), "redeem": (403, 200), "refund": (403, 403)}
    for scope, statuses in expected.items():
        quiet_mall.key = ShopKey.issue(quiet_mall.shop, scopes=[scope])
        browser = opened(quiet_mall)
        looked = browser.post("/till/", {"action": "look_up", "code": code})
        assert (looked.status_code, browser.post("/till/", sale).status_code) == statuses, scope
        assert ("koffie" in looked.content.decode()) == (scope == "look_up")
