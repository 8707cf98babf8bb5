"""Celery's side: each task calls one function."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar
from uuid import UUID

from celery import shared_task

from rewards import badges, checks, earning, erasure, gifts, ledger, limits, listing, redemption, suspicions

log = logging.getLogger(__name__)

BATCH = 500
BADGE_ROUNDS = 40  # a new rule may have a past with everybody
Key = TypeVar("Key")


def _each(ids: Iterable[Key], act: Callable[[Key], object]) -> int:
    """One row that breaks is logged, the others go on. Returns how many there were."""
    number = 0
    for pk in ids:
        number += 1
        try:
            ledger.retried(partial(act, pk))
        except Exception:
            log.exception("%s failed id=%s", act.__qualname__, pk)
    return number


def sweep() -> int:
    """What is due by the clock: reservations, gifts, lots and allowances, in the order in which they release credits."""
    return (
        _each(redemption.due_ids(BATCH), redemption.expire)
        + _each(gifts.due_ids(BATCH), gifts.expire)
        + _each(ledger.lapsed_ids(BATCH), ledger.lapse)
        + _each(earning.without_allowance(BATCH), earning.grant_allowance)
        + _each(listing.due_ids(), listing.look)
    )


@shared_task
def run_due() -> None:
    sweep()


@shared_task
def award_badges() -> None:
    """Hourly: what facts that came at once, or a rule that is new, left to be awarded."""
    for _round in range(BADGE_ROUNDS):
        if _each(badges.missing(BATCH), badges.award_missing) < BATCH:
            break


@shared_task
def find_for_review() -> None:
    """Every quarter of an hour: what looks odd goes to the programme manager's list. Nothing is blocked."""
    suspicions.refresh()


@shared_task
def review_redeemed(gift_id: str) -> None:
    """Rung when a till has sold: what this very gift may have made. A lost ring is found by `find_for_review`."""
    suspicions.refresh_of(UUID(gift_id))


@shared_task
def check_ledger() -> None:
    """Nightly, with the purges. What is wrong with the books stands in the log, a line a rule."""
    for line in checks.violations():
        log.error("ledger: %s", line)
    limits.purge()
    erasure.purge()
