"""The friend's page: opening shows, pressing claims, and nobody else learns its address."""

import logging

import pytest
from django.test import Client

from backend.log_lines import HideSecrets
from notifications.models import Delivery
from people.models import Person
from rewards import codes, gifts
from rewards.models import Counter, Gift
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, api, later, post
from tests.rewards.conftest import Mall, available, claim, code_on, earn, give, path_of, sell


@pytest.fixture
def alice(quiet_cast: Cast) -> Person:
    earn(quiet_cast.alice, 100)
    return quiet_cast.alice


def test_opening_changes_nothing_however_often_and_by_whomever(alice: Person, quiet_mall: Mall) -> None:
    path = path_of(give(alice, quiet_mall.coffee)["link"])
    before = Gift.objects.values().get()
    for agent in ("WhatsApp/2.23", "facebookexternalhit/1.1", "Mozilla/5.0", "BarracudaCentral"):
        browser = Client(headers={"User-Agent": agent})
        assert browser.get(path).status_code == browser.head(path).status_code == 200
    assert Gift.objects.values().get() == before


def test_the_address_is_not_passed_on(alice: Person, quiet_mall: Mall) -> None:
    response = Client().get(path_of(give(alice, quiet_mall.coffee)["link"]))
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex"
    assert "<script" not in response.content.decode()


def test_the_page_speaks_the_friends_language_and_the_other(alice: Person, quiet_mall: Mall) -> None:
    path = path_of(give(alice, quiet_mall.coffee, language="en", note="Enjoy & smile <3")["link"])
    english, dutch = Client().get(path).content.decode(), Client().get(path + "?lang=nl").content.decode()
    assert "A koffie" in english
    assert "One a visit." in english
    assert "Enjoy &amp; smile &lt;3" in english
    assert "From Alice" in english
    assert "Een koffie" in dutch
    assert "Van Alice" in dutch
    assert "Achterberg" not in english + dutch


def test_claiming_twice_is_claiming_once(alice: Person, quiet_mall: Mall) -> None:
    link = give(alice, quiet_mall.coffee)["link"]
    assert claim(link) == claim(link)
    assert available(alice) == 90


def test_the_last_day_goes_into_a_calendar_without_code_or_link(alice: Person, quiet_mall: Mall) -> None:
    link = give(alice, quiet_mall.coffee)["link"]
    assert Client().get(path_of(link) + "/calendar.ics").status_code == 404
    code = claim(link)
    entry = Client().get(path_of(link) + "/calendar.ics")
    assert entry["Content-Type"].startswith("text/calendar")
    text = entry.content.decode()
    assert "DTSTART;VALUE=DATE:" in text
    assert code not in text
    assert link not in text


def test_a_new_link_kills_the_old_one_and_its_code(alice: Person, quiet_mall: Mall) -> None:
    gift = give(alice, quiet_mall.coffee)
    old_code = claim(gift["link"])
    fresh = post(api(alice), f"/gifts/{gift['id']}/link").json()
    assert fresh["link"] != gift["link"]
    assert Client().get(path_of(gift["link"])).status_code == 404
    assert sell(quiet_mall.till, old_code, 100).status_code == 404
    new_code = code_on(Client().get(path_of(fresh["link"])).content.decode())
    assert sell(quiet_mall.till, new_code, 100).status_code == 201
    repeated = post(api(alice), "/gifts", {"offer_id": str(quiet_mall.coffee.pk)}, key="gift-0001")
    assert repeated.json() == gift


def test_what_was_cancelled_cannot_be_claimed_and_what_was_claimed_not_cancelled(alice: Person, quiet_mall: Mall) -> None:
    first, second = (give(alice, quiet_mall.coffee, key=f"gift-{n:04}") for n in range(2))
    assert post(api(alice), f"/gifts/{first['id']}/cancel").json()["state"] == "cancelled"
    assert available(alice) == 90
    assert Client().post(path_of(first["link"])).status_code == 409
    claim(second["link"])
    refused = post(api(alice), f"/gifts/{second['id']}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "gift_gone")
    assert available(alice) == 90


def test_another_persons_gift_is_not_there(alice: Person, quiet_cast: Cast, quiet_mall: Mall) -> None:
    gift = give(alice, quiet_mall.coffee)
    mallory = api(quiet_cast.mallory)
    for path in ("cancel", "link"):
        assert post(mallory, f"/gifts/{gift['id']}/{path}").status_code == 404
    assert mallory.get(f"/api/v1/gifts/{gift['id']}").status_code == 404
    assert mallory.get("/api/v1/gifts").json()["items"] == []
    assert Gift.objects.get().state == "handed_out"


def test_a_friend_gets_it_once_counted_by_a_keyed_hash_and_is_sent_nothing(alice: Person, quiet_mall: Mall) -> None:
    quiet_mall.coffee.per_recipient_max = 1
    quiet_mall.coffee.save()
    first, second = (give(alice, quiet_mall.coffee, key=f"gift-{n:04}")["link"] for n in range(2))
    assert Client().post(path_of(first)).status_code == 422
    claim(first, recipient="Vriend@Elders.example ")
    again = Client().post(path_of(second), {"recipient": "vriend@elders.example"})
    assert again.status_code == 409
    assert Gift.objects.filter(state="claimed").count() == 1
    claim(second, recipient="06 2345 6789")
    stored = str(list(Counter.objects.values_list())) + str(list(Gift.objects.values_list()))
    assert "elders" not in stored
    assert "2345" not in stored.replace(" ", "")
    assert Delivery.objects.filter(person__isnull=True).count() == 0


def test_givers_do_not_claim_their_own(alice: Person, quiet_mall: Mall) -> None:
    quiet_mall.coffee.per_pair_max = 1
    quiet_mall.coffee.save()
    link = give(alice, quiet_mall.coffee)["link"]
    assert Client().post(path_of(link), {"recipient": str(alice.mobile)}).status_code == 409
    assert Gift.objects.get().state == "handed_out"


def test_in_the_givers_own_signed_in_browser_it_opens_and_is_not_claimed(
    alice: Person, quiet_cast: Cast, quiet_mall: Mall
) -> None:
    path = path_of(give(alice, quiet_mall.coffee)["link"])
    own = signed_in(alice)
    assert own.get(path).status_code == 200
    refused = own.post(path)
    assert refused.status_code == 409
    assert "dit is je eigen cadeau" in refused.content.decode()
    assert (Gift.objects.get().state, available(alice)) == ("handed_out", 90)
    assert signed_in(quiet_cast.bob).post(path).status_code == 302
    assert Gift.objects.get().state == "claimed"


def test_logs_hold_no_link_and_no_key(alice: Person, quiet_mall: Mall, capsys: pytest.CaptureFixture[str]) -> None:
    gift = give(alice, quiet_mall.coffee)
    later(days=40)
    secret = gift["link"].rsplit("/", 1)[1]
    record = logging.LogRecord("django.request", 30, "", 0, "Conflict: %s", (path_of(gift["link"]),), None)
    HideSecrets().filter(record)
    assert record.getMessage() == "Conflict: /g/…"
    assert Client().post(path_of(gift["link"])).status_code == 409
    assert secret not in capsys.readouterr().err


def test_an_unknown_link_is_a_plain_404(quiet_mall: Mall) -> None:
    assert Client().get("/g/" + "x" * 22).status_code == 404
    assert gifts.by_secret("x" * 22) is None


def test_hashes_are_keyed(alice: Person, quiet_mall: Mall, settings: object) -> None:
    gift = Gift.objects.get(pk=give(alice, quiet_mall.coffee)["id"])
    before = codes.voucher(gift.pk, 1)
    settings.VOUCHER_KEY = "another"  # type: ignore[attr-defined]
    after = codes.voucher(gift.pk, 1)
    assert {before.secret, before.code}.isdisjoint({after.secret, after.code})
    assert codes.code_digest(before.code) != before.code_digest
