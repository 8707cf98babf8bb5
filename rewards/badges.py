"""Badges count the facts that rewards is told. Counting is the database's; telling is `notify`'s."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Prefetch

from backend import clock
from notifications.notify import notify
from people.models import Person
from rewards import words
from rewards.models import Badge

# One person's facts of one kind: what a fresh fact asks.
AWARD = """
INSERT INTO rewards_badge (person_id, rule_id, awarded_at)
SELECT %(person)s, r.id, %(at)s FROM rewards_badgerule r
WHERE r.kind = %(kind)s AND r.is_active
  AND NOT EXISTS (SELECT 1 FROM rewards_badge b WHERE b.person_id = %(person)s AND b.rule_id = r.id)
  AND r.count <= (SELECT count(*) FROM rewards_fact f
                  WHERE f.person_id = %(person)s AND f.kind = r.kind AND f.withdrawn_at IS NULL)
ON CONFLICT (person_id, rule_id) DO NOTHING RETURNING id
"""
# Everybody's: two facts that came at once did not see each other, and a new rule has a past.
MISSING = """
SELECT f.person_id, f.kind FROM rewards_fact f JOIN rewards_badgerule r ON r.kind = f.kind AND r.is_active
WHERE f.withdrawn_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM rewards_badge b WHERE b.person_id = f.person_id AND b.rule_id = r.id)
  AND EXISTS (SELECT 1 FROM people_person p
              WHERE p.id = f.person_id AND (p.left_on IS NULL OR p.left_on > %(today)s))
GROUP BY f.person_id, f.kind, r.id, r.count HAVING count(*) >= r.count
LIMIT %(limit)s
"""
MINE = """
SELECT r.slug, r.kind, r.count, r.name_nl, r.name_en, b.awarded_at,
       (SELECT count(*) FROM rewards_fact f
        WHERE f.person_id = %(person)s AND f.kind = r.kind AND f.withdrawn_at IS NULL)
FROM rewards_badgerule r LEFT JOIN rewards_badge b ON b.rule_id = r.id AND b.person_id = %(person)s
WHERE r.is_active OR b.id IS NOT NULL
ORDER BY r.kind, r.count, r.slug
"""


def award(person: Person, kind: str) -> int:
    """The badges that the person's facts of this kind have reached, each once, and told. Leavers get none."""
    if not person.is_active:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(AWARD, {"person": person.pk, "kind": kind, "at": clock.now()})
        made = [pk for (pk,) in cursor.fetchall()]
    if made:
        for badge in Badge.objects.select_related("person", "rule").filter(pk__in=made):
            _tell(badge)
    return len(made)


def _tell(badge: Badge) -> None:
    subject = f"badge:{badge.rule.slug}"
    notify(
        badge.person,
        key=f"badge:{badge.pk}",
        event="badge_awarded",
        subject_key=subject,
        **words.badge_awarded(badge.rule, badge.person.language),
    )


def missing(limit: int) -> list[tuple[UUID, str]]:
    """People and kinds whose facts have reached a badge that was not awarded."""
    with connection.cursor() as cursor:
        cursor.execute(MISSING, {"today": clock.now().date(), "limit": limit})
        return [(person, kind) for person, kind in cursor.fetchall()]


@transaction.atomic
def award_missing(found: tuple[UUID, str]) -> int:
    person_id, kind = found
    return award(Person.objects.get(pk=person_id), kind)


@dataclass(frozen=True)
class Progress:
    """How far one's own facts are towards a badge: nobody else's business."""

    slug: str
    kind: str
    count: int
    name_nl: str
    name_en: str
    awarded_at: datetime | None
    have: int


def mine(person: Person) -> list[Progress]:
    with connection.cursor() as cursor:
        cursor.execute(MINE, {"person": person.pk})
        return [Progress(*row) for row in cursor.fetchall()]


def team_of(person: Person) -> Any:
    """Those of the person's team who chose to show their badges, with them. Empty without a team."""
    shown = Badge.objects.select_related("rule").order_by("rule__kind", "rule__count", "rule__slug")
    rows = Person.objects.present().filter(shows_badges=True, team__isnull=False, team=person.team_id)
    return rows.prefetch_related(Prefetch("badges", queryset=shown, to_attr="shown_badges"))
