"""What people ask: a week's questions of a topic in groups that ask the same, with the change against the week before.

Groups by Taylor and Butina: the question with most others near it stands for them all, they leave, and again. It is
deterministic, needs no number of groups, and names each group by a real question.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import transaction

from backend import clock
from questions import knowledge
from questions.embedding import Floats
from questions.masking import masked
from questions.models import AskedGroup, AskedWeek, Question

WEEK = timedelta(days=7)
NEAR = 0.65  # cosine from which two questions ask the same: of two about other things fewer than 1 % come so near
SMALLEST = 2  # what one person asked is that person's
GROUPS_MAX = 50  # of a topic
QUESTIONS_MAX = 3000  # of a topic: every pair is compared


@dataclass(frozen=True)
class Group:
    """`representative` and `members` are rows; the representative is a member."""

    representative: int
    members: tuple[int, ...]


def groups(vectors: Floats, *, near: float = NEAR) -> list[Group]:
    """Rows of length 1 in groups, largest first; every row in exactly one. Ties go to the earlier row."""
    close = vectors @ vectors.T >= near
    np.fill_diagonal(close, val=True)
    left = np.ones(len(vectors), bool)
    found = []
    while left.any():
        sizes = np.where(left, (close & left).sum(1), 0)
        centre = int(sizes.argmax())
        members = np.flatnonzero(close[centre] & left)
        found.append(Group(centre, tuple(members.tolist())))
        left[members] = False
    return found


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _span(starts_on: date) -> tuple[datetime, datetime]:
    """The week in the company's time, as it also was when the clocks changed in it."""
    zone = ZoneInfo(settings.TIME_ZONE)
    return datetime.combine(starts_on, time(), zone), datetime.combine(starts_on + WEEK, time(), zone)


def group_last_week() -> bool:
    """Group the last whole week, unless that has been done. True when it was done now."""
    today = clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).date()
    starts_on = monday(today) - WEEK
    if AskedWeek.objects.filter(pk=starts_on).exists():
        return False
    made = _grouped(starts_on)
    with transaction.atomic():  # two workers at it: the second one's work is thrown away
        _week, fresh = AskedWeek.objects.get_or_create(starts_on=starts_on, defaults={"made_at": clock.now()})
        if fresh:
            AskedGroup.objects.bulk_create(made)
    return fresh


def _grouped(starts_on: date) -> list[AskedGroup]:
    before = _texts(starts_on - WEEK)
    rows = []
    for topic_id, texts in sorted(_texts(starts_on).items()):
        rows += _groups_of_topic(starts_on, topic_id, texts, before.get(topic_id, []))
    return rows


def _texts(starts_on: date) -> dict[UUID, list[str]]:
    """By topic: the week's questions, masked, in order of receipt; without confidential ones and what was no question."""
    begins, ends = _span(starts_on)
    rows = Question.objects.filter(
        received_at__gte=begins, received_at__lt=ends, is_confidential=False, topic__isnull=False
    ).exclude(close_reason=Question.CloseReason.NOT_A_QUESTION)
    texts: dict[UUID, list[str]] = defaultdict(list)
    for topic_id, text in rows.order_by("received_at", "pk").values_list("topic_id", "text").iterator():
        texts[topic_id].append(text)
    return {topic_id: [masked(text) for text in found[:QUESTIONS_MAX]] for topic_id, found in texts.items()}


def _groups_of_topic(starts_on: date, topic_id: UUID, texts: Sequence[str], before: Sequence[str]) -> list[AskedGroup]:
    vectors = knowledge.vectors(texts)
    found = [group for group in groups(vectors) if len(group.members) >= SMALLEST][:GROUPS_MAX]
    earlier = knowledge.vectors(before)
    return [
        AskedGroup(
            week_id=starts_on,
            topic_id=topic_id,
            rank=rank,
            text=texts[group.representative],
            count=len(group.members),
            total=len(texts),
            previous_count=int((earlier @ vectors[group.representative] >= NEAR).sum()),
        )
        for rank, group in enumerate(found, 1)
    ]
