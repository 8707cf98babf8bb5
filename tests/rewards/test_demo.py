"""The demo company has something to give."""

from django.core.management import call_command

from people.models import Person
from rewards import checks, gifts
from rewards.models import Account, Offer
from tests.rewards.conftest import available, claim, give


def test_the_demo_company_gives_coffee(db: None) -> None:
    call_command("demo")
    giver = Person.objects.filter(mobile__isnull=False).earliest("employee_number")
    assert available(giver) >= 1
    gift = give(giver, Offer.objects.get(slug="koffie"))
    assert len(claim(gift["link"])) == 17
    assert gifts.by_secret(gift["link"].rsplit("/", 1)[1])
    assert Account.objects.filter(kind="allowance").count() >= 30
    assert checks.violations() == []
