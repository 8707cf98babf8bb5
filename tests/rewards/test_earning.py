"""What happens to questions earns credits: once, within caps, and taken back once when an answer did not help."""

import pytest

from backend import clock
from people import lifecycle
from people.models import Person
from rewards import earning, gifts, ledger, tasks
from rewards.models import EarningRule, Fact, Transfer
from tests.conftest import Cast, api, ask, code_of, later, offer_of, post, text, work
from tests.rewards.conftest import Mall, available, claim, earn, give, in_parallel_facts, sell


def earned(who: Person) -> dict[str, int]:
    return dict(Fact.objects.filter(person=who).values_list("kind", "credits"))


def test_an_answer_in_time_pays_asker_and_author_and_help_pays_the_author_alone(cast: Cast) -> None:
    question = ask(cast.alice)
    offer = offer_of(question)
    text(offer.expert, f"ANTW {code_of(offer.expert, offer.item)} Er zat een dubbele maand in.")
    work()
    assert earned(cast.alice) == {"question_answered": 5}
    assert earned(offer.expert) == {"answered": 5, "answered_in_time": 10}
    text(cast.alice, "GELUKT")
    work()
    assert earned(cast.alice) == {"question_answered": 5}
    assert earned(offer.expert) == {"answered": 5, "answered_in_time": 10, "helped": 10}
    assert available(offer.expert) == 25


def test_an_answer_that_did_not_help_is_taken_back_once(cast: Cast) -> None:
    question = ask(cast.alice)
    offer = offer_of(question)
    text(offer.expert, f"ANTW {code_of(offer.expert, offer.item)} Er zat een dubbele maand in.")
    work()
    text(cast.alice, "NIETGELUKT")
    work()
    assert available(offer.expert) == 0
    earn(offer.expert, 50)
    assert earning.withdraw(offer.expert, "answered", f"round:{offer.round_id}") == 0
    assert available(offer.expert) == 50
    assert Transfer.objects.filter(reason="clawback").count() == 2


def test_a_broken_promise_makes_up_to_the_asker_once_and_pays_no_expert_for_being_in_time(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=24, seconds=1)
    work()
    work()
    assert earned(cast.alice) == {"breach_goodwill": 10}
    offer = question.assignments.order_by("offered_at").first()
    assert offer is not None
    text(offer.expert, f"ANTW {code_of(offer.expert, offer.item)} Sorry, dit is het.")
    work()
    assert earned(cast.alice) == {"breach_goodwill": 10, "question_answered": 5}
    assert earned(offer.expert) == {"answered": 5}


def test_what_is_given_away_already_is_let_go(quiet_cast: Cast, quiet_mall: Mall) -> None:
    bob = quiet_cast.bob
    earning.record(bob, "answered", "round:1")
    earning.record(bob, "answered_in_time", "round:1")
    give(bob, quiet_mall.coffee)
    assert earning.withdraw(bob, "answered_in_time", "round:1") == 5
    assert available(bob) == 0


def test_a_cap_a_day_holds_also_when_facts_come_at_once(cast: Cast) -> None:
    EarningRule.objects.filter(kind="answered").update(per_day_max=15)
    in_parallel_facts(cast.bob, "answered", 12)
    assert available(cast.bob) == 15
    assert Fact.objects.filter(person=cast.bob).count() == 12
    later(days=1)
    earning.record(cast.bob, "answered", "tomorrow")
    assert available(cast.bob) == 20


def test_a_pair_is_capped_a_month(quiet_cast: Cast) -> None:
    for number in range(7):
        earning.record(quiet_cast.bob, "helped", f"a:{number}", other=quiet_cast.alice)
    assert available(quiet_cast.bob) == 50


def test_the_same_fact_pays_once_and_an_unknown_kind_nothing(quiet_cast: Cast) -> None:
    for _time in range(3):
        earning.record(quiet_cast.bob, "answered", "round:1")
        earning.record(quiet_cast.bob, "sang_a_song", "round:1")
    assert available(quiet_cast.bob) == 5
    assert Fact.objects.count() == 2


def test_a_leavers_balance_is_frozen_and_their_gifts_are_honoured(quiet_cast: Cast, quiet_mall: Mall) -> None:

    alice = quiet_cast.alice
    earn(alice, 30)
    gift = give(alice, quiet_mall.coffee)
    alice.left_on = clock.now().date()
    alice.save()
    lifecycle.left(alice)
    lifecycle.left(alice)
    assert available(alice) == 20
    with pytest.raises(ledger.NotEnoughCredits):
        gifts.hand_out(alice, quiet_mall.coffee.pk, request_key="late")
    assert sell(quiet_mall.till, claim(gift["link"]), 500).status_code == 201
    earning.record(alice, "answered", "round:9")
    tasks.sweep()
    assert available(alice) == 20


def test_the_statement_runs_and_pages_and_comes_as_a_table(quiet_cast: Cast, quiet_mall: Mall) -> None:

    alice = quiet_cast.alice
    tasks.sweep()
    for number in range(4):
        earning.record(alice, "answered", f"round:{number}")
        claim(give(alice, quiet_mall.coffee, key=f"gift-{number:04}")["link"])
    lines, cursor = [], ""
    while True:
        page = api(alice).get(f"/api/v1/wallet/statement?limit=2{cursor}").json()
        lines += page["items"]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(lines) == 9
    assert lines[0]["balance"] == 100 + 4 * 5 - 4 * 10
    assert [line["balance"] - line["amount"] for line in lines] == [*(line["balance"] for line in lines[1:]), 0]
    table = api(alice).get("/api/v1/wallet/statement.csv").content.decode()
    assert len(table.strip().split("\r\n")) == 10
    assert api(quiet_cast.mallory).get("/api/v1/wallet/statement?limit=5").json()["items"][0]["balance"] == 100
    assert post(api(alice), "/wallet/statement").status_code == 405
