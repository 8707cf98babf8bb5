"""Which topic is this text about? Trains the classifier when labels change, keeps its versions, asks the newest.

A version is a row: every worker notices a new one at its next question and swaps without a restart. A training run that
does worse on held-out examples is kept for the record and never used.
"""

import hashlib
import logging
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from uuid import UUID

from django.db import connection, transaction

from backend import clock
from backend.ring import ring
from questions import classifier
from questions.classifier import Model, Sample
from questions.models import Topic, TopicExample, TopicModel

log = logging.getLogger(__name__)

TRAIN_AT_MOST_EVERY = timedelta(minutes=10)  # answers teach all day: one training run takes in many
KEPT_VERSIONS = 2  # the one in use and the one before
TOLERANCE = 2  # standard errors by which held-out accuracy may fall: less is chance
TRAINING_LOCK = 7_203_001  # advisory: one worker trains, the others go on with the version they have

_lock = threading.Lock()
_loaded: tuple[tuple[int, str], Model] | None = None  # version and what it learned from


@dataclass(frozen=True)
class Choice:
    """The chosen topic, or None for triage; `confidence` 0 to 1; the best three as guesses; which version said so."""

    topic: Topic | None
    confidence: float
    guesses: list[UUID]
    version: int


def choose(text: str, language: str = "") -> Choice:
    """The topic that this text is about, when the model is sure enough to route it without a person."""
    version, model = _current()
    if not model.labels:
        return Choice(None, 0.0, [], version)
    [found] = model.predict([text])
    active = {str(topic.pk): topic for topic in Topic.objects.filter(is_active=True)}
    ranked = [label for label, _probability in found.ranked if label in active]
    sure = found.is_sure and bool(ranked) and ranked[0] == found.ranked[0][0]
    return Choice(active[ranked[0]] if sure else None, found.confidence, [UUID(label) for label in ranked[:3]], version)


def _current() -> tuple[int, Model]:
    """The newest active version, from memory while it is the newest. The first question ever waits for a first training."""
    global _loaded
    newest = _newest_version()
    if newest is None:
        train()
        newest = _newest_version()
    with _lock:
        if _loaded is None or _loaded[0] != newest:
            row = TopicModel.objects.filter(is_active=True).latest("version")
            _loaded = ((row.version, row.labels_key), Model.from_bytes(bytes(row.data)))
        return _loaded[0][0], _loaded[1]


def _newest_version() -> tuple[int, str] | None:
    return TopicModel.objects.filter(is_active=True).order_by("-version").values_list("version", "labels_key").first()


# --- training --------------------------------------------------------------------------------------------------------


def labels_changed() -> None:
    """Somebody taught something: train soon."""
    ring("questions.tasks.train_topics")


def train_when_due() -> TopicModel | None:
    """Train when the labels are others than the last run's, at most every ten minutes."""
    last = TopicModel.objects.order_by("-version").values_list("trained_at", flat=True).first()
    if last is not None and clock.real() - last < TRAIN_AT_MOST_EVERY:
        return None
    return train()


@transaction.atomic
def train() -> TopicModel | None:
    """One training run, by one worker; None when another is at it or nothing changed. The result may be rejected."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [TRAINING_LOCK])
        [mine] = cursor.fetchone() or [False]
    samples, names = labels()
    key = _key(samples, names)
    last = TopicModel.objects.order_by("-version").first()
    if not mine or (last is not None and last.labels_key == key):
        return None
    model = classifier.fit(samples, names)
    before = TopicModel.objects.filter(is_active=True).order_by("-version").first()
    accuracy = _on_the_same_examples(model, before)
    made = TopicModel.objects.create(
        trained_at=clock.real(),
        labels_key=key,
        data=model.to_bytes(),
        examples=len(samples),
        newest_example=max((sample.key for sample in samples), default=0),
        accuracy=model.accuracy,
        previous_accuracy=before.accuracy if before else None,
        is_active=before is None or _is_no_worse(accuracy, before.accuracy, before.examples),
    )
    if made.is_active:
        _forget_old()
    else:
        log.error("topic model version %s is worse: %.3f, was %.3f", made.version, accuracy, made.previous_accuracy)
    return made


def _on_the_same_examples(model: Model, before: TopicModel | None) -> float:
    """Held-out accuracy on what the version before was judged on too: what is new is new because it was hard."""
    old = [right for sample, right in model.left_out if before and sample.key <= before.newest_example]
    return sum(old) / len(old) if old else model.accuracy


def _is_no_worse(accuracy: float, before: float, examples: int) -> bool:
    """Not by more than chance: the standard error of a share, taken at 90 % where the share itself is higher."""
    share = min(before, 0.9)
    chance = sqrt(share * (1 - share) / max(examples, 1))
    return accuracy >= before - TOLERANCE * chance


def _forget_old() -> None:
    kept = TopicModel.objects.filter(is_active=True).order_by("-version").values_list("version", flat=True)[:KEPT_VERSIONS]
    TopicModel.objects.exclude(version__in=list(kept)).delete()


def labels() -> tuple[list[Sample], dict[str, list[str]]]:
    """(what was taught, the names and descriptions by topic) of the topics in use. Labels are the topics' ids."""
    names: dict[str, list[str]] = defaultdict(list)
    for topic in Topic.objects.filter(is_active=True).order_by("pk"):
        words = (topic.name_nl, topic.name_en, topic.description_nl, topic.description_en)
        names[str(topic.pk)] += [text for text in words if text]
    rows = TopicExample.objects.filter(topic__is_active=True).order_by("pk")
    columns = rows.values_list("pk", "text", "topic_id", "is_counter_example")
    return [Sample(text, str(topic), counter, key) for key, text, topic, counter in columns], dict(names)


def _key(samples: list[Sample], names: dict[str, list[str]]) -> str:
    digest = hashlib.sha256(repr((classifier.FORMAT, sorted(names.items()))).encode())
    for sample in samples:
        digest.update(repr((sample.text, sample.label, sample.is_negative)).encode())
    return digest.hexdigest()
