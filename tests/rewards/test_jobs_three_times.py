"""The month's end and every expiry, three times at once while people spend: each takes effect once."""

from collections import Counter
from typing import Any

from django.db import connections

from people.models import AccessToken
from rewards import checks, tasks
from rewards.models import Account, Gift, Hold, Redemption, Transfer
from tests.conftest import later, make_cast, post
from tests.rewards.conftest import Mall, available, claim, earn, give
from tests.rewards.test_under_load import at_once
from tests.rewards.web import Server

SPENDING = 40


def test_each_expiry_and_each_allowance_happens_once(server: Server, mall: Mall) -> None:
    alice = make_cast().alice
    tasks.sweep()
    earn(alice, 30)
    unclaimed = [give(alice, mall.coffee, f"gift-{n:04}")["id"] for n in range(4)]
    code = claim(give(alice, mall.coffee, "gift-0004")["link"])
    reserved = {"code": code, "amount_cents": 200, "receipt": "r-1"}
    assert post(mall.till, "/till/reservations", reserved).status_code == 201
    before = available(alice)
    assert before == 80
    later(days=32)
    token, body = AccessToken.issue(alice), {"offer_id": str(mall.coffee.pk)}

    def act(n: int) -> tuple[int, Any]:
        if n % 10 == 5:
            try:
                return tasks.sweep(), None
            finally:
                connections.close_all()
        return server.call("POST", "/gifts", token, body, key=f"key-{n:08}")

    answers = at_once(SPENDING, act)
    assert not [status for status, _body in answers if status >= 500]
    tasks.sweep()

    assert Counter(Gift.objects.filter(pk__in=unclaimed).values_list("state", flat=True)) == {"unclaimed": 4}
    for gift_id in unclaimed:
        moves = Transfer.objects.filter(subject=f"gift:{gift_id}", unit="cent", reason__in=("lapsed", "returned"))
        assert moves.count() == 1
        assert Hold.objects.filter(subject=f"gift:{gift_id}", state="held").count() == 0
    assert Redemption.objects.get().state == "expired"
    assert Hold.objects.get(subject=f"redemption:{Redemption.objects.get().pk}").state == "expired"
    assert Transfer.objects.filter(reason="allowance", credit__person=alice).count() == 2
    assert Transfer.objects.filter(reason="lapsed", debit__person=alice).count() == 1  # 50 of the old allowance
    held = sum(Account.objects.filter(person=alice).values_list("held", flat=True))
    assert held == 10 * Gift.objects.filter(giver=alice, state="handed_out").count()
    assert available(alice) == 100 + 100 + 30 - 50 - held - 10  # ten for the one that was claimed
    assert checks.violations() == []
