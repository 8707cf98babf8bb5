"""The only code that moves credits and cents, beside `issuing`, which writes a whole hand-out in one statement.

Every function runs in its caller's transaction and takes locks in one order: accounts by id, budgets last. What would
take an account below zero is refused by a guarded UPDATE, with the CHECK constraints behind it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from rewards import days
from rewards.models import LAPSED, Account, Hold, Transfer

Result = TypeVar("Result")
Kind, Reason = Account.Kind, Transfer.Reason

DEADLOCK_TRIES = 3
DEADLOCKS = frozenset({"40P01", "40001"})
SECOND_LIFE_DAYS = 30  # of credits that come back after their lot has lapsed


class NotEnoughCredits(Refusal):
    code = "not_enough_credits"


class BudgetSpent(Refusal):
    """The campaign has no money left for this."""

    code = "budget_spent"


class AlreadyResolved(Refusal):
    """The hold was captured, voided or expired before."""

    code = "already_resolved"


def retried(work: Callable[[], Result]) -> Result:
    """Run `work`, which opens its own transaction, again when PostgreSQL chose it as a deadlock's victim."""
    for tries_left in reversed(range(DEADLOCK_TRIES)):
        try:
            return work()
        except OperationalError as error:
            code = getattr(error.__cause__, "sqlstate", None)
            if code not in DEADLOCKS or not tries_left or connection.in_atomic_block:
                raise
    raise AssertionError("unreachable")


# --- accounts --------------------------------------------------------------------------------------------------------


def open_account(kind: str) -> Account:
    """A fresh account for a budget, a gift's value or what we owe a shop."""
    return Account.objects.create(
        unit=Account.Unit.CENT, kind=kind, balance=0 if kind in Account.BOUNDED else None, created_at=clock.now()
    )


def lot(person: Any, kind: str, expires_at: datetime, *, renewed: bool = False) -> Account:
    """The person's lot of this wallet and expiry, made when there is none."""
    found, _fresh = Account.objects.get_or_create(
        person=person,
        kind=kind,
        expires_at=expires_at,
        is_renewed=renewed,
        defaults={
            "unit": Account.Unit.CREDIT,
            "balance": 0,
            "created_at": clock.now(),
            "is_frozen": not person.is_active,
        },
    )
    return found


def lots(person: Any, at: datetime) -> list[Account]:
    """What the person can give from at `at`: live lots with something in them, earliest expiry first."""
    rows = Account.objects.filter(person=person, expires_at__gt=at, is_frozen=False, balance__gt=F("held"))
    return list(rows.order_by("expires_at", "id"))


def freeze(person: Any) -> None:
    """Nothing is spent from this person's lots any more; what is held for outstanding gifts stays good."""
    for account in Account.objects.select_for_update().filter(person=person, is_frozen=False).order_by("id"):
        Account.objects.filter(pk=account.pk).update(is_frozen=True)


# --- moving ----------------------------------------------------------------------------------------------------------


def move(debit: Account, credit: Account, amount: int, *, reason: str, subject: str, key: str) -> bool:
    """Move `amount` once for this `key`; False when it was moved before.

    Raises NotEnoughCredits or BudgetSpent when a bounded debit account has less than that available.
    """
    if not _write(debit, credit, amount, reason=reason, subject=subject, key=key):
        return False
    for account, change in sorted(((debit, -amount), (credit, amount)), key=_lock_order):
        if account.is_bounded and not _change(account.pk, change):
            raise short_of(account.kind)
    return True


def _lock_order(step: tuple[Account, int]) -> tuple[bool, int]:
    """By id; the budget, which everybody wants, is locked last and so for the shortest time."""
    return step[0].kind == Kind.BUDGET, step[0].pk


def short_of(kind: str) -> Refusal:
    if kind in Account.LOTS:
        return NotEnoughCredits(_("You do not have enough credits for this."))
    return BudgetSpent(_("The budget for this is spent."))


def _write(
    debit: Account, credit: Account, amount: int, *, reason: str, subject: str, key: str, hold_id: int | None = None
) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_transfer"
            " (debit_id, credit_id, unit, amount, reason, subject, key, hold_id, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING",
            [debit.pk, credit.pk, debit.unit, amount, str(reason), subject, key, hold_id, clock.now()],
        )
        return bool(cursor.rowcount)


def _change(account_id: int, change: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rewards_account SET balance = balance + %s WHERE id = %s AND balance + %s >= held",
            [change, account_id, change],
        )
        return bool(cursor.rowcount)


# --- holds -----------------------------------------------------------------------------------------------------------


def hold(account: Account, amount: int, *, subject: str) -> Hold:
    """Reserve `amount` of this account. Raises NotEnoughCredits or BudgetSpent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rewards_account SET held = held + %s WHERE id = %s AND balance - held >= %s AND NOT is_frozen",
            [amount, account.pk, amount],
        )
        if not cursor.rowcount:
            raise short_of(account.kind)
    return Hold.objects.create(account=account, amount=amount, subject=subject, created_at=clock.now())


def hold_what_is_left(person: Any, amount: int, *, subject: str, at: datetime, kind: str) -> list[Hold]:
    """Reserve `amount` of this wallet, or as much of it as there is, earliest expiry first."""
    plan = _plan(person, amount, at, kind=kind, all_of_it=False)
    return [hold(account, part, subject=subject) for account, part in sorted(plan, key=lambda step: step[0].pk)]


def take_from_wallet(
    person: Any, amount: int, to: Account, *, reason: str, subject: str, key: str, at: datetime, kind: str = ""
) -> None:
    """Move `amount` of the person's credits (of one wallet, with `kind`), earliest expiry first, once for this `key`.

    Raises NotEnoughCredits. The parts carry the key with a number behind it.
    """
    if Transfer.objects.filter(key=f"{key}:1").exists():
        return
    for number, (account, part) in enumerate(_plan(person, amount, at, kind=kind, and_lock=to), 1):
        move(account, to, part, reason=reason, subject=subject, key=f"{key}:{number}")


def take_back(person: Any, amount: int, to: Account, *, reason: str, subject: str, key: str, at: datetime) -> int:
    """As far as the person's earned credits go. The caller sees to it that it happens once. Returns how much."""
    taken = 0
    for number, (account, part) in enumerate(_plan(person, amount, at, kind=Kind.EARNED, all_of_it=False), 1):
        taken += part if move(account, to, part, reason=reason, subject=subject, key=f"{key}:{number}") else 0
    return taken


def _plan(
    person: Any,
    amount: int,
    at: datetime,
    *,
    kind: str = "",
    and_lock: Account | None = None,
    all_of_it: bool = True,
) -> list[tuple[Account, int]]:
    """Which lots pay how much. Locks them (and the account that receives) by id first, so that the plan holds."""
    live = Q(person=person, expires_at__gt=at, is_frozen=False)
    mine = live & Q(kind=kind) if kind else live
    wanted = mine | Q(pk=and_lock.pk) if and_lock is not None and and_lock.is_bounded else mine
    locked = Account.objects.select_for_update(no_key=True).filter(wanted).order_by("id")
    lots_ = [row for row in locked if and_lock is None or row.pk != and_lock.pk]
    steps = []
    for account in sorted(lots_, key=lambda row: (row.expires_at, row.pk)):
        part = min(amount, account.available)
        if part > 0:
            steps.append((account, part))
            amount -= part
    if amount and all_of_it:
        raise NotEnoughCredits(_("You do not have enough credits for this."))
    return steps


def _resolve(held: Hold, state: str, captured: int = 0) -> None:
    rows = Hold.objects.filter(pk=held.pk, state=Hold.State.HELD, amount__gte=captured)
    if not rows.update(state=state, captured=captured, resolved_at=clock.now()):
        raise AlreadyResolved(_("This was settled before."))
    Account.objects.filter(pk=held.account_id).update(balance=F("balance") - captured, held=F("held") - held.amount)


def capture(held: Hold, to: Account, amount: int, *, reason: str, key: str) -> None:
    """Pay `amount` of what is held to `to`, and release the rest. Raises AlreadyResolved."""
    _resolve(held, Hold.State.CAPTURED, amount)
    _write(held.account, to, amount, reason=reason, subject=held.subject, key=key, hold_id=held.pk)
    if to.is_bounded:
        _change(to.pk, amount)


def void(held: Hold) -> None:
    """Release all of it. Raises AlreadyResolved."""
    _resolve(held, Hold.State.VOIDED)


def expire(held: Hold) -> None:
    """Release all of it because its time is over. Raises AlreadyResolved."""
    _resolve(held, Hold.State.EXPIRED)


def holds_of(subject: str) -> list[Hold]:
    """Its open holds with their accounts, in the order in which they are locked."""
    rows = Hold.objects.select_related("account__person").filter(subject=subject, state=Hold.State.HELD)
    return list(rows.order_by("account_id"))


# --- expiry ----------------------------------------------------------------------------------------------------------


def common(pk: int) -> Account:
    """One of the accounts that every ledger has; its row is known without asking."""
    kind = {1: Kind.ISSUED, 2: Kind.SPENT, 3: Kind.LAPSED, 4: Kind.FUNDING}[pk]
    unit = Account.Unit.CENT if kind == Kind.FUNDING else Account.Unit.CREDIT
    return Account(pk=pk, kind=kind, unit=unit, balance=None)


def lapsed_ids(limit: int) -> list[int]:
    """Lots whose time is over and that still have something that nobody holds."""
    rows = Account.objects.filter(expires_at__lte=clock.now(), balance__gt=F("held")).order_by("expires_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def lapse(account_id: int) -> int:
    """Move what nobody holds of an expired lot to the lapsed account. Twice is fine; returns how much."""
    account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
    amount = account.available
    if account.expires_at is None or account.expires_at > clock.now() or amount <= 0:
        return 0
    before = Transfer.objects.filter(debit=account, reason=Reason.LAPSED).count()
    key = f"lapse:{account_id}:{before + 1}"
    move(account, common(LAPSED), amount, reason=Reason.LAPSED, subject=f"lot:{account_id}", key=key)
    return amount


def give_back(holds: Iterable[Hold], *, at: datetime, renew: bool) -> None:
    """Release these holds. With `renew`, credits whose lot has lapsed meanwhile live once more for 30 days."""
    for held in holds:
        void(held)
        source = held.account
        if renew and source.person and source.expires_at and source.expires_at <= at and not source.is_renewed:
            end = days.end_after(at, SECOND_LIFE_DAYS, source.person.zone)
            again = lot(source.person, source.kind, end, renewed=True)
            key = f"renew:{held.pk}"
            move(source, again, held.amount, reason=Reason.RENEWED, subject=held.subject, key=key)


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wallet:
    """What a person can give away now, in credits."""

    allowance: int
    earned: int
    held: int
    next_expiry: datetime | None
    next_expiry_credits: int
    is_frozen: bool


def wallet(person: Any, at: datetime) -> Wallet:
    """Lots that have expired do not count, whether or not the sweep has been there."""
    rows = list(Account.objects.filter(person=person).exclude(balance=0).order_by("expires_at"))
    live = [row for row in rows if row.expires_at and row.expires_at > at]
    ends = next((row.expires_at for row in live if row.available), None)
    return Wallet(
        allowance=sum(row.available for row in live if row.kind == Kind.ALLOWANCE),
        earned=sum(row.available for row in live if row.kind == Kind.EARNED),
        held=sum(row.held for row in rows),
        next_expiry=ends,
        next_expiry_credits=sum(row.available for row in live if row.expires_at == ends),
        is_frozen=any(row.is_frozen for row in rows),
    )


def fund(budget: Account, cents: int, *, key: UUID | str) -> bool:
    """Give a campaign money to give away (or, below zero, take uncommitted money back). Once for a key."""
    source = common(4)
    debit, credit = (source, budget) if cents > 0 else (budget, source)
    return move(debit, credit, abs(cents), reason=Reason.FUNDED, subject=f"budget:{budget.pk}", key=f"fund:{key}")
