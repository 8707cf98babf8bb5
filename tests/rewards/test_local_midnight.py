"""What ends, ends at local midnight: whatever the server's zone, on days of 23 and 25 hours and on 29 February."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from backend import clock
from people.models import Person
from rewards import days, earning, gifts, ledger, tasks
from rewards.models import Account, Gift
from tests.conftest import Cast, api, post
from tests.rewards.conftest import Mall, available, claim, earn, give, path_of, sell

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ANCHORAGE = ZoneInfo("America/Anchorage")


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two moves of the clock, so that 23:59:59 is not over before the test has acted."""
    moment = clock.real()
    monkeypatch.setattr(clock, "real", lambda: moment)


def at_local(text: str, zone: ZoneInfo = AMSTERDAM) -> datetime:
    """Moves the product's clock to this local time."""
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    clock.move(moment - clock.now())
    return moment


MONTHS = [
    ("2027-01", "2027-01-31"),
    ("2027-03", "2027-03-31"),  # the clock goes forward on the 28th
    ("2027-10", "2027-10-31"),  # and back on this very day
    ("2028-02", "2028-02-29"),
    ("2027-12", "2027-12-31"),
]


@pytest.mark.parametrize(("month", "last_day"), MONTHS)
def test_an_allowance_lives_to_the_last_second_of_its_local_month(
    quiet_cast: Cast, quiet_mall: Mall, month: str, last_day: str
) -> None:
    alice = quiet_cast.alice
    at_local(f"{month}-01T00:00:01")
    tasks.sweep()
    at_local(f"{last_day}T23:59:58")
    tasks.sweep()
    assert available(alice) == 100
    at_local(f"{last_day}T23:59:59")
    give(alice, quiet_mall.coffee)
    assert available(alice) == 90
    clock.move(timedelta(seconds=1))
    assert available(alice) == 0  # although no sweep has been there
    refused = post(api(alice), "/gifts", {"offer_id": str(quiet_mall.coffee.pk)}, key="gift-0002")
    assert refused.json()["code"] == "not_enough_credits"
    for _again in range(3):
        tasks.sweep()
    assert available(alice) == 100
    assert ledger.wallet(alice, clock.now()).held == 10


def test_a_persons_month_ends_in_their_own_time_zone(quiet_cast: Cast, quiet_mall: Mall) -> None:
    mallory = quiet_cast.mallory
    mallory.time_zone = "America/Anchorage"
    mallory.save()
    at_local("2027-02-01T12:00", ANCHORAGE)
    tasks.sweep()
    at_local("2027-03-01T00:00:00")
    tasks.sweep()
    assert Account.objects.filter(person=quiet_cast.alice, kind="allowance").count() == 2
    assert Account.objects.filter(person=mallory, kind="allowance").count() == 1
    assert available(mallory) == 100
    at_local("2027-03-01T00:00:00", ANCHORAGE)
    assert available(mallory) == 0


@pytest.mark.parametrize("last_day", ["2027-03-28", "2027-10-31", "2028-02-29", "2027-06-15"])
def test_an_offer_can_be_handed_out_through_its_last_local_day(quiet_cast: Cast, quiet_mall: Mall, last_day: str) -> None:
    offer = quiet_mall.coffee
    offer.ends_on = date.fromisoformat(last_day)
    offer.save()
    at_local(f"{last_day}T23:59:59")
    earn(quiet_cast.alice, 20)
    give(quiet_cast.alice, offer)
    at_local((offer.ends_on + timedelta(days=1)).isoformat() + "T00:00:00")
    refused = post(api(quiet_cast.alice), "/gifts", {"offer_id": str(offer.pk)}, key="gift-0002")
    assert refused.json()["code"] == "offer_closed"


@pytest.mark.parametrize("claimed_on", ["2027-02-28", "2027-08-02", "2028-01-30"])
def test_a_voucher_counts_through_its_last_local_day(quiet_cast: Cast, quiet_mall: Mall, claimed_on: str) -> None:
    """Claims 30 days before the forward and 90 days before the backward change of the clock; and into 29 February."""
    quiet_mall.coffee.valid_days = 30
    quiet_mall.coffee.save()
    at_local(f"{claimed_on}T23:30")
    earn(quiet_cast.alice, 10)
    gift = give(quiet_cast.alice, quiet_mall.coffee)
    code = claim(gift["link"])
    last_day = date.fromisoformat(claimed_on) + timedelta(days=30)
    assert api(quiet_cast.alice).get(f"/api/v1/gifts/{gift['id']}").json()["ends_on"] == last_day.isoformat()
    at_local(f"{last_day}T23:59:59")
    tasks.sweep()
    assert sell(quiet_mall.till, code, 100).status_code == 201
    at_local(f"{last_day + timedelta(days=1)}T00:00:00")
    refused = sell(quiet_mall.till, code, 100, "r-2")
    assert (refused.status_code, refused.json()["code"]) == (409, "voucher_expired")
    tasks.sweep()
    assert sell(quiet_mall.till, code, 100, "r-3").json()["code"] == "voucher_expired"
    assert Account.objects.get(pk=quiet_mall.campaign.budget_id).balance == 100_000 - 100


def test_an_unclaimed_gift_ends_after_its_thirtieth_local_day_and_its_lapsed_credits_live_once_more(
    quiet_cast: Cast, quiet_mall: Mall
) -> None:
    alice = quiet_cast.alice
    at_local("2027-03-10T09:00")
    tasks.sweep()
    gift = give(alice, quiet_mall.coffee)
    at_local("2027-04-09T23:59:59")
    tasks.sweep()
    assert available(alice) == 100  # April's; March's lapsed, but for the ten that are held
    assert Client().get(path_of(gift["link"])).status_code == 200
    at_local("2027-04-10T00:00:00")
    assert Client().post(path_of(gift["link"])).status_code == 409
    tasks.sweep()
    tasks.sweep()
    assert available(alice) == 110
    at_local("2027-05-10T23:59:59")
    tasks.sweep()
    assert available(alice) == 110
    at_local("2027-05-11T00:00:00")
    assert available(alice) == 100


def test_credits_that_lived_once_more_do_not_live_a_third_time(quiet_cast: Cast, quiet_mall: Mall) -> None:
    alice = quiet_cast.alice
    at_local("2027-03-30T09:00")
    tasks.sweep()
    quiet_mall.coffee.price_credits = 100
    quiet_mall.coffee.save()
    give(alice, quiet_mall.coffee)
    at_local("2027-05-05T09:00")
    tasks.sweep()
    renewed = Account.objects.get(person=alice, is_renewed=True)
    assert renewed.balance == 100
    at_local("2027-06-01T09:00")  # the renewed lot ends first, so it is what the next gift is held on
    quiet_gift = give(alice, quiet_mall.coffee, key="gift-0002")
    assert Account.objects.get(pk=renewed.pk).held == 100
    at_local("2027-07-02T09:00")
    tasks.sweep()
    assert Gift.objects.get(pk=quiet_gift["id"]).state == "unclaimed"
    assert Account.objects.get(pk=renewed.pk).balance == 0
    assert available(alice) == 100  # July's alone


def test_a_cancelled_gifts_credits_keep_their_lots_own_end(quiet_cast: Cast, quiet_mall: Mall) -> None:
    alice = quiet_cast.alice
    at_local("2027-03-30T09:00")
    tasks.sweep()
    gift = give(alice, quiet_mall.coffee)
    at_local("2027-04-02T09:00")
    tasks.sweep()
    gifts.cancel(alice, gift["id"])
    assert available(alice) == 100
    tasks.sweep()
    assert Account.objects.filter(person=alice, is_renewed=True).count() == 0
    assert available(alice) == 100


@pytest.mark.parametrize(
    ("joined_on", "credits_"),
    [(None, 100), ("2028-01-15", 100), ("2028-02-01", 100), ("2028-02-15", 52), ("2028-02-29", 4), ("2028-03-01", 0)],
)
def test_who_joins_on_the_way_gets_the_rest_of_the_month(quiet_cast: Cast, joined_on: str | None, credits_: int) -> None:
    at_local("2028-02-29T12:00")
    Person.objects.filter(pk=quiet_cast.alice.pk).update(joined_on=joined_on)
    tasks.sweep()
    tasks.sweep()
    assert available(quiet_cast.alice) == credits_


def test_earned_credits_live_a_year_and_to_the_end_of_that_month(quiet_cast: Cast) -> None:
    at_local("2027-02-28T12:00")
    earning.record(quiet_cast.bob, "answered", "round:1")
    at_local("2028-02-29T23:59:59")
    tasks.sweep()
    wallet = ledger.wallet(quiet_cast.bob, clock.now())
    assert wallet.earned == 5
    clock.move(timedelta(seconds=1))
    assert ledger.wallet(quiet_cast.bob, clock.now()).earned == 0


def test_days_have_the_hours_they_have() -> None:
    hours = [
        (days.end_of(date.fromisoformat(day)) - days.start_of(date.fromisoformat(day))) / timedelta(hours=1)
        for day in ("2027-03-28", "2027-10-31", "2027-06-15")
    ]
    assert hours == [23, 25, 24]
    assert days.start_of(date(2028, 3, 1)) == datetime(2028, 2, 29, 23, tzinfo=UTC)
