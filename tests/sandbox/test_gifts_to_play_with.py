"""The whole of a gift by links: the sandbox leads to the friend's page and makes this browser a till."""

import re

from django.test import Client

from backend import clock
from rewards.models import Gift, Redemption, ShopKey
from tests.conftest import Cast
from tests.rewards.conftest import code_on, earn, give, make_mall


def test_a_visitor_opens_the_friends_page_and_a_till_and_sells(quiet_cast: Cast) -> None:
    mall = make_mall()
    earn(quiet_cast.alice, 10)
    give(quiet_cast.alice, mall.coffee)
    visitor = Client(headers={"Accept-Language": "en"})
    assert 'href="/sandbox/gifts"' in visitor.get("/sandbox/").content.decode()
    before = ShopKey.objects.count()
    shown = visitor.get("/sandbox/gifts").content.decode()
    assert "GEEF koffie" in shown
    [link] = re.findall(r'href="(/g/[\w-]+)"', shown)
    assert ShopKey.objects.count() == before
    assert visitor.post(link).status_code == 302
    code = code_on(visitor.get(link).content.decode())

    opened = visitor.post("/sandbox/gifts", {"shop": str(mall.shop.pk)}).content.decode()
    [key] = re.findall(r"till_[\w-]{43}", opened)
    assert ShopKey.find(key) is not None
    assert mall.shop.name in visitor.get("/till/").content.decode()
    sale = {"action": "sell", "code": code, "amount": "5", "receipt": "r-1"}
    assert "was taken off" in visitor.post("/till/", sale).content.decode()
    assert (Gift.objects.get().state, Redemption.objects.get().captured_cents) == ("redeemed", 500)
    assert key not in visitor.get("/sandbox/gifts").content.decode()
    for language, word in (("en", "used"), ("nl", "gebruikt")):
        shown = visitor.get("/sandbox/gifts", headers={"Accept-Language": language}).content.decode()
        assert f"· {word}</span>" in shown
        assert "redeemed" not in shown
    Gift.objects.update(frozen_at=clock.now())
    assert "· under review</span>" in visitor.get("/sandbox/gifts").content.decode()


def test_a_shop_that_is_none_opens_nothing_and_another_site_cannot_press(quiet_cast: Cast) -> None:
    mall = make_mall()
    before = ShopKey.objects.count()
    for shop in ("", "x", "00000000-0000-7000-8000-000000000000"):
        assert Client().post("/sandbox/gifts", {"shop": shop}).status_code == 404
    assert Client(enforce_csrf_checks=True).post("/sandbox/gifts", {"shop": str(mall.shop.pk)}).status_code == 403
    assert ShopKey.objects.count() == before
