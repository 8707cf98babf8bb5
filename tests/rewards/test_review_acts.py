"""A manager freezes, releases or reverses a finding: with a reason that is kept, once, and told to whom it is about."""

import re
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from backend import clock
from notifications.models import Notification
from people.models import Person
from rewards import tasks
from rewards.models import Account, Gift, Kudos, Redemption, ReviewAct, ReviewItem, Transfer
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, api, in_parallel, later, person, post
from tests.rewards.conftest import Mall, available, claim, earn, give, path_of, sell
from tests.rewards.test_review_findings import thank

LIST = "/admin/rewards/reviewitem/"


def manager() -> Client:
    return signed_in(person("E12", "Petra Prins", "programme_manager"))


def listed(client: Client, *gift_ids: str) -> ReviewItem:
    """Put on the list from the page of gifts."""
    body = {"action": "put_on_review_list", "_selected_action": list(gift_ids)}
    assert client.post("/admin/rewards/gift/", body).status_code == 302
    return ReviewItem.objects.latest("id")


def press(client: Client, item: ReviewItem, act: str, why: str = "Gezien, klopt niet.", version: int = 0) -> str:
    """A button on the finding's page; what the page says then."""
    current = version or ReviewItem.objects.get(pk=item.pk).version
    body = {"act": act, "why": why, "version": current}
    return client.post(f"{LIST}{item.pk}/act/", body, follow=True).content.decode()


def frozen() -> list[bool]:
    return [gift.frozen_at is not None for gift in Gift.objects.order_by("id")]


def pair(cast: Cast) -> ReviewItem:
    """Alice gave Bob 15 credits, Bob gave Alice 10."""
    tasks.sweep()
    thank(cast.alice, cast.bob, 15)
    thank(cast.bob, cast.alice, 10)
    tasks.find_for_review()
    return ReviewItem.objects.get()


def test_the_page_says_why_in_both_languages_and_opening_it_changes_nothing(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    english = client.get(f"{LIST}?state__exact=open").content.decode()
    dutch = client.get(f"{LIST}{item.pk}/change/", headers={"Accept-Language": "nl"}).content.decode()
    assert "gave each other credits: 25 within 30 days." in english
    assert "gaven elkaar credits: 25 binnen 30 dagen." in dutch
    assert "Alice Achterberg" in english
    assert client.get(f"{LIST}{item.pk}/act/").status_code == 405
    assert ReviewItem.objects.get().state == "open"
    assert Notification.objects.filter(event__startswith="review").count() == 0


def test_a_frozen_gift_stands_still_from_any_state_and_goes_on_in_the_state_it_had(
    quiet_cast: Cast, quiet_mall: Mall
) -> None:
    alice, client = quiet_cast.alice, manager()
    earn(alice, 100)
    new, claimed, used = (give(alice, quiet_mall.coffee, key=f"gift-{n:04}") for n in range(3))
    code, spent = claim(claimed["link"]), claim(used["link"])
    sell(quiet_mall.till, spent, 500)
    item = listed(client, new["id"], claimed["id"], used["id"])
    assert sell(quiet_mall.till, code, 100, "r-2").status_code == 201
    press(client, item, "freeze")
    assert sell(quiet_mall.till, code, 100, "r-3").json()["code"] == "voucher_void"
    assert api(alice).get(f"/api/v1/gifts/{new['id']}").json()["state"] == "frozen"
    assert post(api(alice), f"/gifts/{new['id']}/cancel").json()["code"] == "gift_gone"
    Client().post(path_of(new["link"]), {"action": "claim"})
    later(days=31)
    tasks.sweep()
    assert [gift.state for gift in Gift.objects.order_by("id")] == ["handed_out", "part_redeemed", "redeemed"]
    press(client, item, "release")
    assert frozen() == [False] * 3
    assert [gift.state for gift in Gift.objects.order_by("id")] == ["handed_out", "part_redeemed", "redeemed"]
    assert sell(quiet_mall.till, code, 100, "r-4").status_code == 201
    assert [act.act for act in ReviewAct.objects.all()] == ["list", "freeze", "release"]


def test_a_reversed_finding_voids_what_is_left_once_and_leaves_alone_what_is_over(
    quiet_cast: Cast, quiet_mall: Mall
) -> None:
    alice, client = quiet_cast.alice, manager()
    earn(alice, 100)
    new, claimed, used = (give(alice, quiet_mall.coffee, key=f"gift-{n:04}") for n in range(3))
    code, spent = claim(claimed["link"]), claim(used["link"])
    sell(quiet_mall.till, code, 100)
    sell(quiet_mall.till, spent, 500)
    item = listed(client, new["id"], claimed["id"], used["id"])
    press(client, item, "freeze")
    press(client, item, "reverse")
    moved = Transfer.objects.count()
    page = press(client, item, "reverse")
    assert "Look again" in page
    assert Transfer.objects.count() == moved
    assert [gift.state for gift in Gift.objects.order_by("id")] == ["cancelled", "cancelled", "redeemed"]
    assert frozen() == [False] * 3
    assert ReviewAct.objects.get(act="reverse").left_alone == [Gift.objects.order_by("id")[2].pk]
    assert available(alice) == 80
    assert Account.objects.get(pk=quiet_mall.campaign.budget_id).balance == 100_000 - 600
    assert sell(quiet_mall.till, code, 100, "r-9").json()["code"] == "voucher_void"


def test_a_till_in_the_middle_of_a_sale_is_waited_for(quiet_cast: Cast, quiet_mall: Mall) -> None:
    client = manager()
    earn(quiet_cast.alice, 100)
    gift = give(quiet_cast.alice, quiet_mall.coffee)
    code = claim(gift["link"])
    post(quiet_mall.till, "/till/reservations", {"code": code, "amount_cents": 100, "receipt": "r-1"})
    item = listed(client, gift["id"])
    assert Account.objects.filter(held__gt=0, kind="gift").count() == 1
    assert "ten minutes" in press(client, item, "reverse")
    assert (ReviewItem.objects.get().state, ReviewAct.objects.filter(act="reverse").count()) == ("open", 0)
    later(minutes=10)
    tasks.sweep()
    press(client, item, "reverse")
    assert Gift.objects.get().state == "cancelled"


def test_what_was_reserved_before_a_freeze_is_not_sold_after_it_and_lapses(quiet_cast: Cast, quiet_mall: Mall) -> None:
    client, shop = manager(), quiet_mall.till
    earn(quiet_cast.alice, 100)
    gift = give(quiet_cast.alice, quiet_mall.coffee)
    code = claim(gift["link"])
    reserved = post(shop, "/till/reservations", {"code": code, "amount_cents": 100, "receipt": "r-1"}).json()
    sold = post(shop, "/till/reservations", {"code": code, "amount_cents": 50, "receipt": "r-2"}).json()
    assert post(shop, f"/till/redemptions/{sold['id']}/capture").status_code == 200
    item = listed(client, gift["id"])
    press(client, item, "freeze")
    assert post(shop, f"/till/redemptions/{reserved['id']}/capture").json()["code"] == "voucher_void"
    assert sell(shop, code, 100, "r-1").json()["code"] == "voucher_void"
    late = {"code": code, "amount_cents": 100, "receipt": "r-1", "sold_at": clock.now().isoformat()}
    assert post(shop, "/till/sales/late", {"sales": [late]}).json()["results"][0]["reason"] == "voucher_void"
    assert post(shop, f"/till/redemptions/{sold['id']}/capture").json()["captured_cents"] == 50
    later(minutes=10)
    tasks.sweep()
    assert sorted(Redemption.objects.values_list("state", "captured_cents")) == [("captured", 50), ("expired", 0)]
    press(client, item, "release")
    assert post(shop, f"/till/redemptions/{reserved['id']}/capture").json()["code"] == "not_reserved"
    assert sell(shop, code, 450, "r-3").status_code == 201


def test_credits_of_kudos_are_held_and_then_go_back_once_as_far_as_they_are_left(
    quiet_cast: Cast, quiet_mall: Mall
) -> None:
    alice, bob, client = quiet_cast.alice, quiet_cast.bob, manager()
    item = pair(quiet_cast)
    assert (available(alice), available(bob)) == (95, 105)
    for number in range(9):
        give(bob, quiet_mall.coffee, key=f"gift-{number:04}")
    give(alice, quiet_mall.coffee)
    assert (available(alice), available(bob)) == (85, 15)
    press(client, item, "freeze")
    assert (available(alice), available(bob)) == (75, 0)
    press(client, item, "reverse")
    press(client, item, "reverse")
    assert Kudos.objects.filter(reversed_at__isnull=False).count() == 2
    assert sum(Transfer.objects.filter(reason="correction").values_list("amount", flat=True)) == 25
    assert (available(alice), available(bob)) == (90, 10)


def test_kudos_that_two_findings_are_about_go_back_once(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    same = {name: getattr(item, name) for name in ("people", "kudos", "numbers", "found_at")}
    other = ReviewItem.objects.create(key="x", reason="ring", **same)
    for each in (item, other):
        press(client, each, "freeze")
    assert (available(quiet_cast.alice), available(quiet_cast.bob)) == (85, 90)
    press(client, other, "reverse")
    press(client, item, "reverse")
    assert set(ReviewItem.objects.values_list("state", flat=True)) == {"reversed"}
    assert Transfer.objects.filter(reason="correction").count() == 2
    assert (available(quiet_cast.alice), available(quiet_cast.bob)) == (100, 100)


def test_released_credits_are_free_again(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    press(client, item, "freeze")
    assert (available(quiet_cast.alice), available(quiet_cast.bob)) == (85, 90)
    press(client, item, "release")
    assert (available(quiet_cast.alice), available(quiet_cast.bob)) == (95, 105)
    assert not Transfer.objects.filter(reason="correction").exists()


def test_credits_of_an_allowance_that_is_over_lapse_when_they_go_back(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    later(days=31)
    press(client, item, "reverse")
    tasks.sweep()
    assert (available(quiet_cast.alice), available(quiet_cast.bob)) == (100, 100)


def test_two_findings_about_one_gift_keep_it_frozen_until_both_let_go(quiet_cast: Cast, quiet_mall: Mall) -> None:
    client = manager()
    earn(quiet_cast.alice, 100)
    gift = give(quiet_cast.alice, quiet_mall.coffee)
    first, second = listed(client, gift["id"]), listed(client, gift["id"])
    press(client, first, "freeze")
    press(client, second, "freeze")
    press(client, first, "release")
    assert frozen() == [True]
    press(client, second, "release")
    assert frozen() == [False]


def test_of_two_managers_at_once_one_gets_it(cast: Cast, mall: Mall) -> None:
    earn(cast.alice, 100)
    clients = [manager(), signed_in(person("E13", "Piet Post", "administrator"))]
    item = listed(clients[0], give(cast.alice, mall.coffee)["id"])
    acts = ("freeze", "reverse") * 4
    pages = in_parallel(8, lambda n: press(clients[n % 2], item, acts[n], version=item.version))
    assert not [page for page in pages if isinstance(page, Exception)]
    assert sum("Done." in page for page in pages) == 1
    assert sum("Look again" in page for page in pages) == 7
    assert ReviewAct.objects.exclude(act="list").count() == 1


def test_who_looked_at_an_older_page_is_told_to_look_again(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    thank(quiet_cast.alice, quiet_cast.bob, 5, "thanks-02")
    tasks.find_for_review()
    assert "Look again" in press(client, item, "freeze", version=item.version)
    assert ReviewItem.objects.get().state == "open"
    press(client, item, "freeze")
    thank(quiet_cast.bob, quiet_cast.alice, 5, "thanks-02")
    tasks.find_for_review()
    assert available(quiet_cast.alice) == 100 - 20 + 5
    press(client, item, "freeze")
    assert available(quiet_cast.alice) == 100 - 20
    assert len(ReviewItem.objects.get().kudos) == 4


@pytest.mark.parametrize("why", ["", "   ", "x" * 501])
def test_without_a_reason_nothing_happens(why: str, quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    press(client, item, "freeze", why)
    assert (ReviewItem.objects.get().state, ReviewAct.objects.count()) == ("open", 0)
    assert available(quiet_cast.alice) == 95


def test_nobody_decides_on_their_own_finding_and_only_the_programme_decides(quiet_cast: Cast) -> None:
    item = pair(quiet_cast)
    Person.objects.filter(pk=quiet_cast.alice.pk).update(roles=["employee", "programme_manager"])
    mine = signed_in(Person.objects.get(pk=quiet_cast.alice.pk))
    assert "about you" in press(mine, item, "release")
    desk = signed_in(quiet_cast.dana)
    assert desk.get(LIST).status_code == 403
    assert desk.post(f"{LIST}{item.pk}/act/", {"act": "freeze", "why": "x", "version": 1}).status_code == 403
    assert signed_in(quiet_cast.charlie).get(LIST).status_code in {302, 403}
    assert manager().post(f"{LIST}{item.pk}/act/", {"act": "burn", "why": "x", "version": 1}).status_code == 400
    assert (ReviewItem.objects.get().state, ReviewAct.objects.count()) == ("open", 0)


def test_what_was_decided_stays_written_with_who_when_and_why(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    press(client, item, "freeze", "Eerst navragen.")
    act = ReviewAct.objects.get()
    assert (act.actor.name, act.act, act.reason) == ("Petra Prins", "freeze", "Eerst navragen.")
    assert "Eerst navragen." in client.get(f"{LIST}{item.pk}/change/").content.decode()
    for sql in ("UPDATE rewards_reviewact SET reason = 'x'", "DELETE FROM rewards_reviewact"):
        with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic():
            connection.cursor().execute(sql)


def test_whom_it_is_about_hears_it_and_not_why(quiet_cast: Cast) -> None:
    client, item = manager(), pair(quiet_cast)
    press(client, item, "freeze", "Geheim vermoeden.")
    press(client, item, "release", "Toch niet.")
    told = Notification.objects.filter(event__startswith="review_").order_by("id")
    assert {(row.person_id, row.event) for row in told} == {
        (who.pk, event) for who in (quiet_cast.alice, quiet_cast.bob) for event in ("review_freeze", "review_release")
    }
    assert not re.search("Geheim|Bob", " ".join(row.body for row in told))


def test_the_list_costs_the_same_however_long_it_is(quiet_cast: Cast, django_assert_max_num_queries: Any) -> None:
    client, item = manager(), pair(quiet_cast)
    ReviewItem.objects.bulk_create(
        ReviewItem(key=f"x:{n}", reason="ring", people=item.people, numbers=item.numbers, found_at=item.found_at)
        for n in range(40)
    )
    with django_assert_max_num_queries(6):
        assert client.get(LIST).content.decode().count("Alice Achterberg") == 41


def test_release_at_once_of_two_findings_leaves_nothing_frozen(cast: Cast, mall: Mall) -> None:
    client = manager()
    earn(cast.alice, 100)
    gift = give(cast.alice, mall.coffee)
    items = [listed(client, gift["id"]) for _number in range(2)]
    for item in items:
        press(client, item, "freeze")
    in_parallel(2, lambda number: press(client, items[number], "release"))
    assert frozen() == [False]
