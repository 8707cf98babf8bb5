"""Each limit stops exactly what it is about, and nothing else; what is cancelled no longer counts."""

from typing import Any

import pytest
from django.test import Client

from people.models import Person, Team
from rewards.models import Gift, Offer
from tests.conftest import Cast, api, later, post
from tests.rewards.conftest import Mall, claim, earn, give, make_offer, path_of, sell

FRIEND, OTHER = "vriend@elders.example", "ander@elders.example"


@pytest.fixture
def givers(quiet_cast: Cast) -> list[Person]:
    """Alice and Bob of one department, Charlie of another; Mallory of none."""
    shops, bills = Team.objects.create(name="Winkels"), Team.objects.create(name="Factuur")
    found = [quiet_cast.alice, quiet_cast.bob, quiet_cast.charlie, quiet_cast.mallory]
    for who, team in zip(found, (shops, shops, bills, None), strict=True):
        who.team = team
        who.save()
        earn(who, 100)
    return found


def hand_out(who: Person, offer: Offer, key: str) -> tuple[int, str]:
    answer = post(api(who), "/gifts", {"offer_id": str(offer.pk)}, key=f"gift-{key}")
    return answer.status_code, answer.json().get("code", "")


REFUSED, DONE = (409, "limit_reached"), (201, "")


def test_a_limit_of_a_giver_is_that_givers_and_that_offers(quiet_mall: Mall, givers: list[Person]) -> None:
    alice, bob, *_others = givers
    quiet_mall.coffee.per_giver_max = 1
    quiet_mall.coffee.save()
    tea = make_offer(quiet_mall.campaign, quiet_mall.shop, "thee")
    assert hand_out(alice, quiet_mall.coffee, "0001") == DONE
    assert hand_out(alice, quiet_mall.coffee, "0002") == REFUSED
    assert hand_out(alice, tea, "0003") == hand_out(bob, quiet_mall.coffee, "0001") == DONE
    post(api(alice), f"/gifts/{Gift.objects.get(giver=alice, offer=quiet_mall.coffee).pk}/cancel")
    assert hand_out(alice, quiet_mall.coffee, "0004") == DONE
    assert api(alice).get("/api/v1/wallet").json()["held"] == 20


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"gifts_max": 2}, [DONE, DONE, REFUSED, REFUSED, REFUSED]),
        ({"gifts_per_giver_max": 1}, [DONE, REFUSED, DONE, DONE, DONE]),
        ({"gifts_per_team_max": 2}, [DONE, DONE, REFUSED, DONE, DONE]),
    ],
)
def test_a_campaigns_limits_count_over_its_offers(
    quiet_mall: Mall, givers: list[Person], limit: dict[str, int], expected: list[tuple[int, str]]
) -> None:
    """Alice twice, then Bob of her department, Charlie of another and Mallory of none."""
    alice, bob, charlie, mallory = givers
    tea = make_offer(quiet_mall.campaign, quiet_mall.shop, "thee")
    for name, value in limit.items():
        setattr(quiet_mall.campaign, name, value)
    quiet_mall.campaign.save()
    wanted = [(alice, quiet_mall.coffee), (alice, tea), (bob, quiet_mall.coffee), (charlie, tea), (mallory, tea)]
    heard = [hand_out(who, offer, f"{number:04}") for number, (who, offer) in enumerate(wanted)]
    assert heard == expected
    assert Gift.objects.count() == expected.count(DONE)


def test_a_limit_of_a_recipient_counts_what_one_friend_claims_from_everybody(
    quiet_mall: Mall, givers: list[Person]
) -> None:
    quiet_mall.coffee.per_recipient_max = 2
    quiet_mall.coffee.save()
    links = [give(who, quiet_mall.coffee)["link"] for who in givers]
    claim(links[0], recipient=FRIEND)
    claim(links[1], recipient=FRIEND)
    assert Client().post(path_of(links[2]), {"recipient": FRIEND}).status_code == 409
    claim(links[2], recipient=OTHER)
    assert Gift.objects.filter(state="claimed").count() == 3


def test_a_limit_of_a_pair_counts_what_one_friend_claims_from_one_giver(quiet_mall: Mall, givers: list[Person]) -> None:
    alice, bob, *_others = givers
    quiet_mall.coffee.per_pair_max = 1
    quiet_mall.coffee.save()
    first, second = (give(alice, quiet_mall.coffee, f"gift-{number:04}")["link"] for number in range(2))
    claim(first, recipient=FRIEND)
    assert Client().post(path_of(second), {"recipient": FRIEND}).status_code == 409
    claim(second, recipient=OTHER)
    claim(give(bob, quiet_mall.coffee)["link"], recipient=FRIEND)
    assert Gift.objects.filter(state="claimed").count() == 3


@pytest.mark.parametrize("kind", ["fixed", "product"])
def test_a_discount_is_used_once_and_the_till_hears_what_it_is(quiet_mall: Mall, givers: list[Person], kind: str) -> None:
    fields: dict[str, Any] = {"product_code": "8712345", "vat_kind": "discount"} if kind == "product" else {}
    offer = make_offer(quiet_mall.campaign, quiet_mall.shop, "taart", kind=kind, value_cents=700, **fields)
    code = claim(give(givers[0], offer)["link"])
    seen = post(quiet_mall.till, "/till/lookup", {"code": code}).json()
    assert (seen["kind"], seen["product_code"], seen["left_cents"]) == (kind, fields.get("product_code", ""), 700)
    assert seen["vat_kind"] == fields.get("vat_kind", "multi_purpose")
    assert sell(quiet_mall.till, code, 650).status_code == 201
    again = sell(quiet_mall.till, code, 50, "r-2")
    assert (again.status_code, again.json()["code"]) == (409, "voucher_spent")
    assert sell(quiet_mall.till, code, 650).json()["captured_cents"] == 650


def test_an_offer_is_open_on_its_own_days_within_its_campaigns(quiet_mall: Mall, givers: list[Person]) -> None:
    from backend import clock
    from rewards import days

    today = days.day_of(clock.now())
    quiet_mall.coffee.starts_on = quiet_mall.coffee.ends_on = today
    quiet_mall.coffee.save()
    assert hand_out(givers[0], quiet_mall.coffee, "0001") == DONE
    later(days=1)
    assert hand_out(givers[0], quiet_mall.coffee, "0002") == (409, "offer_closed")
    assert api(givers[0]).get("/api/v1/offers").json() == []
