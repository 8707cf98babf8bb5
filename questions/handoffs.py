"""What people still carry by hand: the register of every move that the desk or a lead had to make, with its minutes.

Read from the events, which say so by their `minutes`: how long the question waited for a person to do it. Who did it is
not shown: the register is about work that could be automated, not about people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, FloatField, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from questions.models import Event
from rewards.reports import Report

LABELS: dict[str, Any] = {
    "desk_took": _("the desk took it"),
    "topic_chosen": _("the desk chose the topic"),
    "desk_assigned": _("the desk chose the expert"),
    "desk_answered": _("the desk answered"),
    "desk_closed": _("the desk closed it"),
    "approved": _("a second pair of eyes approved"),
    "approval_refused": _("a second pair of eyes sent it back"),
}


@dataclass(frozen=True)
class Line:
    """One kind of hand-off in a period."""

    kind: str
    label: str
    count: int
    minutes: int  # waited in all
    average: int


def register() -> QuerySet[Event]:
    return Event.objects.filter(data__has_key="minutes").select_related("question__topic")


def label(kind: str) -> str:
    return str(LABELS.get(kind, kind))


def summary(rows: QuerySet[Event]) -> list[Line]:
    """By kind, the one that keeps most people busy first."""
    minutes = Cast(KeyTextTransform("minutes", "data"), FloatField())
    kinds = rows.order_by().values("kind")
    found = kinds.annotate(count=Count("pk"), minutes=Sum(minutes), average=Avg(minutes)).order_by("-minutes")
    return [
        Line(row["kind"], label(row["kind"]), row["count"], round(row["minutes"]), round(row["average"])) for row in found
    ]


def as_report(rows: QuerySet[Event]) -> Report:
    columns = tuple(map(str, (_("when"), _("by hand"), _("question"), _("topic"), _("minutes waited"))))
    return Report(name="hand-offs", columns=columns, rows=_rows(rows))


def _rows(rows: QuerySet[Event]) -> Iterator[tuple[Any, ...]]:
    for event in rows.order_by("-at", "-pk").iterator(chunk_size=500):
        topic = event.question.topic.slug if event.question.topic else ""
        when = event.at.astimezone().strftime("%Y-%m-%d %H:%M")
        yield when, label(event.kind), event.question.reference, topic, int(event.data["minutes"])
