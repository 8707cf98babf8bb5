"""What looks odd comes on the review list with its reason, each finding once; and nothing is blocked by it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.celery import app
from people.models import Person
from rewards import suspicions, tasks
from rewards.models import ColleagueDigest, Gift, Offer, ReviewItem, Shop
from tests.conftest import Cast, api, later, person, post
from tests.rewards.conftest import Mall, claim, earn, give, make_offer, sell

FRIEND = "friend@elsewhere.example"


def thank(who: Person, whom: Person, credits_: int, key: str = "thanks-01") -> None:
    body = {"colleague_id": str(whom.pk), "note": "Dank!", "credits": credits_}
    assert post(api(who), "/kudos", body, key=key).status_code == 201


def found() -> list[str]:
    tasks.find_for_review()
    return sorted(ReviewItem.objects.values_list("reason", flat=True))


@pytest.fixture
def named(quiet_mall: Mall) -> Offer:
    """An offer whose claim asks who the friend is."""
    return make_offer(quiet_mall.campaign, Shop.objects.get(), "bon", per_recipient_max=50)


@pytest.fixture
def three(quiet_cast: Cast) -> list[Person]:
    tasks.sweep()
    return [quiet_cast.alice, quiet_cast.bob, quiet_cast.charlie]


def test_three_who_pass_credits_round_are_one_ring_wherever_it_began(three: list[Person]) -> None:
    alice, bob, charlie = three
    thank(bob, charlie, 10)
    thank(charlie, alice, 12)
    assert found() == []
    thank(alice, bob, 10)
    assert found() == found() == ["ring"]
    item = ReviewItem.objects.get()
    assert set(item.people) == {who.pk for who in three}
    assert (item.numbers, len(item.kudos), item.state) == ({"credits": 32, "days": 30}, 3, "open")


def ring(people: list[Person], key: str = "thanks-01") -> None:
    """Each gives the next one ten credits, the last one the first."""
    for who, whom in zip(people, [*people[1:], people[0]], strict=True):
        thank(who, whom, 10, key)


@pytest.mark.parametrize(("count", "expected"), [(4, ["ring"]), (5, ["ring"]), (6, ["ring"]), (7, [])])
def test_a_ring_of_up_to_six_is_found_once_in_the_order_in_which_they_gave(
    quiet_cast: Cast, count: int, expected: list[str]
) -> None:
    people = crowd(count)
    shuffled = people[::2] + people[1::2][::-1]
    tasks.sweep()
    ring(shuffled)
    assert found() == found() == expected
    for item in ReviewItem.objects.all():
        start = shuffled.index(next(who for who in shuffled if who.pk == item.people[0]))
        assert item.people == [who.pk for who in shuffled[start:] + shuffled[:start]]
        assert (item.numbers["credits"], len(item.kudos)) == (10 * count, count)


def test_a_ring_with_a_gap_or_a_small_step_is_none(quiet_cast: Cast) -> None:
    first, *others, last = crowd(5)
    tasks.sweep()
    for who, whom in zip([first, *others], [*others, last], strict=True):
        thank(who, whom, 10)
    thank(last, first, 9)
    assert found() == []
    thank(last, first, 1, "thanks-02")
    assert found() == ["ring"]


def test_of_rings_that_share_an_exchange_the_shortest_is_told_and_nobody_in_one_is_left_out(quiet_cast: Cast) -> None:
    people = crowd(5)
    tasks.sweep()
    ring(people)
    thank(people[2], people[0], 10, "thanks-02")
    assert found() == ["ring", "ring"]
    assert sorted(len(item.people) for item in ReviewItem.objects.all()) == [3, 5]


def test_a_team_in_which_all_give_to_all_is_told_by_its_smallest_rings_alone(quiet_cast: Cast, named: Offer) -> None:
    people = crowd(6)
    suspicions.remember_addresses()
    for who in people:
        for number, whom in enumerate(people):
            if whom != who:
                earn(who, 10, f"for-{number}")
                claim(give(who, named, f"gift-{number:04}")["link"], recipient=str(whom.mobile))
    assert {item.reason: len(item.people) for item in ReviewItem.objects.all()} == {}
    found()
    sizes = [len(item.people) for item in ReviewItem.objects.filter(reason="ring")]
    assert set(sizes) == {3}
    assert len(sizes) == 40


def test_a_pair_that_gives_each_other_is_found_and_a_small_favour_is_not(three: list[Person]) -> None:
    alice, bob, charlie = three
    thank(alice, bob, 15)
    thank(bob, alice, 10)
    thank(alice, charlie, 10, "thanks-02")
    thank(charlie, alice, 9)
    assert found() == found() == ["reciprocal"]
    assert set(ReviewItem.objects.get().people) == {alice.pk, bob.pk}


def test_what_lies_more_than_thirty_days_apart_is_no_exchange(three: list[Person]) -> None:
    alice, bob, _charlie = three
    thank(alice, bob, 15)
    later(days=31)
    tasks.sweep()
    thank(bob, alice, 15)
    assert found() == []


def test_new_evidence_joins_an_open_finding_and_a_new_month_is_a_new_one(three: list[Person]) -> None:
    alice, bob, _charlie = three
    thank(alice, bob, 10)
    thank(bob, alice, 10)
    assert found() == ["reciprocal"]
    thank(alice, bob, 12, "thanks-02")
    assert found() == ["reciprocal"]
    item = ReviewItem.objects.get()
    assert (len(item.kudos), item.numbers["credits"], item.version) == (3, 32, 2)
    ReviewItem.objects.update(state="released")
    thank(bob, alice, 2, "thanks-02")
    assert found() == ["reciprocal"]
    assert len(ReviewItem.objects.get().kudos) == 3
    later(days=28)
    tasks.sweep()
    thank(alice, bob, 10, "thanks-03")
    assert found() == ["reciprocal", "reciprocal"]


def test_a_gift_claimed_with_a_colleagues_address_counts_as_given_to_them(
    three: list[Person], quiet_cast: Cast, named: Offer
) -> None:
    alice, bob, _charlie = three
    suspicions.remember_addresses()
    claim(give(alice, named)["link"], recipient=str(bob.email))
    thank(bob, alice, 10)
    assert found() == ["reciprocal"]
    assert ReviewItem.objects.get().gifts == [Gift.objects.get().pk]


def test_a_claim_with_an_address_that_is_the_givers_is_found_also_when_hr_learns_of_it_later(
    three: list[Person], named: Offer
) -> None:
    alice, bob, _charlie = three
    claim(give(alice, named)["link"], recipient=FRIEND)
    claim(give(bob, named)["link"], recipient="other@elsewhere.example")
    assert found() == []
    alice.email = FRIEND
    alice.save()
    assert found() == found() == ["own_gift"]
    alice.email = None
    alice.save()
    assert found() == ["own_gift"]
    item = ReviewItem.objects.get()
    assert (item.people, item.gifts) == ([alice.pk], [Gift.objects.get(giver=alice).pk])


def crowd(count: int) -> list[Person]:
    people = [person(f"E{50 + number}", f"Persoon{number} Pas", mail=False) for number in range(count)]
    for who in people:
        earn(who, 50)
    return people


def test_five_givers_of_one_friend_are_found_and_four_are_a_family(quiet_cast: Cast, named: Offer) -> None:
    *four, fifth = crowd(5)
    for who in four:
        claim(give(who, named)["link"], recipient=FRIEND)
    claim(give(four[0], named, key="gift-0002")["link"], recipient=FRIEND)
    assert found() == []
    claim(give(fifth, named)["link"], recipient=FRIEND.upper())
    assert found() == found() == ["many_givers"]
    item = ReviewItem.objects.get()
    assert (item.numbers["count"], len(item.people), len(item.gifts)) == (5, 5, 6)
    assert FRIEND not in str(vars(item))


def test_a_redemption_itself_finds_five_gifts_on_one_receipt_and_the_last_still_works(
    quiet_cast: Cast, quiet_mall: Mall, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[str, tuple[Any, ...]]] = []
    monkeypatch.setattr("backend.ring._publish", lambda task, args: rung.append((task, args)))
    codes = [claim(give(who, quiet_mall.coffee)["link"]) for who in crowd(5)]
    for number, code in enumerate(codes):
        with django_capture_on_commit_callbacks(execute=True):
            assert sell(quiet_mall.till, code, 100, "bon-1").status_code == 201
        [(task, args)] = [call for call in rung if call[0] == "rewards.tasks.review_redeemed"]
        rung.clear()
        app.tasks[task](*args)
        assert ReviewItem.objects.count() == (number == 4)
    assert ReviewItem.objects.get().reason == "one_receipt"
    assert found() == ["one_receipt"]
    assert sell(quiet_mall.till, codes[0], 100, "bon-2").status_code == 201


def test_the_same_receipt_number_on_another_day_is_another_receipt(quiet_cast: Cast, quiet_mall: Mall) -> None:
    for number, who in enumerate(crowd(5)):
        if number == 3:
            later(days=1)
        assert sell(quiet_mall.till, claim(give(who, quiet_mall.coffee)["link"]), 100, "bon-1").status_code == 201
    assert found() == []


def test_a_refresh_is_one_query_a_kind_and_addresses_of_leavers_go(three: list[Person]) -> None:
    tasks.find_for_review()
    with CaptureQueriesContext(connection) as queries:
        tasks.find_for_review()
    assert len([query for query in queries if "INSERT INTO rewards_reviewitem" in query["sql"]]) == 5
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 5 + 3
    before = ColleagueDigest.objects.count()
    Person.objects.filter(pk=three[1].pk).update(left_on="2026-01-01")
    tasks.find_for_review()
    assert before - ColleagueDigest.objects.count() == 2
