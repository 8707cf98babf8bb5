"""Anything that people, friends, tills and the clock can do, in any order, against a plain model of what should be true."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from backend import clock
from backend.errors import Refusal
from rewards import checks, gifts, ledger, limits, redemption, tasks
from rewards.models import Account, Allowance, Gift, Offer, Redemption
from tests.conftest import person
from tests.rewards.conftest import Mall, available, earn, make_mall, make_offer

BUDGET_CENTS = 4000


@dataclass
class GiftModel:
    """What the test believes of one gift."""

    giver: int
    price: int
    value: int
    left: int
    single_use: bool
    state: str = "handed_out"
    sold: int = 0
    undone: bool = False


@dataclass
class SaleModel:
    gift: Any
    amount: int
    state: str = "reserved"
    captured: int = 0
    refunded: int = 0


@dataclass
class Model:
    """Credits are counted as sums of earned wallets: the clock never goes so far that they lapse."""

    credits: list[int]
    budget: int
    gifts: dict[Any, GiftModel] = field(default_factory=dict)
    sales: dict[Any, SaleModel] = field(default_factory=dict)
    stock_left: int | None = None


class Books(RuleBasedStateMachine):
    """Runs inside the test's transaction, which each example rolls back."""

    given: ClassVar = Bundle("given")
    sold: ClassVar = Bundle("sold")

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        clock.reset()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)
        clock.reset()

    @initialize()
    def company(self) -> None:
        self.people = [person(f"H{number}", f"Person{number} P", mail=False) for number in (1, 2)]
        self.mall: Mall = make_mall(budget_cents=BUDGET_CENTS)
        self.offers: list[Offer] = [
            self.mall.coffee,
            make_offer(self.mall.campaign, self.mall.shop, "bon", kind="fixed", value_cents=700, price_credits=7),
        ]
        for who in self.people:
            earn(who, 60)
        Allowance.objects.all().delete()  # credits are those that were earned, and live longer than the test's clock goes
        self.model = Model(credits=[60, 60], budget=BUDGET_CENTS)

    def _allowed(self, act: Any, *errors: type[Refusal]) -> Any:
        """The result, or the refusal; the refused leaves no trace."""
        try:
            with transaction.atomic():
                return act()
        except errors as refusal:
            return refusal

    # --- hand out, claim, cancel ---

    @rule(target=given, who=st.integers(0, 1), which=st.integers(0, 1))
    def hand_out(self, who: int, which: int) -> Any:
        self.number += 1
        offer, model = self.offers[which], self.model
        made = self._allowed(
            lambda: gifts.hand_out(self.people[who], offer.pk, request_key=f"k{self.number}"),
            *(ledger.NotEnoughCredits, ledger.BudgetSpent, limits.LimitReached),
        )
        stock = which == 0 and model.stock_left is not None and model.stock_left <= 0
        if model.credits[who] < offer.price_credits:
            assert isinstance(made, ledger.NotEnoughCredits)
        elif stock:
            assert isinstance(made, limits.LimitReached)
        elif model.budget < offer.value_cents:
            assert isinstance(made, ledger.BudgetSpent)
        else:
            again = gifts.hand_out(self.people[who], offer.pk, request_key=f"k{self.number}")
            assert again.pk == made.pk
            model.credits[who] -= offer.price_credits
            model.budget -= offer.value_cents
            if which == 0 and model.stock_left is not None:
                model.stock_left -= 1
            value, price = offer.value_cents, offer.price_credits
            model.gifts[made.pk] = GiftModel(who, price, value, value, single_use=which == 1)
            return made.pk
        return None

    @rule(gift=given)
    def claim(self, gift: Any) -> None:
        if gift is None:
            return
        believed = self.model.gifts[gift]
        done = self._allowed(lambda: gifts.claim(gift), gifts.GiftGone)
        if believed.state == "handed_out":
            assert not isinstance(done, Refusal)
            believed.state = "claimed"
        else:
            assert isinstance(done, Refusal) == (believed.state not in {"claimed", "part_redeemed"})

    @rule(gift=given)
    def cancel(self, gift: Any) -> None:
        if gift is None:
            return
        believed = self.model.gifts[gift]
        done = self._allowed(lambda: gifts.cancel(self.people[believed.giver], gift), gifts.GiftGone)
        if believed.state == "handed_out":
            self._undo(gift, "cancelled")
        else:
            assert isinstance(done, Refusal) == (believed.state != "cancelled")

    def _undo(self, gift: Any, state: str) -> None:
        believed = self.model.gifts[gift]
        believed.state, believed.undone = state, True
        self.model.credits[believed.giver] += believed.price
        self.model.budget += believed.left
        if not believed.single_use and self.model.stock_left is not None:
            self.model.stock_left += 1
        believed.left = 0

    # --- the till ---

    def _reserved(self, gift: Any) -> int:
        return sum(sale.amount for sale in self.model.sales.values() if sale.gift == gift and sale.state == "reserved")

    @rule(target=sold, gift=given, cents=st.integers(1, 800))
    def reserve(self, gift: Any, cents: int) -> Any:
        if gift is None or self.model.gifts[gift].state == "handed_out":
            return None
        self.number += 1
        believed = self.model.gifts[gift]
        sale = redemption.Sale(f"r{self.number}", cents)
        made = self._allowed(
            lambda: redemption.reserve(self.mall.shop, gift, sale),
            *(redemption.TooMuch, redemption.VoucherSpent, redemption.VoucherExpired, redemption.VoucherVoid),
        )
        usable = believed.state in {"claimed", "part_redeemed"}
        if usable and cents <= believed.left - self._reserved(gift):
            self.model.sales[made.pk] = SaleModel(gift, cents)
            return made.pk
        assert isinstance(made, Refusal)
        return None

    @rule(sale=sold, share=st.integers(1, 100))
    def capture(self, sale: Any, share: int) -> None:
        if sale is None:
            return
        believed = self.model.sales[sale]
        cents = max(1, believed.amount * share // 100)
        done = self._allowed(lambda: redemption.capture(self.mall.shop, sale, cents), redemption.NotReserved)
        if believed.state == "reserved":
            assert not isinstance(done, Refusal)
            believed.state, believed.captured = "captured", cents
            self._captured(believed.gift, cents)
        else:
            assert isinstance(done, Refusal) == (believed.captured != cents)

    def _captured(self, gift: Any, cents: int) -> None:
        believed = self.model.gifts[gift]
        believed.left -= cents
        believed.sold += cents
        if believed.single_use and not self._reserved(gift):
            self.model.budget += believed.left
            believed.left = 0
        believed.state = "part_redeemed" if believed.left else "redeemed"

    @rule(sale=sold)
    def void(self, sale: Any) -> None:
        if sale is None:
            return
        believed = self.model.sales[sale]
        done = self._allowed(lambda: redemption.void(self.mall.shop, sale), redemption.NotReserved)
        assert isinstance(done, Refusal) == (believed.state == "captured")
        if believed.state == "reserved":
            believed.state = "voided"
            self._released(believed.gift)

    def _released(self, gift: Any) -> None:
        """A single-use voucher that has been used gives its rest back when the last till lets go of it."""
        believed = self.model.gifts[gift]
        if believed.single_use and believed.sold and not self._reserved(gift) and believed.state == "part_redeemed":
            self.model.budget += believed.left
            believed.left, believed.state = 0, "redeemed"

    @rule(sale=sold, cents=st.integers(1, 800), twice=st.booleans())
    def refund(self, sale: Any, cents: int, twice: bool) -> None:
        if sale is None:
            return
        self.number += 1
        believed, key = self.model.sales[sale], f"refund-{self.number}"
        for _time in range(1 + twice):
            done = self._allowed(
                lambda: redemption.refund(self.mall.shop, sale, cents, key=key),
                *(redemption.NotReserved, redemption.TooMuch),
            )
        if believed.state != "captured" or cents > believed.captured - believed.refunded:
            assert isinstance(done, Refusal)
            return
        assert not isinstance(done, Refusal)
        believed.refunded += cents
        gift = self.model.gifts[believed.gift]
        gift.sold -= cents
        if gift.single_use or gift.state in {"lapsed", "refunded"} or self._has_ended(believed.gift):
            self.model.budget += cents
            if not self._reserved(believed.gift):
                self.model.budget += gift.left
                gift.left = 0
                gift.state = "redeemed" if gift.sold else "refunded"
        else:
            gift.left += cents
            gift.state = "part_redeemed" if gift.sold else "claimed"

    def _has_ended(self, gift: Any) -> bool:
        return Gift.objects.get(pk=gift).ends_at <= clock.now()

    # --- the clock and the programme ---

    @rule(hours=st.sampled_from([0.1, 0.2, 1, 24, 24 * 20, 24 * 35]))
    def time_passes(self, hours: float) -> None:
        if clock.now() - clock.real() < timedelta(days=150):
            clock.move(timedelta(hours=hours))
        for _again in range(2):
            tasks.sweep()
        for pk, sale in self.model.sales.items():
            if sale.state == "reserved" and Redemption.objects.get(pk=pk).expires_at <= clock.now():
                sale.state = "expired"
        for pk in [pk for pk, sale in self.model.sales.items() if sale.state == "expired"]:
            self._released(self.model.sales[pk].gift)
        for pk, believed in self.model.gifts.items():
            if not self._has_ended(pk):
                continue
            if believed.state == "handed_out":
                self._undo(pk, "unclaimed")
            elif believed.state in {"claimed", "part_redeemed"}:
                self.model.budget += believed.left
                believed.left, believed.state = 0, "lapsed"

    @rule(stock=st.one_of(st.none(), st.integers(0, 3)))
    def limit_stock(self, stock: int | None) -> None:
        """A limit counts what was given before it was set, too."""
        Offer.objects.filter(pk=self.offers[0].pk).update(stock=stock)
        given = sum(not gift.single_use and not gift.undone for gift in self.model.gifts.values())
        self.model.stock_left = None if stock is None else stock - given

    @rule(cents=st.integers(-1500, 1500).filter(bool))
    def change_budget(self, cents: int) -> None:
        self.number += 1
        done = self._allowed(
            lambda: ledger.fund(self.mall.campaign.budget, cents, key=f"n{self.number}"), ledger.BudgetSpent
        )
        assert isinstance(done, Refusal) == (self.model.budget + cents < 0)
        if done is True:
            self.model.budget += cents

    # --- what is always true ---

    @invariant()
    def the_books_are_right(self) -> None:
        assert checks.violations() == []

    @invariant()
    def the_model_agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        assert Account.objects.get(pk=self.mall.campaign.budget_id).balance == self.model.budget
        states = dict(Gift.objects.values_list("pk", "state"))
        assert states == {pk: believed.state for pk, believed in self.model.gifts.items()}
        balances = dict(Gift.objects.values_list("pk", "account__balance"))
        assert balances == {pk: believed.left for pk, believed in self.model.gifts.items()}
        for number, who in enumerate(self.people):
            earned = ledger.wallet(who, clock.now()).earned
            assert earned == self.model.credits[number], (available(who), self.model)


def test_whatever_happens_the_books_and_the_model_agree(db: None) -> None:
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes; the steps are short already
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
