"""Proves that everybody's count of open questions is what they hold, and that nothing waits unseen. Repairs nothing."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, F, Q

from people.models import Person
from questions.models import Assignment, Question, Workload


class Command(BaseCommand):
    help = "Check capacity counters and that every unanswered question is with somebody or will be looked at."

    def handle(self, *args: Any, **options: Any) -> None:
        problems = [*_counters(), *_holders(), *_questions()]
        for line in problems:
            self.stdout.write(line)
        if problems:
            raise CommandError(f"{len(problems)} problems")
        self.stdout.write("every counter is right, every holder works here, every question is looked after")


def _counters() -> list[str]:
    held = Count("person__assignments", filter=Q(person__assignments__state__in=Assignment.OPEN))
    wrong = Workload.objects.annotate(held=held).exclude(open_count=F("held")).select_related("person")
    return [f"{row.person}: counts {row.open_count}, holds {row.held}" for row in wrong]


def _holders() -> list[str]:
    gone = Person.objects.exclude(pk__in=Person.objects.present().values("pk"))
    rows = Assignment.objects.filter(state__in=Assignment.OPEN, expert__in=gone).select_related("expert", "question")
    return [f"{row.question}: held by {row.expert}, who left" for row in rows]


def _questions() -> list[str]:
    """Offered to nobody; or waiting, and no worker will look: only the desk's items may."""
    held = Assignment.objects.filter(state__in=Assignment.OPEN)
    alone = Question.objects.filter(state__in=Question.WITH_AN_EXPERT).exclude(pk__in=held.values("question"))
    loose = Question.objects.filter(state__in=["received", "routing"], route_at__isnull=True)
    return [
        *(f"{row}: {row.state}, and with nobody" for row in alone),
        *(f"{row}: {row.state}, and nothing will look at it" for row in loose),
    ]
