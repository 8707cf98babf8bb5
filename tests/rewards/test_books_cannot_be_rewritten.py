"""What was booked stays booked: triggers and constraints refuse, also raw SQL of the tables' owner."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from backend import clock
from rewards import checks, ledger
from rewards.models import ISSUED, Account, Hold, Transfer
from tests.conftest import Cast
from tests.rewards.conftest import Mall, earn, give

REWRITES = (
    "UPDATE rewards_transfer SET amount = amount + 1",
    "DELETE FROM rewards_transfer",
    "TRUNCATE rewards_transfer CASCADE",
    "UPDATE rewards_hold SET amount = amount + 1",
    "DELETE FROM rewards_hold",
    "TRUNCATE rewards_hold CASCADE",
    "UPDATE rewards_account SET kind = 'earned', expires_at = expires_at + interval '1 day' WHERE expires_at IS NOT NULL",
    "DELETE FROM rewards_account",
    "TRUNCATE rewards_account CASCADE",
)


@pytest.mark.parametrize("role", ["", "SET LOCAL session_replication_role = replica; "])
def test_no_sql_rewrites_the_books(cast: Cast, mall: Mall, role: str) -> None:
    earn(cast.alice, 10)
    give(cast.alice, mall.coffee)
    for sql in REWRITES:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(role + sql)


def test_the_orm_rewrites_nothing_either(quiet_cast: Cast) -> None:
    earn(quiet_cast.alice, 10)
    transfer = Transfer.objects.get()
    for rewrite in (transfer.save, transfer.delete, Transfer.objects.all().delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rewrite()


def test_a_resolved_hold_is_not_resolved_again(quiet_cast: Cast) -> None:
    earn(quiet_cast.alice, 10)
    [held] = ledger.hold_what_is_left(quiet_cast.alice, 4, subject="test", at=clock.now(), kind="earned")
    ledger.void(held)
    for again in (ledger.void, ledger.expire, lambda it: ledger.capture(it, ledger.common(2), 4, reason="gift", key="x")):
        with pytest.raises(ledger.AlreadyResolved), transaction.atomic():
            again(held)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Hold.objects.filter(pk=held.pk).update(state="held", resolved_at=None)


def test_no_transfer_crosses_units(quiet_cast: Cast, quiet_mall: Mall) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.move(ledger.common(ISSUED), quiet_mall.campaign.budget, 5, reason="correction", subject="", key="x")


def test_no_bounded_account_goes_below_zero(quiet_cast: Cast, quiet_mall: Mall) -> None:
    budget = quiet_mall.campaign.budget
    with pytest.raises(ledger.BudgetSpent), transaction.atomic():
        ledger.fund(budget, -100_001, key="all and one more")
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=budget.pk).update(balance=-1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=budget.pk).update(held=100_001)


def test_the_same_key_moves_once(quiet_cast: Cast, quiet_mall: Mall) -> None:
    assert ledger.fund(quiet_mall.campaign.budget, 5, key="more")
    assert not ledger.fund(quiet_mall.campaign.budget, 5, key="more")
    assert Account.objects.get(pk=quiet_mall.campaign.budget_id).balance == 100_005


# --- ledger_check says what is wrong ---------------------------------------------------------------------------------

BREAKS = (
    ("UPDATE rewards_account SET balance = balance + 1 WHERE kind = 'budget'", "cached balances equal rebuilt ones"),
    ("UPDATE rewards_account SET held = held - 1 WHERE kind = 'earned'", "held equals the open holds"),
    (
        "INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)"
        " VALUES (1, 2, 'credit', 7, 'gift', '', 'x', now());"
        " UPDATE rewards_hold SET state = 'voided', resolved_at = now()",
        "a gift's holds stand as its state says",
    ),
    (
        "UPDATE rewards_hold SET state = 'captured', captured = amount, resolved_at = now()",
        "a hold is resolved at most once",
    ),
    (
        "INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)"
        " SELECT 1, id, 'credit', 7, 'gift', '', 'x', now() FROM rewards_account WHERE kind = 'earned'",
        "issued = available + held + spent + lapsed",
    ),
    ("UPDATE rewards_gift SET state = 'cancelled'", "a gift that is over holds no money"),
    (
        "INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)"
        " SELECT g.account_id, s.account_id, 'cent', 7, 'redeemed', '', 'x', now() FROM rewards_gift g, rewards_shop s;"
        " UPDATE rewards_account SET balance = balance - 7 WHERE kind = 'gift'",
        "what a budget spent = captures − refunds",
    ),
    (
        "INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)"
        " SELECT 4, account_id, 'cent', 7, 'redeemed', '', 'x', now() FROM rewards_shop",
        "what a shop is owed = its captures − its refunds",
    ),
)


@pytest.mark.breaks_the_books
@pytest.mark.parametrize(("sql", "rule"), BREAKS)
def test_the_check_finds_and_names_what_is_wrong(committed: None, mall: Mall, cast: Cast, sql: str, rule: str) -> None:
    earn(cast.alice, 10)
    give(cast.alice, mall.coffee)
    assert checks.violations() == []
    with connection.cursor() as cursor:
        cursor.execute(sql)
    said = StringIO()
    with pytest.raises(CommandError):
        call_command("ledger_check", stderr=said)
    assert rule in said.getvalue()
