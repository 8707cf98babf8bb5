"""What may I say? The ground rules, by version; everybody says once that they have read a version."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from backend.errors import NotFound, Refusal
from people.models import GroundRules, GroundRulesAcceptance, Person


class NewerRules(Refusal):
    """There is a newer version: read that one."""

    code = "newer_ground_rules"


def current(at: datetime) -> GroundRules | None:
    """The newest version that is out at `at`; None before there is one."""
    return GroundRules.objects.filter(published_at__lte=at).order_by("-version").first()


def accepted_at(person: Person, rules: GroundRules) -> datetime | None:
    row = GroundRulesAcceptance.objects.filter(person=person, rules=rules).first()
    return row.accepted_at if row else None


@transaction.atomic
def accept(person: Person, version: int, at: datetime) -> GroundRules:
    """Twice is fine: the first time counts. Raises NotFound, NewerRules."""
    rules = current(at)
    if rules is None or version > rules.version:
        raise NotFound(_("This version of the ground rules does not exist."))
    if version < rules.version:
        raise NewerRules(_("There is a newer version of the ground rules."))
    GroundRulesAcceptance.objects.get_or_create(person=person, rules=rules, defaults={"accepted_at": at})
    return rules
