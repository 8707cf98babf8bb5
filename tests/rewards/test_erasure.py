"""A friend or a leaver is forgotten; the books and every report read the same as before."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from backend import clock
from notifications.models import Delivery, Notification
from people.models import Person
from rewards import codes, days, erasure, reports, tasks
from rewards.models import Counter, Gift, Kudos
from tests.conftest import Cast, api, later, post, work
from tests.rewards.conftest import Mall, claim, code_on, earn, give, path_of, sell
from tests.rewards.mixture import live

OOM = "oom@elders.example"
TANTE = "tante@elders.example"


def everything(mall: Mall) -> dict[str, Any]:
    """All reports of all years."""
    found = {"campaign": list(reports.campaign(mall.campaign.pk).rows)}
    for year in range(2025, 2030):
        found[f"discounts {year}"] = list(reports.employee_discounts(year, "nl").rows)
        found[f"lapsed {year}"] = list(reports.lapsed(year).rows)
    return found


def check() -> str:
    said = StringIO()
    call_command("ledger_check", stdout=said)
    return said.getvalue()


def erase(**who: str) -> str:
    said = StringIO()
    call_command("erase", stdout=said, **who)
    return said.getvalue().strip()


@pytest.fixture
def limited(quiet_mall: Mall) -> Mall:
    quiet_mall.coffee.per_recipient_max = 5
    quiet_mall.coffee.per_pair_max = 5
    quiet_mall.coffee.save()
    return quiet_mall


def claimed(giver: Person, mall: Mall, friend: str, number: int = 1) -> dict[str, Any]:
    earn(giver, 10, f"{friend}{number}")
    gift = give(giver, mall.coffee, f"gift-{number:04}", note="Voor mijn zieke oom")
    return {**gift, "code": claim(gift["link"], recipient=friend)}


def test_totals_stay_when_everybody_is_forgotten(cast: Cast, mall: Mall) -> None:
    live(cast, mall)
    before = everything(mall)
    assert len(before["campaign"]) > 10
    for friend in (OOM, "06 12345678", TANTE):
        erasure.erase_friend(friend)
    for who in (cast.alice, cast.bob):
        who.left_on = days.day_of(clock.now())
        who.save()
        erasure.erase_leaver(who)
    assert not Gift.objects.filter(recipient_digest__isnull=False).exists()
    later(days=400)
    erasure.purge()
    clock.reset()
    assert not Gift.objects.exclude(state__in=Gift.RUNNING).exclude(note="").exists()
    assert everything(mall) == before
    assert "the ledger is right" in check()


def test_a_friend_is_forgotten_and_the_voucher_stays_good(quiet_cast: Cast, limited: Mall) -> None:
    hers = claimed(quiet_cast.alice, limited, OOM)
    other = claimed(quiet_cast.bob, limited, TANTE)
    assert Counter.objects.filter(scope__contains=codes.recipient_digest(OOM).hex()[:32]).count() == 2
    assert erase(friend=f" {OOM.upper()}") == "forgot 1"
    assert erase(friend=OOM) == "forgot 0"
    gift = Gift.objects.get(pk=hers["id"])
    assert (gift.note, gift.recipient_digest, gift.state) == ("", None, "claimed")
    assert not Counter.objects.filter(scope__contains=codes.recipient_digest(OOM).hex()[:32]).exists()
    page = Client().get(path_of(hers["link"])).content.decode()
    assert code_on(page) == hers["code"]
    assert "oom" not in page
    assert sell(limited.till, hers["code"], 500).status_code == 201

    stays = Gift.objects.get(pk=other["id"])
    assert (stays.note, bytes(stays.recipient_digest or b"")) == ("Voor mijn zieke oom", codes.recipient_digest(TANTE))
    assert Counter.objects.filter(scope__contains=codes.recipient_digest(TANTE).hex()[:32]).count() == 2


def test_a_friend_who_entered_nothing_shows_the_link(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 20)
    hers = give(quiet_cast.alice, quiet_mall.coffee, note="Voor mijn oom")
    other = give(quiet_cast.alice, quiet_mall.coffee, "gift-0002", note="Voor mijn tante")
    assert erase(link=hers["link"]) == "forgot 1"
    assert [Gift.objects.get(pk=gift["id"]).note for gift in (hers, other)] == ["", "Voor mijn tante"]
    with pytest.raises(CommandError):
        erase(link="https://elders.example/g/abc")
    with pytest.raises(CommandError):
        erase(friend="niemand")


def test_a_leaver_is_forgotten_and_outstanding_gifts_are_honoured(cast: Cast, mall: Mall) -> None:
    alice, bob = cast.alice, cast.bob
    earn(alice, 10)
    gift = give(alice, mall.coffee, note="Tot ziens!")
    code = claim(gift["link"])
    for giver, receiver in ((alice, bob), (bob, alice), (bob, cast.charlie)):
        body = {"colleague_id": str(receiver.pk), "note": "Je redde mijn dag"}
        assert post(api(giver), "/kudos", body, key=f"thank-{giver.pk}-{receiver.pk}").status_code == 201
    work()
    with pytest.raises(CommandError):
        erase(leaver=alice.employee_number)
    assert Kudos.objects.filter(note="").count() == 0
    alice.left_on = days.day_of(clock.now())
    alice.save()
    assert erase(leaver=alice.employee_number) == "forgot 3"
    assert erase(leaver=alice.employee_number) == "forgot 0"
    with pytest.raises(CommandError):
        erase(leaver="E999")

    assert [made.note for made in Kudos.objects.order_by("created_at")] == ["", "", "Je redde mijn dag"]
    for rows in (Notification.objects, Delivery.objects):
        assert rows.filter(body__contains="Je redde mijn dag").count() == 1
    assert Gift.objects.get().note == ""
    assert sell(mall.till, code, 500).status_code == 201
    assert "the ledger is right" in check()


def test_a_friend_is_forgotten_thirty_days_after_the_gifts_last_day(quiet_cast: Cast, limited: Mall) -> None:
    gift = claimed(quiet_cast.alice, limited, OOM)
    sell(limited.till, gift["code"], 500)
    open_ = claimed(quiet_cast.bob, limited, TANTE, 2)
    frozen = claimed(quiet_cast.charlie, limited, TANTE, 3)
    sell(limited.till, frozen["code"], 500, "r-3")
    Gift.objects.filter(pk=frozen["id"]).update(frozen_at=clock.now())
    Gift.objects.filter(pk=open_["id"]).update(ends_at=clock.now())  # over, and no sweep has been there

    later(days=90 + 29)
    tasks.check_ledger()
    assert Gift.objects.get(pk=gift["id"]).note
    later(days=2)
    tasks.check_ledger()
    tasks.check_ledger()
    over = Gift.objects.get(pk=gift["id"])
    assert (over.note, over.recipient_digest, over.state) == ("", None, "redeemed")
    for kept in (open_, frozen):
        assert Gift.objects.get(pk=kept["id"]).recipient_digest is not None


def test_limits_of_friends_are_forgotten_with_their_campaign(quiet_cast: Cast, limited: Mall) -> None:
    claimed(quiet_cast.alice, limited, OOM)
    limited.coffee.stock = 10
    limited.coffee.save()
    claimed(quiet_cast.bob, limited, OOM, 2)
    assert Counter.objects.filter(scope__regex=":(to|pair):").count() == 3
    limited.campaign.ends_on = days.day_of(clock.now())
    limited.campaign.save()
    later(days=60)
    erasure.purge()
    assert Counter.objects.filter(scope__regex=":(to|pair):").count() == 3
    later(days=1)
    erasure.purge()
    assert not Counter.objects.filter(scope__regex=":(to|pair):").exists()
    assert Counter.objects.get(scope__endswith=":stock").used == 2
