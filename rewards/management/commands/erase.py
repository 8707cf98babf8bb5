"""`manage.py erase`: forget a friend or somebody who has left, as far as rewards goes. The books stay as they are."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.errors import Refusal
from people.models import Person
from rewards import erasure


class Command(BaseCommand):
    help = "Forgets what rewards keeps of a friend or a leaver; amounts and reports do not change."

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--friend", metavar="ADDRESS", help="the mail address or mobile number entered at the claim")
        who.add_argument("--link", metavar="LINK", help="of a gift whose friend entered nothing")
        who.add_argument("--leaver", metavar="EMPLOYEE_NUMBER")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = self._erase(**options)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"forgot {count}")

    def _erase(self, *, friend: str, link: str, leaver: str, **_options: Any) -> int:
        if friend:
            return erasure.erase_friend(friend)
        if link:
            return erasure.erase_friend_of(link)
        person = Person.objects.filter(employee_number=leaver).first()
        if person is None:
            raise CommandError("nobody has this employee number")
        return erasure.erase_leaver(person)
