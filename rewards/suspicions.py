"""What finds its way to the review list: one query a kind of finding, each finding once.

"Gave" is kudos with credits, and gifts whose claim named an address of a colleague. A finding goes on for a calendar
month after its last piece of evidence; the same people doing it again later are a new finding.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from backend import clock
from people.models import Person
from rewards import codes
from rewards.models import ColleagueDigest, ReviewItem

WINDOW_DAYS = 30
CREDITS_MIN = 10  # that one gave another within the window: less is thanks, not trade
RING_MAX = 6  # people; nobody keeps track of a longer one
GIVERS_MIN = 5  # a family may know three or four of us
DIGESTS_KEPT = timedelta(days=90)  # of who has left

EDGES = """
WITH RECURSIVE gave AS (
  SELECT giver_id AS giver, receiver_id AS receiver, credits, created_at AS at, NULL::uuid AS gift, id AS kudos
  FROM rewards_kudos WHERE credits > 0 AND reversed_at IS NULL AND created_at > %(since)s
  UNION ALL
  SELECT g.giver_id, d.person_id, g.price_credits, g.claimed_at, g.id, NULL
  FROM rewards_gift g JOIN rewards_colleaguedigest d ON d.digest = g.recipient_digest AND d.person_id <> g.giver_id
  WHERE g.claimed_at > %(since)s AND g.recipient_digest IS NOT NULL AND g.state <> 'cancelled'),
edges AS (
  SELECT giver, receiver, sum(credits)::int AS credits, max(at) AS at,
         coalesce(array_agg(gift ORDER BY gift) FILTER (WHERE gift IS NOT NULL), '{}') AS gifts,
         coalesce(array_agg(kudos ORDER BY kudos) FILTER (WHERE kudos IS NOT NULL), '{}') AS kudos
  FROM gave GROUP BY giver, receiver HAVING sum(credits) >= %(credits_min)s)
"""
RECIPROCAL = (
    EDGES
    + """
SELECT 'reciprocal:' || a.giver || ':' || b.giver || to_char(greatest(a.at, b.at) AT TIME ZONE 'UTC', ':YYYY-MM') AS key,
       ARRAY[a.giver, b.giver] AS people, a.gifts || b.gifts AS gifts, a.kudos || b.kudos AS kudos,
       jsonb_build_object('credits', a.credits + b.credits) AS numbers
FROM edges a JOIN edges b ON b.giver = a.receiver AND b.receiver = a.giver WHERE a.giver < b.giver
"""
)
# From the member with the smallest id, so that a ring is walked once. Of the rings that share an exchange the shortest is
# told: in a team where all give to all the rings of four, five and six say nothing that those of three do not.
RING = (
    EDGES  # noqa: S608 — constants alone
    + """,
walks AS (
  SELECT receiver AS last, ARRAY[giver, receiver] AS people FROM edges WHERE giver < receiver
  UNION ALL
  SELECT e.receiver, w.people || e.receiver FROM walks w JOIN edges e ON e.giver = w.last
  WHERE e.receiver > w.people[1] AND e.receiver <> ALL (w.people) AND cardinality(w.people) < %(ring_max)s),
steps AS (
  SELECT w.people, s.* FROM walks w JOIN edges back ON back.giver = w.last AND back.receiver = w.people[1]
  CROSS JOIN LATERAL generate_subscripts(w.people, 1) place
  JOIN edges s ON s.giver = w.people[place] AND s.receiver = w.people[place %% cardinality(w.people) + 1]
  WHERE cardinality(w.people) >= 3),
shortest AS (SELECT giver, receiver, min(cardinality(people)) AS length FROM steps GROUP BY giver, receiver),
rings AS (
  SELECT people, max(at) AS at, sum(credits) AS credits FROM steps JOIN shortest USING (giver, receiver)
  GROUP BY people HAVING bool_or(length = cardinality(people)))
SELECT 'ring:' || md5(people::text) || to_char(at AT TIME ZONE 'UTC', ':YYYY-MM') AS key, people,
       ARRAY(SELECT unnest(s.gifts) FROM steps s WHERE s.people = r.people) AS gifts,
       ARRAY(SELECT unnest(s.kudos) FROM steps s WHERE s.people = r.people) AS kudos,
       jsonb_build_object('credits', credits) AS numbers
FROM rings r
"""
)
OWN_GIFT = """
SELECT 'own_gift:' || g.id AS key, ARRAY[g.giver_id] AS people, ARRAY[g.id] AS gifts, '{}'::uuid[] AS kudos,
       '{}'::jsonb AS numbers
FROM rewards_gift g JOIN rewards_colleaguedigest d ON d.digest = g.recipient_digest AND d.person_id = g.giver_id
WHERE g.claimed_at > %(since)s AND g.recipient_digest IS NOT NULL AND (%(gift)s::uuid IS NULL OR g.id = %(gift)s::uuid)
"""
MANY_GIVERS = """
SELECT 'many_givers:' || left(encode(g.recipient_digest, 'hex'), 32)
           || to_char(max(g.claimed_at) AT TIME ZONE 'UTC', ':YYYY-MM') AS key,
       array_agg(DISTINCT g.giver_id) AS people, array_agg(g.id ORDER BY g.id) AS gifts, '{}'::uuid[] AS kudos,
       jsonb_build_object('count', count(DISTINCT g.giver_id)) AS numbers
FROM rewards_gift g
WHERE g.claimed_at > %(since)s AND g.recipient_digest IS NOT NULL AND g.state <> 'cancelled'
  AND (%(gift)s::uuid IS NULL
       OR g.recipient_digest = (SELECT recipient_digest FROM rewards_gift WHERE id = %(gift)s::uuid))
GROUP BY g.recipient_digest HAVING count(DISTINCT g.giver_id) >= %(givers_min)s
"""
# A receipt's number may come back another day: tills begin anew each morning.
ONE_RECEIPT = """
SELECT 'one_receipt:' || r.shop_id || to_char(r.captured_at AT TIME ZONE 'UTC', ':YYYY-MM-DD:') || r.receipt AS key,
       array_agg(DISTINCT g.giver_id) AS people, array_agg(DISTINCT g.id) AS gifts, '{}'::uuid[] AS kudos,
       jsonb_build_object('count', count(DISTINCT g.giver_id)) AS numbers
FROM rewards_redemption r JOIN rewards_gift g ON g.id = r.gift_id
WHERE r.state = 'captured' AND r.captured_at > %(since)s
  AND (%(gift)s::uuid IS NULL
       OR (r.shop_id, r.receipt) IN (SELECT shop_id, receipt FROM rewards_redemption WHERE gift_id = %(gift)s::uuid))
GROUP BY r.shop_id, r.receipt, to_char(r.captured_at AT TIME ZONE 'UTC', ':YYYY-MM-DD:')
HAVING count(DISTINCT g.giver_id) >= %(givers_min)s
"""
# An undecided finding takes new evidence in, and a manager who has the old page open is told to look again.
KEEP = """
INSERT INTO rewards_reviewitem (key, reason, people, gifts, kudos, numbers, state, version, found_at)
SELECT key, %(reason)s, people, gifts, kudos, numbers || jsonb_build_object('days', %(days)s::int), 'open', 1, %(at)s
FROM ({finder}) found ORDER BY key
ON CONFLICT (key) DO UPDATE SET gifts = excluded.gifts, kudos = excluded.kudos, people = excluded.people,
                                numbers = excluded.numbers, version = rewards_reviewitem.version + 1
WHERE rewards_reviewitem.state IN ('open', 'frozen')
  AND NOT (rewards_reviewitem.gifts @> excluded.gifts AND rewards_reviewitem.kudos @> excluded.kudos)
"""
Reason = ReviewItem.Reason
OF_A_GIFT = {Reason.OWN_GIFT: OWN_GIFT, Reason.MANY_GIVERS: MANY_GIVERS, Reason.ONE_RECEIPT: ONE_RECEIPT}
ALL = {Reason.RING: RING, Reason.RECIPROCAL: RECIPROCAL, **OF_A_GIFT}


@transaction.atomic
def refresh() -> int:
    """Everything within the window. Twice is fine; returns how many findings are new or have new evidence."""
    remember_addresses()
    return _find(ALL, gift=None)


@transaction.atomic
def refresh_of(gift_id: UUID) -> int:
    """What this gift's redemption may have made: its own claim, its recipient, its receipt."""
    return _find(OF_A_GIFT, gift=gift_id)


def _find(finders: dict[Any, str], *, gift: UUID | None) -> int:
    at, found = clock.now(), 0
    with connection.cursor() as cursor:
        for reason, finder in finders.items():
            cursor.execute(KEEP.replace("{finder}", finder), {**_limits(at), "reason": str(reason), "gift": gift})
            found += cursor.rowcount
    return found


def _limits(at: datetime) -> dict[str, Any]:
    since = at - timedelta(days=WINDOW_DAYS)
    return {
        "at": at,
        "since": since,
        "days": WINDOW_DAYS,
        "credits_min": CREDITS_MIN,
        "givers_min": GIVERS_MIN,
        "ring_max": RING_MAX,
    }


def remember_addresses() -> int:
    """Keyed hashes of colleagues' addresses, also those that HR has changed since; leavers' go after 90 days."""
    ColleagueDigest.objects.filter(person__left_on__lt=(clock.now() - DIGESTS_KEPT).date()).delete()
    known = {(bytes(digest), person) for digest, person in ColleagueDigest.objects.values_list("digest", "person_id")}
    rows = Person.objects.present().order_by().values_list("pk", "email", "mobile")
    now = {(codes.recipient_digest(address), pk) for pk, *both in rows for address in both if address}
    fresh = [ColleagueDigest(digest=digest, person_id=pk) for digest, pk in sorted(now - known)]
    ColleagueDigest.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)
