"""What must be true of the books, each as one query that returns the rows that break it."""

from collections.abc import Callable

from django.db import connection

Rows = list[tuple[object, ...]]


def _rows(sql: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


# Each: a name, SQL whose rows break the rule, and how to say it.
RULES: tuple[tuple[str, str, str], ...] = (
    (
        "transfers stay within one unit",
        """SELECT t.id, t.unit, d.unit, c.unit FROM rewards_transfer t
           JOIN rewards_account d ON d.id = t.debit_id JOIN rewards_account c ON c.id = t.credit_id
           WHERE t.unit <> d.unit OR t.unit <> c.unit""",
        "transfer {} is in {} between {} and {}",
    ),
    (
        "debits equal credits",
        """WITH moved AS (
             SELECT d.unit, t.amount AS debit, 0 AS credit
             FROM rewards_transfer t JOIN rewards_account d ON d.id = t.debit_id
             UNION ALL
             SELECT c.unit, 0, t.amount FROM rewards_transfer t JOIN rewards_account c ON c.id = t.credit_id)
           SELECT unit, sum(debit), sum(credit) FROM moved GROUP BY unit HAVING sum(debit) <> sum(credit)""",
        "in {} the debits are {} and the credits {}",
    ),
    (
        "cached balances equal rebuilt ones",
        """WITH rebuilt AS (
             SELECT id, sum(amount) AS balance FROM (
               SELECT credit_id AS id, amount FROM rewards_transfer
               UNION ALL SELECT debit_id, -amount FROM rewards_transfer) moves GROUP BY id)
           SELECT a.id, a.kind, a.balance, coalesce(r.balance, 0) FROM rewards_account a LEFT JOIN rebuilt r ON r.id = a.id
           WHERE a.balance IS NOT NULL AND a.balance <> coalesce(r.balance, 0)""",
        "account {} ({}) says {}, its transfers say {}",
    ),
    (
        "no bounded account is below zero",
        "SELECT id, kind, balance, held FROM rewards_account WHERE balance < 0 OR held < 0 OR held > balance",
        "account {} ({}) has {} of which {} held",
    ),
    (
        "held equals the open holds",
        """SELECT a.id, a.kind, a.held, coalesce(h.held, 0) FROM rewards_account a
           LEFT JOIN (SELECT account_id, sum(amount) AS held FROM rewards_hold WHERE state = 'held' GROUP BY 1) h
             ON h.account_id = a.id
           WHERE a.held <> coalesce(h.held, 0)""",
        "account {} ({}) has {} held, its open holds are {}",
    ),
    (
        "a hold is resolved at most once",
        """SELECT h.id, h.state, h.captured, count(t.id), coalesce(sum(t.amount), 0) FROM rewards_hold h
           LEFT JOIN rewards_transfer t ON t.hold_id = h.id GROUP BY h.id
           HAVING count(t.id) <> (h.state = 'captured')::int OR coalesce(sum(t.amount), 0) <> h.captured""",
        "hold {} is {} for {}, with {} transfers over {}",
    ),
    (
        "issued = available + held + spent + lapsed",
        """WITH moves AS (
             SELECT debit_id AS id, -amount AS amount FROM rewards_transfer
             UNION ALL SELECT credit_id, amount FROM rewards_transfer),
           net AS (
             SELECT -coalesce(sum(amount) FILTER (WHERE id = 1), 0) AS issued,
                    coalesce(sum(amount) FILTER (WHERE id = 2), 0) AS spent,
                    coalesce(sum(amount) FILTER (WHERE id = 3), 0) AS lapsed
             FROM moves),
           lots AS (SELECT coalesce(sum(balance - held), 0) AS available, coalesce(sum(held), 0) AS held
             FROM rewards_account WHERE kind IN ('allowance', 'earned'))
           SELECT issued, available, held, spent, lapsed FROM net, lots
           WHERE issued <> available + held + spent + lapsed""",
        "issued {} is not available {} + held {} + spent {} + lapsed {}",
    ),
    (
        "what a budget spent = captures − refunds",
        """WITH sold AS (
             SELECT g.campaign_id, sum(r.captured_cents - r.refunded_cents) AS cents
             FROM rewards_redemption r JOIN rewards_gift g ON g.id = r.gift_id GROUP BY 1),
           funded AS (
             SELECT c.id, coalesce(sum(CASE WHEN t.credit_id = c.budget_id THEN t.amount ELSE -t.amount END), 0) AS cents
             FROM rewards_campaign c LEFT JOIN rewards_transfer t
               ON t.reason = 'funded' AND (t.credit_id = c.budget_id OR t.debit_id = c.budget_id) GROUP BY 1),
           committed AS (
             SELECT g.campaign_id, sum(a.balance) AS cents FROM rewards_gift g JOIN rewards_account a ON a.id = g.account_id
             GROUP BY 1)
           SELECT c.name, f.cents - b.balance - coalesce(m.cents, 0), coalesce(s.cents, 0)
           FROM rewards_campaign c JOIN rewards_account b ON b.id = c.budget_id JOIN funded f ON f.id = c.id
           LEFT JOIN committed m ON m.campaign_id = c.id LEFT JOIN sold s ON s.campaign_id = c.id
           WHERE f.cents - b.balance - coalesce(m.cents, 0) <> coalesce(s.cents, 0)""",
        "campaign {} spent {} cents, its tills captured {} more than they refunded",
    ),
    (
        "what a shop is owed = its captures − its refunds",
        """WITH owed AS (
             SELECT id, sum(amount) AS cents FROM (
               SELECT credit_id AS id, amount FROM rewards_transfer WHERE reason = 'redeemed'
               UNION ALL SELECT debit_id, -amount FROM rewards_transfer WHERE reason = 'refunded') moves GROUP BY id),
           sold AS (SELECT shop_id, sum(captured_cents - refunded_cents) AS cents FROM rewards_redemption GROUP BY 1)
           SELECT p.name, coalesce(o.cents, 0), coalesce(s.cents, 0) FROM rewards_shop p
           LEFT JOIN owed o ON o.id = p.account_id LEFT JOIN sold s ON s.shop_id = p.id
           WHERE coalesce(o.cents, 0) <> coalesce(s.cents, 0)""",
        "shop {} is owed {} cents, its tills captured {} more than they refunded",
    ),
    (
        "refunds never exceed captures",
        "SELECT id, captured_cents, refunded_cents FROM rewards_redemption WHERE refunded_cents > captured_cents",
        "redemption {} captured {} and refunded {}",
    ),
    (
        "a gift's holds stand as its state says",
        """SELECT g.id, g.state, g.price_credits, coalesce(sum(h.amount) FILTER (WHERE h.state = 'held'), 0),
                  coalesce(sum(h.captured), 0)
           FROM rewards_gift g LEFT JOIN rewards_hold h ON h.subject = 'gift:' || g.id GROUP BY g.id
           HAVING coalesce(sum(h.amount) FILTER (WHERE h.state = 'held'), 0)
                    <> CASE WHEN g.state = 'handed_out' THEN g.price_credits ELSE 0 END
               OR coalesce(sum(h.captured), 0) <> CASE WHEN g.claimed_at IS NULL THEN 0 ELSE g.price_credits END""",
        "gift {} is {} at {} credits, of which {} are held and {} were spent",
    ),
    (
        "a gift that is over holds no money",
        """SELECT g.id, g.state, a.balance FROM rewards_gift g JOIN rewards_account a ON a.id = g.account_id
           WHERE g.state IN ('cancelled', 'unclaimed', 'lapsed', 'redeemed', 'refunded') AND a.balance <> 0""",
        "gift {} is {} and still holds {} cents",
    ),
    (
        "a reservation holds what it says",
        """SELECT r.id, r.state, h.state, r.captured_cents, h.captured FROM rewards_redemption r
           JOIN rewards_hold h ON h.id = r.hold_id
           WHERE (r.state = 'reserved') <> (h.state = 'held') OR r.captured_cents <> h.captured""",
        "redemption {} is {} and its hold {}; captured {} and {}",
    ),
    (
        "counters equal the gifts that count",
        """WITH real AS (SELECT counted.scope, counted.used FROM rewards_campaign c, rewards_counted(c.id) AS counted),
           kept AS (
             SELECT k.scope, k.used FROM rewards_counter k JOIN rewards_offer o ON o.id::text = split_part(k.scope, ':', 2)
             WHERE split_part(k.scope, ':', 1) = 'offer' AND CASE split_part(k.scope, ':', 3)
               WHEN 'stock' THEN o.stock WHEN 'giver' THEN o.per_giver_max END IS NOT NULL
             UNION ALL
             SELECT k.scope, k.used
             FROM rewards_counter k JOIN rewards_campaign c ON c.id::text = split_part(k.scope, ':', 2)
             WHERE split_part(k.scope, ':', 1) = 'campaign' AND CASE split_part(k.scope, ':', 3)
               WHEN 'gifts' THEN c.gifts_max
               WHEN 'giver' THEN c.gifts_per_giver_max
               WHEN 'team' THEN c.gifts_per_team_max END IS NOT NULL)
           SELECT scope, coalesce(kept.used, 0), coalesce(real.used, 0) FROM real FULL JOIN kept USING (scope)
           WHERE coalesce(kept.used, 0) <> coalesce(real.used, 0)""",
        "the limit {} has counted {}, its gifts are {}",
    ),
)


def violations(rows: Callable[[str], Rows] = _rows) -> list[str]:
    """Every broken rule as a sentence; empty when the books are right. Run it in one snapshot."""
    return [f"{name}: {sentence.format(*row)}" for name, sql, sentence in RULES for row in rows(sql)]
