"""A programme that has lived: hand-outs, claims, sales, refunds, cancellations and lapses over a year and a half."""

import random
from datetime import timedelta
from typing import Any

from backend import clock
from people.models import Person, Team
from rewards import ledger, tasks
from rewards.models import Campaign, Gift, Offer, Redemption
from tests.conftest import Cast, api, post
from tests.rewards.conftest import Mall, claim, earn, give, make_offer, sell

STEPS = 90
FRIENDS = ("oom@elders.example", "06 12345678", "tante@elders.example")
# What is sold on a voucher, in cents, and by which times the basket is more; 0: the till does not say.
SALES = {"koffie": (180, (0, 3)), "fiets": (85_000, (4, 10)), "korting": (650, (2, 6, 0))}


class Life:
    """Everything by the real entrances; what each step meets is drawn, and the draw is always the same."""

    def __init__(self, cast: Cast, mall: Mall) -> None:
        self.draw = random.Random(4)  # noqa: S311 — a script, not a secret
        self.mall, self.links, self.codes = mall, list[dict[str, Any]](), list[tuple[str, str]]()
        self.givers = self._people(cast)
        discount = {"kind": Offer.Kind.PERCENTAGE, "percentage": 30, "value_cents": 90_000, "per_recipient_max": 90}
        self.offers = [
            mall.coffee,
            make_offer(mall.campaign, mall.shop, "fiets", **discount),
            make_offer(mall.campaign, mall.shop, "korting", kind=Offer.Kind.FIXED, value_cents=700),
        ]
        ledger.fund(mall.campaign.budget, 10_000_000, key="mixture")
        self.number = 0

    def _people(self, cast: Cast) -> list[Person]:
        north, south = (Team.objects.create(name=name) for name in ("Noord", "Zuid"))
        teams = ((cast.alice, north), (cast.bob, north), (cast.charlie, south), (cast.mallory, None))
        for who, team in teams:
            who.team = team
            who.save()
            earn(who, 2000)
        return [who for who, _team in teams]

    def go(self) -> None:
        acts = (self.hand_out, self.hand_out, self.claim, self.sell, self.sell, self.refund, self.cancel, self.wait)
        for _step in range(STEPS):
            self.number += 1
            self.draw.choice(acts)()
        self.one_big_discount()
        clock.move(timedelta(days=45))
        tasks.sweep()
        for _last in range(4):  # some are held when it ends
            self.number += 1
            self.hand_out()
            self.claim()

    def one_big_discount(self) -> None:
        """20 % of this basket are € 680: more than the yearly cap."""
        gift = give(self.givers[0], self.offers[1], "gift-big")
        code = claim(gift["link"], recipient=FRIENDS[0])
        assert sell(self.mall.till, code, 85_000, "r-big", basket_cents=340_000).status_code == 201

    def hand_out(self) -> None:
        giver = self.draw.choice(self.givers)
        offer = self.draw.choice(self.offers)
        self.links.append({**give(giver, offer, f"gift-{self.number:04}", note="Voor mijn oom"), "giver": giver})

    def claim(self) -> None:
        if self.links:
            gift = self.links.pop(self.draw.randrange(len(self.links)))
            if Gift.objects.get(pk=gift["id"]).state == "handed_out":
                code = claim(gift["link"], recipient=self.draw.choice(FRIENDS))
                self.codes.append((code, Gift.objects.get(pk=gift["id"]).offer.slug))

    def sell(self) -> None:
        """Of what was claimed lately; the till refuses some of it."""
        if self.codes:
            code, slug = self.codes[-self.draw.randrange(1, min(3, len(self.codes)) + 1)]
            cents, shares = SALES[slug]
            basket = self.draw.choice(shares) * cents
            sell(self.mall.till, code, cents, f"r-{self.number}", basket_cents=basket or None)

    def refund(self) -> None:
        sold = list(Redemption.objects.filter(state="captured").order_by("pk"))
        if sold:
            one = self.draw.choice(sold)
            cents = max(1, one.captured_cents // self.draw.choice((1, 3)))
            post(
                self.mall.till, f"/till/redemptions/{one.pk}/refund", {"amount_cents": cents}, key=f"back-{self.number:04}"
            )

    def cancel(self) -> None:
        if self.links:
            gift = self.draw.choice(self.links)
            post(api(gift["giver"]), f"/gifts/{gift['id']}/cancel")

    def wait(self) -> None:
        clock.move(timedelta(days=self.draw.randrange(1, 45), hours=5))
        tasks.sweep()


def live(cast: Cast, mall: Mall) -> Campaign:
    Life(cast, mall).go()
    return mall.campaign
