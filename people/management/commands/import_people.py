"""`manage.py import_people FILE [--dry-run]`: take over HR's list of people."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people import roster


class Command(BaseCommand):
    help = "Import people from HR's CSV. Repeatable. Exit code 1 when a row was refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="UTF-8, with a header line; , or ; between the cells")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and write nothing")

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        report = roster.import_csv(text, dry_run=dry_run)
        for line in report.lines():
            self.stdout.write(line)
        if report.refused:
            raise SystemExit(1)
