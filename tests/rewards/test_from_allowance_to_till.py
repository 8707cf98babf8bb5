"""The whole path: allowance, hand-out by the app, the friend's page, the shop's till, and the books are right."""

from io import StringIO

from django.core.management import call_command
from django.test import Client

from notifications.models import Notification
from rewards import tasks
from tests.conftest import Cast, api, post, work
from tests.rewards.conftest import Mall, claim, code_on, give, path_of, sell


def test_an_allowance_becomes_a_coffee(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    alice = api(cast.alice)
    assert alice.get("/api/v1/wallet").json()["available"] == 100
    [offer] = alice.get("/api/v1/offers").json()
    assert offer["title"] == "Een koffie"

    gift = give(cast.alice, mall.coffee, note="Dank voor je geduld!")
    wallet = alice.get("/api/v1/wallet").json()
    assert (wallet["available"], wallet["held"]) == (90, 10)
    assert gift["link"] in gift["share_text"]

    friend = Client()
    page = friend.get(path_of(gift["link"]))
    assert page.status_code == 200
    assert page["Referrer-Policy"] == "no-referrer"
    assert "Dank voor je geduld!" in page.content.decode()
    assert 'id="code"' not in page.content.decode()
    code = claim(gift["link"])
    assert alice.get("/api/v1/wallet").json()["held"] == 0
    assert alice.get(f"/api/v1/gifts/{gift['id']}").json()["state"] == "claimed"

    till = mall.till
    found = post(till, "/till/lookup", {"code": code.lower().replace("-", " ").replace("0", "o")}).json()
    assert (found["title"], found["left_cents"]) == ("Een koffie", 500)
    reserved = post(till, "/till/reservations", {"code": code, "amount_cents": 500, "receipt": "r-1"}).json()
    captured = post(till, f"/till/redemptions/{reserved['id']}/capture", {"amount_cents": 350}).json()
    assert (captured["state"], captured["captured_cents"]) == ("captured", 350)
    shown = friend.get(path_of(gift["link"])).content.decode()
    assert "€ 1,50" in shown
    assert code_on(shown) == code
    assert sell(till, code, 150, "r-2").status_code == 201
    assert alice.get(f"/api/v1/gifts/{gift['id']}").json()["state"] == "redeemed"
    again = sell(till, code, 1, "r-3")
    assert (again.status_code, again.json()["code"]) == (409, "voucher_spent")

    work(sending=False)
    told = set(Notification.objects.filter(person=cast.alice).values_list("event", flat=True))
    assert told == {"gift_claimed", "gift_redeemed"}
    said = StringIO()
    call_command("ledger_check", stdout=said)
    assert "the ledger is right" in said.getvalue()
