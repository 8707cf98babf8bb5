"""How somebody's answers did: speed, ratings, and the level they speak for. Personal figures, so behind PERSONAL_SCORES.

Off is the default: then nothing here runs. With the works council's consent routing counts them, and the person sees their
own (`GET /me/expertise`). Nobody else does: they stand in no reason, no stored score and no page of the back office.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, F, Q

from backend import clock
from questions.models import Answer

COUNTED = timedelta(days=180)
LEARNED = {2: 5, 3: 20}  # answers on the topic that helped → the level they speak for


@dataclass(frozen=True)
class Record:
    """One person's answers on one topic in the last half year."""

    answers: int = 0
    quick: int = 0  # before half of the promised time had passed
    helped: int = 0
    not_helped: int = 0

    @property
    def score(self) -> float:
        """0 to 1, half speed and half ratings. One good and one bad are given to everybody: two answers make no star."""
        rated = self.helped + self.not_helped
        return ((self.quick + 1) / (self.answers + 2) + (self.helped + 1) / (rated + 2)) / 2

    @property
    def level(self) -> int:
        return max((level for level, needed in LEARNED.items() if self.helped >= needed), default=1)


def of(topic_id: UUID | None, people: Iterable[UUID]) -> dict[UUID, Record]:
    """Everybody's record on this topic, in one query. Called only where settings.PERSONAL_SCORES is on."""
    since = clock.now() - COUNTED
    rows = Answer.objects.filter(question__topic=topic_id, author__in=list(people), received_at__gte=since)
    counted = rows.filter(state__in=[Answer.State.RELEASED, Answer.State.CORRECTED], corrects__isnull=True)
    figures = counted.values("author").annotate(
        answers=Count("pk"),
        quick=Count("pk", filter=Q(received_at__lte=F("round__steps_at__0"))),
        good=Count("pk", filter=Q(helped=True)),
        bad=Count("pk", filter=Q(helped=False)),
    )
    found = {row["author"]: Record(row["answers"], row["quick"], row["good"], row["bad"]) for row in figures}
    return {person_id: found.get(person_id, Record()) for person_id in people}
