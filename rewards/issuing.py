"""A hand-out in one statement, so that all of it happens or nothing, without a transaction around it.

It takes its locks in the ledger's order, because each part waits for what the one before it returns: the giver's lots by
id, counters by scope, the budget last. Only when the budget has paid is anything written. The one exception: a counter has
counted when another, or the budget, then has too little; so whoever counts must roll back when it is refused.

Who changes a limit locks the budget and counts its `limits_version` on. So a hand-out that waited for that finds another
version than it read with the limits, and pays nothing.
"""

from collections.abc import Mapping
from typing import Any

from backend import prepared
from rewards import days, ledger, limits
from rewards.models import Account, Gift

ISSUE = f"""
WITH known AS (
    SELECT FROM rewards_gift WHERE giver_id = %(giver)s AND request_key = %(request_key)s
), lot AS MATERIALIZED (
    SELECT id, expires_at, balance - held AS available FROM rewards_account
    WHERE person_id = %(giver)s AND expires_at > %(at)s AND NOT is_frozen AND NOT EXISTS (SELECT FROM known)
    ORDER BY id FOR NO KEY UPDATE
), queue AS (  -- earliest expiry first
    SELECT id, available, sum(available) OVER (ORDER BY expires_at, id) - available AS before FROM lot
), part AS (
    SELECT id, least(available, %(price)s - before) AS amount FROM queue WHERE available > 0 AND before < %(price)s
), enough AS MATERIALIZED (
    SELECT FROM part HAVING sum(amount) = %(price)s
), counted AS (
    {limits.taking("EXISTS (SELECT FROM enough)")}
), allowed AS MATERIALIZED (
    SELECT FROM enough WHERE (SELECT count(*) FROM counted) = cardinality(%(scopes)s::text[])
), budget AS (
    UPDATE rewards_account SET balance = balance - %(value)s
    WHERE id = %(budget)s AND limits_version = %(limits_version)s AND balance - %(value)s >= held
        AND EXISTS (SELECT FROM allowed)
    RETURNING id
), paid AS (
    UPDATE rewards_account SET held = held + part.amount FROM part
    WHERE rewards_account.id = part.id AND EXISTS (SELECT FROM budget)
    RETURNING rewards_account.id, part.amount
), hold AS (
    INSERT INTO rewards_hold (account_id, amount, captured, state, subject, created_at)
    SELECT id, amount, 0, 'held', %(subject)s, %(at)s FROM paid
), value AS (
    INSERT INTO rewards_account (unit, kind, balance, held, is_frozen, is_renewed, created_at)
    SELECT 'cent', 'gift', %(value)s, 0, FALSE, FALSE, %(at)s FROM budget
    RETURNING id
), moved AS (
    INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)
    SELECT budget.id, value.id, 'cent', %(value)s, 'gift', %(subject)s, %(key)s, %(at)s
    FROM budget, value
), gift AS (
    INSERT INTO rewards_gift (id, giver_id, request_key, offer_id, campaign_id, team_id, account_id, note, language,
        price_credits, value_cents, state, secret_number, secret_digest, code_digest, handed_out_at, ends_at)
    SELECT %(id)s, %(giver)s, %(request_key)s, %(offer)s, %(campaign)s, %(team)s, id, %(note)s, %(language)s,
        %(price)s, %(value)s, 'handed_out', 1, %(secret_digest)s, %(code_digest)s, %(at)s, %(ends_at)s
    FROM value
)
SELECT (SELECT id FROM value), EXISTS (SELECT FROM known), EXISTS (SELECT FROM enough), EXISTS (SELECT FROM allowed)
"""  # noqa: S608 — our own words


def issue(gift: Gift, budget: Account, counted: Mapping[str, int]) -> bool:
    """Write the gift: credits held, `counted` (limits by scope) counted, value set aside. False: its key came before.

    Raises NotEnoughCredits, LimitReached or BudgetSpent, the first of these that is so; LimitsChanged when `counted` is of
    another version than the budget's: read the limits again.
    """
    with prepared.cursor() as cursor:
        cursor.execute(ISSUE, _parameters(gift, budget, counted))
        account_id, is_known, is_enough, is_allowed = cursor.fetchone()
    if is_known:
        return False
    if not is_enough:
        raise ledger.short_of(Account.Kind.EARNED)
    if not is_allowed:
        raise limits.reached()
    if account_id is None:
        is_same = Account.objects.filter(pk=budget.pk, limits_version=budget.limits_version).exists()
        raise ledger.short_of(Account.Kind.BUDGET) if is_same else limits.LimitsChanged
    gift.account_id, gift._state.adding = account_id, False
    return True


def _parameters(gift: Gift, budget: Account, counted: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": gift.pk,
        "giver": gift.giver_id,
        "request_key": gift.request_key,
        "offer": gift.offer_id,
        "campaign": gift.campaign_id,
        "team": gift.team_id,
        "note": gift.note,
        "language": str(gift.language),
        "price": gift.price_credits,
        "value": gift.value_cents,
        "secret_digest": gift.secret_digest,
        "code_digest": gift.code_digest,
        "at": gift.handed_out_at,
        "ends_at": gift.ends_at,
        "subject": gift.subject,
        "key": f"{gift.subject}:value",
        "budget": budget.pk,
        "limits_version": budget.limits_version,
        **limits.parameters(counted, 1, days.day_of(gift.handed_out_at)),
    }
