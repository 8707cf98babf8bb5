"""The directory: who works here, in which team, and what they know about. Contact only of those who opted in."""

from typing import Any

from django.db.models import Prefetch, Q

from people.models import Person
from questions.models import Expertise


def search(text: str = "", topic: str = "") -> Any:
    """Present colleagues whose name, or a topic of theirs, holds `text`; with `topic` (a slug) those who know it."""
    knows = Expertise.objects.filter(topic__is_active=True)
    rows = Person.objects.present().select_related("team")
    if topic:
        rows = rows.filter(pk__in=knows.filter(topic__slug=topic).values("person"))
    if text:
        about = Q(topic__slug__icontains=text) | Q(topic__name_nl__icontains=text) | Q(topic__name_en__icontains=text)
        rows = rows.filter(Q(name__icontains=text) | Q(pk__in=knows.filter(about).values("person")))
    known = knows.select_related("topic").order_by("topic__slug")
    return rows.prefetch_related(Prefetch("expertise", queryset=known, to_attr="knows"))
