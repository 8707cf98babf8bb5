"""The programme's pages: what can be given away, what it may cost, who sells it, and gifts under review."""

import re

import pytest
from django.test import Client

from people.models import Person
from rewards.models import Account, Campaign, ReviewItem, Shop, ShopKey
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, person
from tests.rewards.conftest import Mall, claim, earn, give, sell, till

LISTS = ("shop", "campaign", "offer", "earningrule", "allowance", "gift", "lateconflict", "transfer", "badgerule")


@pytest.fixture
def admin(quiet_cast: Cast) -> Client:
    return signed_in(person("E11", "Ada Aarts", "administrator"))


@pytest.fixture
def manager(quiet_cast: Cast) -> Client:
    return signed_in(person("E12", "Petra Prins", "programme_manager"))


@pytest.fixture
def alice(quiet_cast: Cast) -> Person:
    earn(quiet_cast.alice, 100)
    return quiet_cast.alice


def act(client: Client, action: str, gift_id: str) -> int:
    path = "/admin/rewards/gift/"
    return client.post(path, {"action": action, "_selected_action": gift_id}).status_code


def test_every_page_opens_for_the_programme(manager: Client, alice: Person, quiet_mall: Mall) -> None:
    gift = give(alice, quiet_mall.coffee)
    for name in LISTS:
        assert manager.get(f"/admin/rewards/{name}/").status_code == 200, name
    page = manager.get(f"/admin/rewards/gift/{gift['id']}/change/").content.decode()
    assert gift["link"].rsplit("/", 1)[1] not in page
    assert signed_in(alice).get("/admin/rewards/gift/").status_code in {302, 403}


def test_a_new_shop_gets_its_account_and_a_key_that_is_shown_once(admin: Client, alice: Person, quiet_mall: Mall) -> None:
    inline = {f"keys-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    assert admin.post("/admin/rewards/shop/add/", {"name": "Bioscoop", "is_active": "on", **inline}).status_code == 302
    shop = Shop.objects.get(name="Bioscoop")
    assert shop.account.kind == "shop"
    said = admin.post(
        "/admin/rewards/shop/", {"action": "new_key", "_selected_action": str(shop.pk)}, follow=True
    ).content.decode()
    [key] = re.findall(r"till_[\w-]{43}", said)
    assert bytes(ShopKey.objects.get(shop=shop).digest) == ShopKey.digest_of(key)
    assert key not in admin.get(f"/admin/rewards/shop/{shop.pk}/change/").content.decode()
    quiet_mall.coffee.shops.add(shop)
    assert sell(till(key), claim(give(alice, quiet_mall.coffee)["link"]), 100).status_code == 201


def test_a_budget_grows_by_a_transfer_and_never_shrinks_below_what_is_committed(
    admin: Client, alice: Person, quiet_mall: Mall
) -> None:
    give(alice, quiet_mall.coffee)
    campaign = quiet_mall.campaign
    path = f"/admin/rewards/campaign/{campaign.pk}/change/"
    form = {"name": campaign.name, "starts_on": "2026-01-01", "ends_on": "2030-12-31", "is_active": "on"}
    assert admin.post(path, {**form, "add_cents": "5000"}).status_code == 302
    assert Account.objects.get(pk=campaign.budget_id).balance == 104_500
    assert admin.post(path, {**form, "add_cents": "-104501"}).status_code == 200
    assert Account.objects.get(pk=campaign.budget_id).balance == 104_500
    assert admin.post("/admin/rewards/campaign/add/", {**form, "name": "Lente", "add_cents": "70"}).status_code == 302
    assert Campaign.objects.get(name="Lente").budget.balance == 70


def test_the_desk_looks_and_does_not_review(quiet_cast: Cast, alice: Person, quiet_mall: Mall) -> None:
    gift = give(alice, quiet_mall.coffee)
    act(signed_in(quiet_cast.dana), "put_on_review_list", gift["id"])
    assert ReviewItem.objects.count() == 0
