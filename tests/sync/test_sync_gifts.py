"""A gift and the credits that it holds reach the giver's phone, and nobody else's."""

from tests.conftest import Cast, api
from tests.rewards.conftest import Mall, earn, give, make_mall
from tests.sync.mirror import Mirror, whole


def test_a_gift_and_the_wallet_move_together(cast: Cast) -> None:
    mall: Mall = make_mall()
    earn(cast.alice, 50)
    alice, mallory = Mirror(api(cast.alice)).sync(), Mirror(api(cast.mallory)).sync()
    before, hers = alice.copies["wallet"]["available"], dict(mallory.copies)
    gift = give(cast.alice, mall.coffee)
    alice.sync()
    assert [thing["state"] for thing in alice.of("gift")] == ["handed_out"]
    assert alice.copies["wallet"]["available"] == before - gift["price_credits"]
    assert alice.copies["wallet"]["held"] == gift["price_credits"]
    cancelled = api(cast.alice).post(f"/api/v1/gifts/{gift['id']}/cancel", {}, "application/json")
    assert cancelled.status_code == 200
    alice.sync()
    assert alice.of("gift")[0]["state"] == "cancelled"
    assert alice.copies["wallet"]["available"] == before
    assert alice.copies == whole(api(cast.alice))
    assert mallory.sync().copies == hers
