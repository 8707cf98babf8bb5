"""A limit that the back office sets after hand-outs counts them, whatever happens meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.forms.models import model_to_dict
from django.test import Client

from people.models import Person, Team
from rewards import checks, limits, tasks
from rewards.models import Campaign, Counter, Gift, Offer
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, api, in_parallel, later, person, post
from tests.rewards.conftest import Mall, claim, earn, give, make_offer, path_of

FRIEND = "vriend@elders.example"
CAMPAIGN, OFFER = ("gifts_max", "gifts_per_giver_max", "gifts_per_team_max"), ("stock", "per_giver_max")


def set_limits(admin: Client, what: Campaign | Offer, **limits_: Any) -> None:
    """By the form of the back office; the others stay as they are."""
    what.refresh_from_db()
    fields = {**model_to_dict(what), **limits_}
    if isinstance(what, Offer):
        fields["shops"] = [str(shop.pk) for shop in what.shops.all()]
    sent = {name: "on" if value is True else value for name, value in fields.items() if value not in (None, False, "")}
    response = admin.post(f"/admin/rewards/{what._meta.model_name}/{what.pk}/change/", sent)
    assert response.status_code == 302, response.content.decode()


def hand_out(who: Person, offer: Offer, key: str) -> int:
    answer = post(api(who), "/gifts", {"offer_id": str(offer.pk)}, key=f"gift-{key}")
    assert answer.status_code == 201 or answer.json()["code"] == "limit_reached"
    return int(answer.status_code)


def set_up(cast: Cast) -> Client:
    team = Team.objects.create(name="Winkels")
    for who in (cast.alice, cast.bob):
        who.team = team
        who.save()
        earn(who, 1000)
    return signed_in(person("E11", "Ada Aarts", "administrator"))


@pytest.fixture
def admin(quiet_cast: Cast) -> Client:
    return set_up(quiet_cast)


@pytest.mark.parametrize("limit", [*CAMPAIGN, *OFFER])
def test_what_was_handed_out_before_counts_and_taking_it_back_frees_one_place(
    admin: Client, quiet_cast: Cast, quiet_mall: Mall, limit: str
) -> None:
    alice, coffee = quiet_cast.alice, quiet_mall.coffee
    older = [give(alice, coffee, f"older-{number:03}")["id"] for number in range(4)]
    assert post(api(alice), f"/gifts/{older[3]}/cancel").status_code == 200
    set_limits(admin, quiet_mall.campaign if limit in CAMPAIGN else coffee, **{limit: 3})
    assert hand_out(alice, coffee, "0001") == 409
    assert post(api(alice), f"/gifts/{older[0]}/cancel").status_code == 200
    assert [hand_out(alice, coffee, key) for key in ("0002", "0003")] == [201, 409]
    assert checks.violations() == []


def test_a_claimed_gift_counts_and_one_that_nobody_claimed_in_time_does_not(
    admin: Client, quiet_cast: Cast, quiet_mall: Mall
) -> None:
    links = [give(quiet_cast.alice, quiet_mall.coffee, f"older-{number:03}")["link"] for number in range(2)]
    claim(links[0])
    later(days=40)
    tasks.sweep()
    set_limits(admin, quiet_mall.coffee, stock=2)
    earn(quiet_cast.alice, 100, "later")
    assert [hand_out(quiet_cast.alice, quiet_mall.coffee, key) for key in ("0001", "0002")] == [201, 409]


def test_a_limit_counts_what_was_handed_out_while_it_was_lifted_and_no_other_offer(
    admin: Client, quiet_cast: Cast, quiet_mall: Mall
) -> None:
    alice, coffee = quiet_cast.alice, quiet_mall.coffee
    tea = make_offer(quiet_mall.campaign, quiet_mall.shop, "thee", stock=1)
    set_limits(admin, coffee, stock=1)
    assert hand_out(alice, coffee, "0001") == hand_out(alice, tea, "0002") == 201
    set_limits(admin, coffee, stock="")
    assert hand_out(alice, coffee, "0003") == 201
    set_limits(admin, coffee, stock=3)
    assert [hand_out(alice, coffee, key) for key in ("0004", "0005")] == [201, 409]
    assert hand_out(alice, tea, "0006") == 409


def test_a_giver_who_changes_teams_frees_a_place_of_the_team_that_gave(
    admin: Client, quiet_cast: Cast, quiet_mall: Mall
) -> None:
    alice, bob, coffee = quiet_cast.alice, quiet_cast.bob, quiet_mall.coffee
    set_limits(admin, quiet_mall.campaign, gifts_per_team_max=1)
    gift = give(alice, coffee)
    alice.team = Team.objects.create(name="Factuur")
    alice.save()
    assert hand_out(bob, coffee, "0001") == 409
    post(api(alice), f"/gifts/{gift['id']}/cancel")
    assert hand_out(bob, coffee, "0002") == 201


def test_a_limit_of_a_pair_that_is_set_later_counts_what_the_recipients_limit_knew(
    admin: Client, quiet_cast: Cast, quiet_mall: Mall
) -> None:
    set_limits(admin, quiet_mall.coffee, per_recipient_max=5)
    first, second = (give(quiet_cast.alice, quiet_mall.coffee, f"gift-{number:04}")["link"] for number in range(2))
    claim(first, recipient=FRIEND)
    set_limits(admin, quiet_mall.coffee, per_pair_max=1)
    assert Client().post(path_of(second), {"recipient": FRIEND}).status_code == 409
    claim(give(quiet_cast.bob, quiet_mall.coffee)["link"], recipient=FRIEND)


def test_a_counter_that_lies_is_found(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 100)
    quiet_mall.coffee.stock = 3
    quiet_mall.coffee.save()
    give(quiet_cast.alice, quiet_mall.coffee)
    for lie, found in ((2, "has counted 2, its gifts are 1"), (1, "")):
        Counter.objects.filter(scope=f"offer:{quiet_mall.coffee.pk}:stock").update(used=lie)
        assert found in "".join(checks.violations())
    assert checks.violations() == []


def test_hand_outs_and_cancels_that_race_with_the_setting_are_counted(cast: Cast, mall: Mall) -> None:
    """Twelve at once, a third of them taking back; in the midst of them the limits are set."""
    admin = set_up(cast)
    for round_ in range(4):
        older = [give(cast.bob, mall.coffee, f"older-{round_}-{number}")["id"] for number in range(4)]

        def act(number: int, round_: int = round_, older: list[str] = older) -> Any:
            if number == 0:
                return set_limits(admin, mall.coffee, stock=10_000, per_giver_max=10_000)
            if number == 1:
                return set_limits(admin, mall.campaign, gifts_max=10_000, gifts_per_team_max=10_000)
            if number < 6:
                return post(api(cast.bob), f"/gifts/{older[number - 2]}/cancel").status_code
            return hand_out(cast.alice if number % 2 else cast.bob, mall.coffee, f"{round_}-{number:04}")

        assert in_parallel(12, act) == [None, None, *[200] * 4, *[201] * 6]
        assert checks.violations() == []
        assert limits.used(f"offer:{mall.coffee.pk}:stock") == 6 * (round_ + 1)
        set_limits(admin, mall.coffee, stock="", per_giver_max="")
        set_limits(admin, mall.campaign, gifts_max="", gifts_per_team_max="")


@pytest.mark.parametrize("what", ["hand_out", "cancel"])
def test_who_read_the_limits_before_they_were_set_and_pays_after_is_counted(cast: Cast, mall: Mall, what: str) -> None:
    """The other waits for the budget, or for the campaign, with the old limits in its hands."""
    admin = set_up(cast)
    older = give(cast.alice, mall.coffee)["id"]

    def act(number: int) -> int | None:
        if number:
            assert is_setting.wait(5)
            if what == "cancel":
                return int(post(api(cast.alice), f"/gifts/{older}/cancel").status_code)
            return hand_out(cast.alice, mall.coffee, "0002")
        with transaction.atomic():
            set_limits(admin, mall.coffee, stock=1)
            is_setting.set()
            wait_until(somebody_waits)
        return None

    is_setting = threading.Event()
    assert in_parallel(2, act) == [None, 409 if what == "hand_out" else 200]
    assert Gift.objects.filter(state="handed_out").count() == (1 if what == "hand_out" else 0)
    assert checks.violations() == []


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 2.5
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)
