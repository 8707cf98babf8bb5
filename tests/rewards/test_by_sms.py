"""SALDO, GEEF and BEDANK by SMS; value only against four digits that went to the phone that HR knows."""

import re

from django.test import Client

from notifications.models import Delivery
from rewards import tasks
from rewards.models import Gift, Kudos
from tests.conftest import Cast, later, text, texts, work
from tests.rewards.conftest import Mall, available, path_of


def heard(cast: Cast) -> str:
    work()
    return texts(cast.alice)[-1]


def digits(cast: Cast) -> str:
    found = re.search(r"GEEF (\d{4})", heard(cast))
    assert found
    return found.group(1)


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10_000:04}"


def test_the_balance_by_sms(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    text(cast.alice, "saldo")
    assert heard(cast).startswith("Je kunt 100 credits weggeven: maandtegoed 100, verdiend 0.")


def test_a_gift_by_sms_reaches_the_friend(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    text(cast.alice, "GEEF")
    assert "koffie (10)" in heard(cast)
    text(cast.alice, "GEEF koffie Geniet ervan!")
    code = digits(cast)
    assert Gift.objects.count() == 0
    assert available(cast.alice) == 100
    text(cast.alice, f"GEEF {code}")
    link = re.search(r"http\S+/g/[\w-]+", heard(cast))
    assert link
    assert "Geniet ervan!" in Client().get(path_of(link.group())).content.decode()
    assert available(cast.alice) == 90
    for delivery in Delivery.objects.filter(to=cast.alice.mobile, is_secret=True):
        assert (delivery.state, delivery.body) == ("sent", "")


def test_the_digits_work_once(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    text(cast.alice, "GEEF koffie")
    code = digits(cast)
    text(cast.alice, f"GEEF {code}")
    text(cast.alice, f"GEEF {code}")
    assert "niets te bevestigen" in heard(cast)
    assert Gift.objects.count() == 1


def test_three_wrong_tries_end_it(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    text(cast.alice, "GEEF koffie")
    code = digits(cast)
    for _try in range(3):
        text(cast.alice, f"GEEF {wrong(code)}")
        work()
    text(cast.alice, f"GEEF {code}")
    assert "niets te bevestigen" in heard(cast)
    assert Gift.objects.count() == 0
    assert available(cast.alice) == 100


def test_after_ten_minutes_it_is_too_late(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    text(cast.alice, "GEEF koffie")
    code = digits(cast)
    later(minutes=10)
    text(cast.alice, f"GEEF {code}")
    assert "niets te bevestigen" in heard(cast)
    assert Gift.objects.count() == 0


def test_without_enough_credits_the_digits_buy_nothing(cast: Cast, mall: Mall) -> None:
    text(cast.alice, "GEEF koffie")
    text(cast.alice, f"GEEF {digits(cast)}")
    assert "niet genoeg credits" in heard(cast)
    assert Gift.objects.count() == 0


def test_thanks_by_sms_with_and_without_credits(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    text(cast.alice, "BEDANK Bob voor je hulp")
    assert "Bob heeft je dank." in heard(cast)
    text(cast.alice, "BEDANK Bob 5 voor nog meer hulp")
    code = digits(cast)
    assert Kudos.objects.count() == 1
    text(cast.alice, f"GEEF {code}")
    assert "5 credits" in heard(cast)
    assert (available(cast.alice), available(cast.bob)) == (95, 105)
    text(cast.alice, "BEDANK Zoltan voor alles")
    assert "geen collega Zoltan" in heard(cast)
    text(cast.alice, "BEDANK Alice voor alles")
    assert "geen collega Alice" in heard(cast)
    assert Kudos.objects.count() == 2
