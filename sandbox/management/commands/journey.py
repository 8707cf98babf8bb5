"""`manage.py journey`: play one question's journey against the running product, and print it."""

from typing import Any

from django.core.management.base import BaseCommand

from sandbox.journey import Journey, StepFailed


class Command(BaseCommand):
    help = "Play a question's journey through the real interfaces; non-zero when a step fails."

    def handle(self, *args: Any, **options: Any) -> None:
        journey = Journey(self.stdout.write)
        try:
            journey.play()
        except StepFailed as failure:
            self.stderr.write(f"\nthe journey failed: {failure}")
            raise SystemExit(1) from failure
