"""How often the promise was kept, by topic and week; with pauses, and as if nobody had ever waited for the asker."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, F, Q, Value
from django.db.models.functions import Coalesce, TruncWeek

from questions.models import Round


@dataclass(frozen=True)
class Kept:
    """The promises of one topic that were due or kept in one week; `topic` is a slug, empty while none was known."""

    week: date  # its Monday
    topic: str
    settled: int
    kept: int
    kept_without_pauses: int

    @property
    def rate(self) -> float:
        return self.kept / self.settled

    @property
    def rate_without_pauses(self) -> float:
        return self.kept_without_pauses / self.settled


def kept_rates(since: datetime, until: datetime) -> list[Kept]:
    """Rounds with a verdict whose due time lies in the span; weeks are the company's. Newest week first. One query."""
    kept = Q(verdict=Round.Verdict.KEPT)
    in_time = kept & Q(settled_at__lte=Coalesce("unpaused_due_at", "due_at"))
    rows = (
        Round.objects.filter(due_at__gte=since, due_at__lt=until)
        .filter(verdict__in=[Round.Verdict.KEPT, Round.Verdict.BREACHED])
        .annotate(week=TruncWeek("due_at"), topic=Coalesce(F("question__topic__slug"), Value("")))
        .order_by()
        .values("week", "topic")
        .annotate(settled=Count("pk"), kept=Count("pk", filter=kept), unpaused=Count("pk", filter=in_time))
        .order_by("-week", "topic")
    )
    return [Kept(row["week"].date(), row["topic"], row["settled"], row["kept"], row["unpaused"]) for row in rows]
