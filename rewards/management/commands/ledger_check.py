"""`manage.py ledger_check`: prove the books, or say what is wrong with them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from rewards import checks
from rewards.models import Transfer


class Command(BaseCommand):
    help = "Proves the invariants of the ledger; fails and explains when one is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:  # one moment for all rules, while transfers go on
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            broken, transfers = checks.violations(), Transfer.objects.count()
        for line in broken:
            self.stderr.write(line)
        if broken:
            raise CommandError(f"the ledger breaks {len(broken)} rules")
        self.stdout.write(f"the ledger is right: {len(checks.RULES)} rules over {transfers} transfers")
