"""How many codes may be asked for, where they go, and that nobody can tell from it who works here."""

import re
from typing import Any

import pytest
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from notifications.models import Delivery
from people.models import Person
from tests.conftest import Cast, letters, work

BASE = "/_allauth/app/v1/auth"
PER_MINUTE, PERSON_PER_MINUTE, PER_DAY, IP_PER_MINUTE, IP_PER_DAY = 3, 5, 15, 30, 500


class Clock:
    """The one with which the limits are counted."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Clock:
    cache.clear()
    made = Clock()
    monkeypatch.setattr(ratelimit, "time", made)
    return made


def ask(address: str = "", ip: str = "203.0.113.7", **more: Any) -> Any:
    body = {"email" if "@" in address else "phone": address}
    return Client(REMOTE_ADDR=ip, **more).post(f"{BASE}/code/request", body, "application/json")


def is_too_much(response: Any) -> bool:
    return bool(response.status_code == 429 and response.json()["code"] == "too_many_codes")


@pytest.mark.parametrize("address", ["+31612000001", "bob@vonkmobiel.example", "nobody@vonkmobiel.example", "+31699999999"])
def test_one_address_gets_three_a_minute_and_fifteen_a_day_whosever_it_is(cast: Cast, counted: Clock, address: str) -> None:
    taken = 0
    for number in range(PER_DAY):
        counted.at += 60 / PER_MINUTE + 1
        taken += ask(address, f"203.0.113.{number}").status_code == 401
    assert taken == PER_DAY
    counted.at += 3600
    assert is_too_much(ask(address, "203.0.113.99"))
    counted.at += 86_400
    assert [ask(address).status_code for _number in range(PER_MINUTE)] == [401] * PER_MINUTE
    assert is_too_much(ask(address))
    assert ask("charlie@vonkmobiel.example").status_code == 401


def test_one_network_address_asks_thirty_times_a_minute(cast: Cast, counted: Clock) -> None:
    heard = [ask(f"guess{number}@vonkmobiel.example").status_code for number in range(IP_PER_MINUTE + 1)]
    assert heard == [401] * IP_PER_MINUTE + [429]
    assert ask("bob@vonkmobiel.example", "198.51.100.1").status_code == 401
    counted.at += 61
    assert ask("bob@vonkmobiel.example").status_code == 401


def test_one_network_address_asks_so_often_a_day(cast: Cast, counted: Clock, settings: Any) -> None:
    limits = dict(settings.ACCOUNT_RATE_LIMITS)
    assert f",{IP_PER_DAY}/d/ip" in limits["request_login_code"]
    limits["request_login_code"] = limits["request_login_code"].replace(f",{IP_PER_DAY}/d/ip", ",4/d/ip")
    settings.ACCOUNT_RATE_LIMITS = limits
    for number in range(4):
        counted.at += 61
        assert ask(f"guess{number}@vonkmobiel.example").status_code == 401
    counted.at += 61
    assert is_too_much(ask("bob@vonkmobiel.example"))
    assert ask("bob@vonkmobiel.example", "198.51.100.1").status_code == 401


def test_behind_a_proxy_it_is_the_callers_address_that_counts(cast: Cast, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for number in range(IP_PER_MINUTE + 1):
        forwarded = {"headers": {"X-Forwarded-For": f"10.9.9.9, 198.51.100.{number}"}}
        assert ask(f"guess{number}@vonkmobiel.example", "172.18.0.2", **forwarded).status_code == 401
    forged = {"headers": {"X-Forwarded-For": "1.2.3.4, 198.51.100.99"}}
    for number in range(IP_PER_MINUTE):
        ask(f"more{number}@vonkmobiel.example", "172.18.0.2", **forged)
    forged = {"headers": {"X-Forwarded-For": "4.3.2.1, 198.51.100.99"}}
    assert is_too_much(ask("last@vonkmobiel.example", "172.18.0.2", **forged))


def test_one_person_gets_five_a_minute_whichever_way_and_hears_no_difference(cast: Cast) -> None:
    heard = [ask(str(cast.bob.mobile)) for _number in range(3)] + [ask(str(cast.bob.email)) for _number in range(3)]
    assert [response.status_code for response in heard] == [401] * 6
    assert {str(response.json()["data"]) for response in heard} == {str(heard[0].json()["data"])}
    work()
    assert len(letters(cast.bob.mobile)) + len(letters(cast.bob.email)) == PERSON_PER_MINUTE


@pytest.mark.parametrize(("number", "goes"), [("+31612009999", True), ("+32470123456", False), ("+882345678901", False)])
def test_codes_go_to_numbers_of_our_countries_only(cast: Cast, number: str, goes: bool) -> None:
    cast.bob.mobile = number
    cast.bob.save()
    asked, stranger = ask(number), ask("+31699999999")
    assert (asked.status_code, asked.json()["data"]) == (401, stranger.json()["data"])
    work()
    assert bool(letters(number)) == goes
    assert not Delivery.objects.filter(to="-").exists()


def test_other_countries_can_be_allowed(cast: Cast, settings: Any) -> None:
    cast.bob.mobile = "+32470123456"
    cast.bob.save()
    settings.SMS_CODE_COUNTRIES = ["NL", "BE"]
    ask(cast.bob.mobile)
    work()
    assert len(letters(cast.bob.mobile)) == 1


def work_of(address: str) -> list[str]:
    """What the database is asked to do, without its values."""
    with CaptureQueriesContext(connection) as queries:
        ask(address)
    return [re.split(r" VALUES | WHERE | SET | \(", query["sql"])[0][:60] for query in queries]


@pytest.mark.parametrize(
    ("known", "unknown"),
    [("bob@vonkmobiel.example", "nobody@vonkmobiel.example"), ("+31612000002", "+31699999999")],
)
def test_an_unknown_address_is_as_much_work_as_a_known_one(cast: Cast, known: str, unknown: str) -> None:
    """No answer is faster because nobody works here under that name."""
    one, other = work_of(known), work_of(unknown)
    writes = [query for query in one if query.startswith(("INSERT", "UPDATE"))]
    assert [query for query in other if query.startswith(("INSERT", "UPDATE"))] == writes
    assert any("notifications_delivery" in query for query in writes)
    assert abs(len(one) - len(other)) <= 2, (one, other)


def test_both_ring_the_bell(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr("backend.ring._publish", lambda task, args: rung.append(task))
    ask("bob@vonkmobiel.example")
    known = list(rung)
    ask("nobody@vonkmobiel.example")
    assert rung == known * 2 != []


@pytest.mark.parametrize(
    "path",
    [
        "password/request",
        "password/reset",
        "login",
        "signup",
        "reauthenticate",
        "email/verify",
        "phone/verify",
        "code/resend",
    ],
)
def test_nothing_else_of_the_library_is_served(cast: Cast, path: str) -> None:
    assert Client().post(f"{BASE}/{path}", {}, "application/json").status_code == 404


def test_a_sign_in_session_sets_no_password(cast: Cast) -> None:
    asked = ask(str(cast.bob.email)).json()["meta"]["session_token"]
    work()
    found = re.search(r"\d{6}", letters(cast.bob.email)[-1].body)
    assert found
    headers = {"X-Session-Token": asked}
    done = Client().post(f"{BASE}/code/confirm", {"code": found.group()}, "application/json", headers=headers)
    headers = {"X-Session-Token": done.json()["meta"].get("session_token", asked)}
    change = {"new_password": "een-heel-lang-wachtwoord"}
    refused = Client().post("/_allauth/app/v1/account/password/change", change, "application/json", headers=headers)
    assert refused.status_code == 404
    assert Person.objects.get(pk=cast.bob.pk).password == cast.bob.password
