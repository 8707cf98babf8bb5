"""`manage.py evaluate_routing [--since DAY] [--json]`: how well questions find their topic here."""

import json
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from questions import evaluation
from questions.evaluation import Shares

COLUMNS = ("questions", "top1", "top3", "sent_to_triage", "misroutes")


class Command(BaseCommand):
    help = (
        "What the choice of topics got right: as it was decided then, and as today's classifier decides about the latest "
        "fifth after learning what came before. Shares of answered questions; misroutes are shares of what went without "
        "a person."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=date.fromisoformat, help="a day, e.g. 2026-03-01: only what came in from then")
        parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")

    def handle(self, *args: Any, since: date | None, **options: Any) -> None:
        begin = datetime(since.year, since.month, since.day, tzinfo=UTC) if since else None
        recorded = evaluation.shares(evaluation.recorded(begin))
        held_out = evaluation.shares(evaluation.held_out(begin))
        if options["json"]:
            self.stdout.write(json.dumps({"recorded": recorded.as_json(), "held_out": held_out.as_json()}))
            return
        self._say("As it was decided", recorded, "No question that the classifier decided about has been answered yet.")
        few = f"Fewer than {evaluation.HELD_OUT_MIN} questions have been answered: too few to hold any out."
        self._say("As it would be decided today, on the latest fifth", held_out, few)

    def _say(self, title: str, found: Shares, nothing: str) -> None:
        self.stdout.write(f"{title}:")
        if not found.questions:
            self.stdout.write(f"  {nothing}")
            return
        lines = {"": found, **found.by_topic, **{f"{name} examples": one for name, one in found.by_examples.items()}}
        width = max(len(name) for name in lines)
        self.stdout.write("  ".join([" " * width, *(f"{name:>14}" for name in COLUMNS)]))
        for name, one in lines.items():
            cells = (_cell(getattr(one, column)) for column in COLUMNS)
            self.stdout.write("  ".join([f"{name or 'all':<{width}}", *(f"{cell:>14}" for cell in cells)]))


def _cell(value: float | None) -> str:
    if isinstance(value, int):
        return str(value)
    return "–" if value is None else f"{value:.1%}"
