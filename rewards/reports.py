"""What the programme cost, what employees gave away by calendar year, and what lapsed: one query each, read from transfers.

Everything counts when it was booked, so a week that is over never changes; the tax export alone counts by the day of the
sale, and a refund lessens the sale that it undoes. Weeks and years are local to the company. Money is integer cents.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any, TypeAlias
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from backend.errors import Invalid, NotFound
from rewards import days
from rewards.models import LAPSED, Campaign, DiscountRule

Row: TypeAlias = tuple[Any, ...]
YEARS = range(2000, 2100)
BATCH = 500


@dataclass(frozen=True)
class Report:
    """A table under way: `rows` come from the database while they are written. `notes` stand above the column names."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row]
    notes: tuple[str, ...] = ()


def _read(sql: str, parameters: Mapping[str, Any]) -> Iterator[Row]:
    """The rows, so many at a time; the first ones at once, so that what goes wrong is told before anything is sent."""
    rows = _chunks(sql, parameters)
    return chain.from_iterable(chain([next(rows, [])], rows))


def _chunks(sql: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while found := cursor.fetchmany(BATCH):
            yield found


# --- a campaign ------------------------------------------------------------------------------------------------------

# Each move of a gift's value (and the credits paid for it), by the giver's department at hand-out and the week of booking.
CAMPAIGN = """
WITH moves AS (
  SELECT g.team_id, t.created_at, t.reason, t.unit, t.amount, 1 AS sign
  FROM rewards_gift g JOIN rewards_transfer t ON t.credit_id = g.account_id WHERE g.campaign_id = %(campaign)s
  UNION ALL
  SELECT g.team_id, t.created_at, t.reason, t.unit, t.amount, -1
  FROM rewards_gift g JOIN rewards_transfer t ON t.debit_id = g.account_id WHERE g.campaign_id = %(campaign)s
  UNION ALL
  SELECT g.team_id, t.created_at, t.reason, t.unit, t.amount, 0
  FROM rewards_gift g JOIN rewards_transfer t ON t.subject = 'gift:' || g.id AND t.unit = 'credit' AND t.reason = 'gift'
  WHERE g.campaign_id = %(campaign)s),
weeks AS (
  SELECT team_id, to_char(created_at AT TIME ZONE %(zone)s, 'IYYY-"W"IW') AS week,
         count(*) FILTER (WHERE reason = 'gift' AND sign = 1) AS gifts,
         sum(CASE WHEN unit = 'credit' THEN amount ELSE 0 END) AS credits,
         sum(CASE WHEN reason = 'gift' AND sign = 1 THEN amount ELSE 0 END) AS issued,
         sum(CASE WHEN reason = 'redeemed' THEN amount ELSE 0 END) AS redeemed,
         sum(CASE WHEN reason = 'refunded' THEN amount ELSE 0 END) AS refunded,
         sum(CASE WHEN reason = 'lapsed' THEN amount ELSE 0 END) AS lapsed,
         sum(CASE WHEN reason = 'returned' THEN amount ELSE 0 END) AS returned,
         sum(amount * sign) AS change
  FROM moves GROUP BY 1, 2)
SELECT coalesce(d.name, ''), week, gifts, credits::bigint, issued::bigint, redeemed::bigint, refunded::bigint,
       lapsed::bigint, returned::bigint,
       (sum(change) OVER (PARTITION BY weeks.team_id ORDER BY week))::bigint, (redeemed - refunded)::bigint
FROM weeks LEFT JOIN people_team d ON d.id = weeks.team_id
ORDER BY 1, weeks.team_id, 2
"""
CAMPAIGN_COLUMNS = (
    *("department", "iso_week", "gifts_issued", "credits_spent", "issued_cents", "redeemed_cents", "refunded_cents"),
    *("lapsed_cents", "returned_cents", "held_at_week_end_cents", "cost_cents"),
)


def campaign(campaign_id: UUID) -> Report:
    """By department and ISO week: what was issued and what became of it; held = issued + refunded − redeemed − lapsed −
    returned up to then, cost = redeemed − refunded. Raises NotFound.
    """
    name = Campaign.objects.filter(pk=campaign_id).values_list("name", flat=True).first()
    if name is None:
        raise NotFound(_("This campaign does not exist."))
    rows = _read(CAMPAIGN, {"campaign": campaign_id, "zone": days.COMPANY.key})
    return Report(f"campaign-{campaign_id}", CAMPAIGN_COLUMNS, rows, (name,))


# --- discounts of employees, by calendar year -------------------------------------------------------------------------

# What is left of each sale after its refunds; of a part refunded, the basket counts in the same part.
DISCOUNTS = """
WITH sold AS (
  SELECT g.giver_id, o.kind = 'gift' AS is_gift, r.basket_cents, r.captured_cents,
         sum(CASE t.reason WHEN 'redeemed' THEN t.amount ELSE -t.amount END) AS left_
  FROM rewards_redemption r JOIN rewards_gift g ON g.id = r.gift_id JOIN rewards_offer o ON o.id = g.offer_id
  JOIN rewards_transfer t ON t.subject = 'redemption:' || r.id
  WHERE r.captured_at >= %(first)s AND r.captured_at < %(end)s
  GROUP BY r.id, g.giver_id, o.kind
  HAVING sum(CASE t.reason WHEN 'redeemed' THEN t.amount ELSE -t.amount END) > 0),
people AS (
  SELECT giver_id, count(*) FILTER (WHERE NOT is_gift) AS discounts,
         coalesce(sum(left_) FILTER (WHERE NOT is_gift), 0) AS discount,
         coalesce(sum(left_) FILTER (WHERE NOT is_gift AND basket_cents IS NULL), 0) AS unknown,
         coalesce(sum(least(left_, floor(basket_cents::numeric * %(percentage)s * left_ / (captured_cents * 100::numeric))))
                  FILTER (WHERE NOT is_gift AND basket_cents IS NOT NULL), 0) AS within,
         coalesce(sum(left_) FILTER (WHERE is_gift), 0) AS gifts
  FROM sold GROUP BY 1)
SELECT p.employee_number, p.name, s.discounts, s.discount::bigint, s.unknown::bigint, s.within::bigint,
       least(s.within, %(cap)s)::bigint, (s.discount - least(s.within, %(cap)s))::bigint, s.gifts::bigint
FROM people s JOIN people_person p ON p.id = s.giver_id
ORDER BY p.employee_number
"""
DISCOUNT_COLUMNS = (
    *("employee_number", "name", "discounts", "discount_cents", "basket_unknown_cents", "within_percentage_cents"),
    *("within_percentage_and_cap_cents", "above_cents", "gift_cents"),
)


def employee_discounts(year: int, language: str) -> Report:
    """A row for each employee whose discounts or gifts were redeemed in that calendar year, held against its rule.

    A discount without a known basket cannot be shown to keep to the percentage and counts as above it. Gifts are no
    discounts and stand beside. Raises Invalid for a year without a rule.
    """
    first, end = _year(year)
    rule = DiscountRule.objects.filter(valid_from__lte=date(year, 1, 1)).first()
    if rule is None:
        raise Invalid(_("There is no discount rule for this year."))
    rows = _read(DISCOUNTS, {"first": first, "end": end, "percentage": rule.percentage, "cap": rule.yearly_cap_cents})
    told = _("%(year)s: %(percentage)s %% of the price, at most %(cents)s cents a person and year; valid from %(day)s.") % {
        "year": year,
        "percentage": rule.percentage,
        "cents": rule.yearly_cap_cents,
        "day": rule.valid_from.isoformat(),
    }
    return Report(f"employee-discounts-{year}", DISCOUNT_COLUMNS, rows, (rule.note(language), told))


def _year(year: int) -> tuple[Any, Any]:
    if year not in YEARS:
        raise Invalid(_("Choose a calendar year."))
    return days.start_of(date(year, 1, 1)), days.start_of(date(year + 1, 1, 1))


# --- what lapsed -----------------------------------------------------------------------------------------------------

LAPSES = """
WITH moves AS (
  SELECT t.created_at, a.kind AS what, p.team_id, t.amount AS credits, 0 AS cents
  FROM rewards_transfer t JOIN rewards_account a ON a.id = t.debit_id JOIN people_person p ON p.id = a.person_id
  WHERE t.credit_id = %(lapsed)s AND t.created_at >= %(first)s AND t.created_at < %(end)s
  UNION ALL
  SELECT t.created_at, CASE WHEN g.claimed_at IS NULL THEN 'gift_unclaimed' ELSE 'gift_unused' END, g.team_id, 0, t.amount
  FROM rewards_transfer t JOIN rewards_gift g ON g.account_id = t.debit_id
  WHERE t.reason = 'lapsed' AND t.unit = 'cent' AND t.created_at >= %(first)s AND t.created_at < %(end)s)
SELECT to_char(created_at AT TIME ZONE %(zone)s, 'YYYY-MM'), what, coalesce(d.name, ''), count(*),
       sum(credits)::bigint, sum(cents)::bigint
FROM moves LEFT JOIN people_team d ON d.id = moves.team_id
GROUP BY 1, 2, moves.team_id, d.name
ORDER BY 1, 2, 3, moves.team_id
"""
LAPSE_COLUMNS = ("month", "what", "department", "count", "credits", "cents")


def lapsed(year: int) -> Report:
    """By month: credits of `allowance` and `earned`, by the owner's department of today; gifts that nobody claimed and what
    was left of claimed ones, by the giver's at hand-out. Raises Invalid.
    """
    first, end = _year(year)
    rows = _read(LAPSES, {"lapsed": LAPSED, "first": first, "end": end, "zone": days.COMPANY.key})
    return Report(f"lapsed-{year}", LAPSE_COLUMNS, rows)
