"""The link of a gift as a QR code, for its giver alone and while it can be passed on."""

from django.test import Client

from rewards.models import Gift
from tests.conftest import Cast, api, post
from tests.rewards.conftest import Mall, earn, give


def test_the_qr_is_the_link_of_now_and_dies_with_the_gift(quiet_cast: Cast, quiet_mall: Mall) -> None:
    alice = api(quiet_cast.alice)
    earn(quiet_cast.alice, 10)
    gift = give(quiet_cast.alice, quiet_mall.coffee)
    path = f"/api/v1/gifts/{gift['id']}/qr.svg"
    first = alice.get(path)
    assert (first.status_code, first["Content-Type"]) == (200, "image/svg+xml")
    assert "no-store" in first["Cache-Control"]
    assert first.content == drawn(gift["link"])
    fresh = post(alice, f"/gifts/{gift['id']}/link").json()
    assert alice.get(path).content == drawn(fresh["link"])
    assert Gift.objects.get().state == "handed_out"
    post(alice, f"/gifts/{gift['id']}/cancel")
    refused = alice.get(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "gift_gone")


def test_nobody_else_gets_it(quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    path = f"/api/v1/gifts/{give(quiet_cast.alice, quiet_mall.coffee)['id']}/qr.svg"
    assert api(quiet_cast.mallory).get(path).status_code == 404
    assert Client().get(path).status_code == 401


def drawn(link: str) -> bytes:
    from io import BytesIO

    import segno

    out = BytesIO()
    segno.make(link, error="m").save(out, kind="svg", scale=8, border=2)
    return out.getvalue()
