"""How well questions find their topic, on the company's own history.

Two views. *Recorded*: what was decided when each question came in, against the topic under which it was answered. *Held
out*: today's classifier learns what was known before the latest fifth of the answered questions, and is asked these. The
first is what people met; the second compares releases on the same questions. The examples that topics were given carry no
date, so both count them as known from the start, save those that are an asked question's own words.

Only answered questions have a topic that is certain. Where the asker chose the topic, nothing was decided.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from questions import classifier, topics
from questions.classifier import Sample
from questions.masking import masked
from questions.models import Event, Question, Topic, TopicExample

HELD_OUT_SHARE = 5  # the latest fifth is asked, what came before is learned
HELD_OUT_MIN = 10  # answered questions below which nothing is held out
QUESTIONS_MAX = 12_000  # the latest: what one training run can take in, and a fifth to ask
GROUPS = ((0, "0"), (1, "1-4"), (5, "5-9"), (10, "10-29"), (30, "30+"))  # from how many examples of its topic


@dataclass(frozen=True)
class Decision:
    """What was, or would be, decided about one question whose topic is known now."""

    topic: str  # where it was answered: a slug
    guesses: Sequence[str]  # likeliest first; three, or one in records of older releases
    alone: bool  # routed without a person
    examples: int | None = None  # of its topic when it was decided


@dataclass
class Shares:
    """Of `questions`: right at first, right among three, sent to a person; of those routed without one: wrong."""

    questions: int = 0
    top1: float | None = None
    top3: float | None = None
    sent_to_triage: float | None = None
    misroutes: float | None = None
    by_topic: dict[str, "Shares"] = field(default_factory=dict)
    by_examples: dict[str, "Shares"] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in ("questions", "top1", "top3", "sent_to_triage", "misroutes")}
        parts = {"by_topic": self.by_topic, "by_examples": self.by_examples}
        return numbers | {name: {key: one.as_json() for key, one in part.items()} for name, part in parts.items() if part}


def shares(decisions: Sequence[Decision]) -> Shares:
    """All together, by topic, and by the number of examples where that is known."""
    found = _shares(decisions)
    by_topic, by_examples = defaultdict(list), defaultdict(list)
    for one in decisions:
        by_topic[one.topic].append(one)
        if one.examples is not None:
            by_examples[group(one.examples)].append(one)
    found.by_topic = {slug: _shares(by_topic[slug]) for slug in sorted(by_topic)}
    found.by_examples = {name: _shares(by_examples[name]) for _least, name in GROUPS if name in by_examples}
    return found


def _shares(decisions: Sequence[Decision]) -> Shares:
    if not decisions:
        return Shares()
    routed = [one for one in decisions if one.alone]
    return Shares(
        questions=len(decisions),
        top1=_share(one.topic in one.guesses[:1] for one in decisions),
        top3=_share(one.topic in one.guesses[: classifier.GUESSES] for one in decisions),
        sent_to_triage=_share(not one.alone for one in decisions),
        misroutes=_share(one.topic not in one.guesses[:1] for one in routed) if routed else None,
    )


def _share(facts: Iterable[bool]) -> float:
    known = list(facts)
    return round(sum(known) / len(known), 4)


def group(examples: int) -> str:
    return next(name for least, name in reversed(GROUPS) if examples >= least)


# --- what was decided ------------------------------------------------------------------------------------------------


def answered(since: datetime | None) -> QuerySet[Question]:
    """Questions with a released answer and so with a topic that is certain."""
    released = Event.objects.filter(question=OuterRef("pk"), kind="answered")
    rows = Question.objects.filter(Exists(released), topic__isnull=False)
    return rows.filter(received_at__gte=since) if since else rows


def recorded(since: datetime | None = None) -> list[Decision]:
    """The classifier's first decision about each answered question, from the thread."""
    slugs = {str(pk): slug for pk, slug in Topic.objects.values_list("pk", "slug")}
    final = dict(answered(since).values_list("pk", "topic__slug"))
    events = Event.objects.filter(question__in=answered(since).values("pk"), kind__in=["topic_chosen", "triage"])
    found: dict[Any, Decision] = {}
    for question, kind, data in events.order_by("id").values_list("question_id", "kind", "data").iterator():
        if question not in found and _by_classifier(kind, data):
            guesses = [slugs[pk] for pk in data.get("guesses", []) if pk in slugs] or [data.get("topic", "")]
            found[question] = Decision(str(final[question]), guesses, kind == "topic_chosen")
    return list(found.values())


def _by_classifier(kind: str, data: dict[str, Any]) -> bool:
    """Not the desk's choice, and not the way back to it that an expert's "not my topic" takes."""
    return data.get("by") == "examples" if kind == "topic_chosen" else "guesses" in data


# --- what today's classifier would decide ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    text: str  # masked, as examples are
    topic: str


def held_out(since: datetime | None = None) -> list[Decision]:
    """Learn what came before, ask the latest fifth. Empty where fewer than HELD_OUT_MIN questions were answered."""
    rows = answered(since).filter(is_confidential=False, topic__is_active=True).order_by("-received_at", "-pk")
    latest = [Known(masked(text), slug) for text, slug in rows.values_list("text", "topic__slug")[:QUESTIONS_MAX]]
    if len(latest) < HELD_OUT_MIN:
        return []
    ask = latest[: len(latest) // HELD_OUT_SHARE]
    return decisions_on(ask, learned=list(reversed(latest[len(ask) :])))


def decisions_on(ask: Sequence[Known], learned: Sequence[Known]) -> list[Decision]:
    unseen = {one.text for one in ask}
    given = TopicExample.objects.filter(source=TopicExample.Source.GIVEN, topic__is_active=True, is_counter_example=False)
    examples = given.order_by("pk").values_list("text", "topic__slug")
    samples = [Sample(text, slug) for text, slug in examples if text not in unseen]
    samples += [Sample(one.text, one.topic) for one in learned]
    counts: dict[str, int] = defaultdict(int)
    for sample in samples:
        counts[sample.label] += 1
    model = classifier.fit(samples, _names())
    predictions = model.predict([one.text for one in ask])
    return [
        Decision(one.topic, [label for label, _share in said.ranked[: classifier.GUESSES]], said.is_sure, counts[one.topic])
        for one, said in zip(ask, predictions, strict=True)
    ]


def _names() -> dict[str, list[str]]:
    slugs = {str(pk): slug for pk, slug in Topic.objects.values_list("pk", "slug")}
    _samples, names = topics.labels()
    return {slugs[label]: words for label, words in names.items()}
