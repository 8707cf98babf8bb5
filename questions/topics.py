"""Which topic is this text about? Trains the classifier when labels change, keeps its versions, asks the newest.

A version is a row: every worker notices a new one at its next question and swaps without a restart. A training run that
does worse than the version before, on what that one knew, is kept for the record and not used; an operator may (`use`).
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
STOP_GAP_SAMPLES = 400  # what a question waits for where no version is stored yet: about a second

_lock = threading.Lock()
_loaded: tuple[tuple[int, str], Model] | None = None  # version and what it learned from
_stop_gap: tuple[str, Model] | None = None
_unreadable: set[tuple[int, str]] = set()  # another release's versions


@dataclass(frozen=True)
class Choice:
    """The chosen topic, or None for triage; `confidence` 0 to 1; the best three as guesses; which version said so."""

    topic: Topic | None
    confidence: float
    guesses: list[UUID]
    version: int


def choose(text: str, *, not_about: Topic | None = None) -> Choice:
    """The topic that this text is about, when the model is sure enough to route it without a person.

    `not_about`: who knows this topic said that it is another one.
    """
    version, model = _current()
    if not model.labels:
        return Choice(None, 0.0, [], version)
    [found] = model.predict([text])
    active = {str(topic.pk): topic for topic in Topic.objects.filter(is_active=True) if topic != not_about}
    ranked = [label for label, _probability in found.ranked if label in active]
    sure = found.is_sure and bool(ranked) and ranked[0] == found.ranked[0][0]
    return Choice(active[ranked[0]] if sure else None, found.confidence, [UUID(label) for label in ranked[:3]], version)


def _current() -> tuple[int, Model]:
    """The newest active version that can be read, from memory while it is the newest; 0 for the stop-gap."""
    global _loaded
    versions = TopicModel.objects.filter(is_active=True).order_by("-version").values_list("version", "labels_key")
    with _lock:
        for newest in versions:
            if _loaded is not None and _loaded[0] == newest:
                return newest[0], _loaded[1]
            model = None if newest in _unreadable else _read(*newest)
            if model is not None:
                _loaded = newest, model
                return newest[0], model
    return 0, _made_in_passing()


def _read(version: int, key: str) -> Model | None:
    """What is damaged is used by nobody any more and learned anew; what another release wrote is that release's."""
    row = TopicModel.objects.filter(version=version).first()
    if row is None:
        return None
    try:
        return Model.from_bytes(bytes(row.data))
    except classifier.OtherFormat:
        _unreadable.add((version, key))
    except classifier.BadModel:
        log.exception("topic model version %s is damaged", version)
        TopicModel.objects.filter(version=version).update(is_active=False, labels_key="")
    labels_changed()
    return None


def _made_in_passing() -> Model:
    """Until the worker has stored a version: some examples of each topic, learned on the spot, in this process's memory."""
    global _stop_gap
    samples, names = labels()
    key = _key(samples, names)
    with _lock:
        if _stop_gap is None or _stop_gap[0] != key:
            labels_changed()
            _stop_gap = key, classifier.fit(classifier.within_limit(samples, STOP_GAP_SAMPLES), names)
        return _stop_gap[1]


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
    if not _my_turn():
        return None
    samples, names = labels()
    key = _key(samples, names)
    last = TopicModel.objects.order_by("-version").values_list("labels_key", flat=True).first()
    if last == key:
        return None
    model = classifier.fit(samples, names)
    before = TopicModel.objects.filter(is_active=True).order_by("-version").first()
    accuracy, judged = _on_what_was_known(model, before) if before else (model.accuracy, 0)
    is_fine = before is None or _is_no_worse(accuracy, before.accuracy, judged)
    made = TopicModel.objects.create(
        trained_at=clock.real(),
        labels_key=key,
        data=model.to_bytes(),
        examples=len(samples),
        newest_example=max((sample.key for sample in samples), default=0),
        accuracy=model.accuracy if is_fine else accuracy,
        previous_accuracy=before.accuracy if before else None,
        is_active=is_fine,
    )
    if is_fine:
        _forget_old()
    else:
        log.error("topic model version %s is worse: %.3f, was %.3f", made.version, accuracy, made.previous_accuracy)
    return made


def _my_turn() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [TRAINING_LOCK])
        [mine] = cursor.fetchone() or [False]
    return bool(mine)


def _on_what_was_known(model: Model, before: TopicModel) -> tuple[float, int]:
    """(held-out share right, of how many), judged by the examples, topics and labels of the version before.

    What is new is new because it was hard. And labels that were all changed at once agree with one another: only what
    they were before tells that something went wrong.
    """
    try:
        old = Model.from_bytes(bytes(before.data))
    except classifier.BadModel:
        judged = [said == one.label for one, said in model.unseen(model.labels) if one.key <= before.newest_example]
    else:
        labels_then, both = old.learned(), set(old.labels) & set(model.labels)
        then = [(one, labels_then[one.key], said) for one, said in model.unseen(both) if one.key in labels_then]
        judged = [said == (was if was in both else one.label) for one, was, said in then if one.label in both]
    return (sum(judged) / len(judged), len(judged)) if judged else (model.accuracy, 0)


def _is_no_worse(accuracy: float, before: float, judged: int) -> bool:
    """Not by more than chance: the standard error of a share, taken at 90 % where the share itself is higher."""
    share = min(before, 0.9)
    chance = sqrt(share * (1 - share) / max(judged, 1))
    return accuracy >= before - TOLERANCE * chance


@transaction.atomic
def use(version: int) -> bool:
    """An operator's word: from now on this version chooses, and newer ones do not. False when there is none."""
    if not TopicModel.objects.filter(version=version).update(is_active=True):
        return False
    TopicModel.objects.filter(version__gt=version).update(is_active=False)
    return True


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
