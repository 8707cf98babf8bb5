"""How alike texts are: a space of training rows, and the similarity exp(−γ d²) of a text to each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from questions.embedding import BUCKETS, Floats, Views

AXES = 512  # that a large space is projected on: 98 % of its variance, a third of the time a question takes
AXES_FROM = 2_000  # rows from which that pays
OUTPUT_WEIGHT, POOLED_WEIGHT, CHARACTER_WEIGHT = 1.0, 0.5, 0.5
GAMMA = 1.1


@dataclass
class Space:
    """Where the training rows lie, and how far a text is from each of them."""

    means: tuple[Floats, Floats]  # of output and pooled layer
    scales: tuple[float, float]
    axes: Floats  # (512 + 1280) × d, what both are projected on together; 0 × 0 for not at all
    rows: Floats  # n × d, centred and weighted
    norms: Floats  # squared lengths
    idf: Floats  # a weight a bucket
    starts: NDArray[np.int64]  # postings of bucket b: from starts[b] to starts[b + 1]
    where: NDArray[np.int32]  # training row
    weight: Floats  # its tf-idf weight; rows have length 1

    @classmethod
    def fit(cls, views: Views, names: int) -> "Space":
        """The last `names` rows are topics' names: short, alike, and centred by their own mean."""
        known = len(views) - names
        means, scales = [], []
        parts = []
        for rows, weight in ((views.output, OUTPUT_WEIGHT), (views.pooled, POOLED_WEIGHT)):
            mean = rows[:known].mean(0) if known else rows.mean(0)
            own = rows[known:].mean(0) if names > 1 and known else mean
            centred = np.concatenate([rows[:known] - mean, rows[known:] - own])
            scale = float(np.sqrt(weight / max(float((centred[: known or None] ** 2).sum(1).mean()), 1e-6)))
            means.append(mean)
            scales.append(scale)
            parts.append(centred * scale)
        placed = np.concatenate(parts, axis=1).astype(np.float32)
        axes = _axes(placed)
        idf = _idf(views.grams)
        placed = placed @ axes if axes.size else placed
        return cls.of((means[0], means[1]), (scales[0], scales[1]), axes, placed, idf, _postings(views.grams, idf))

    @classmethod
    def of(
        cls,
        means: tuple[Floats, Floats],
        scales: tuple[float, float],
        axes: Floats,
        rows: Floats,
        idf: Floats,
        postings: tuple[NDArray[np.int64], NDArray[np.int32], Floats],
    ) -> "Space":
        rows = np.ascontiguousarray(rows, np.float32)
        return cls(means, scales, np.asarray(axes, np.float32), rows, (rows**2).sum(1), idf, *postings)

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, views: Views) -> Floats:
        """Texts as the rows are: centred, weighted, projected."""
        output, pooled = (views.output - self.means[0]) * self.scales[0], (views.pooled - self.means[1]) * self.scales[1]
        placed = np.concatenate([output, pooled], axis=1)
        return np.asarray(placed @ self.axes if self.axes.size else placed, np.float32)

    def similarity(self, placed: Floats, texts: Sequence[dict[int, float]]) -> Floats:
        """m × n similarities, 1 for the same text."""
        distance = placed @ self.rows.T
        distance *= -2
        distance += self.norms[None, :]
        distance += (placed**2).sum(1)[:, None]
        for line, text in zip(distance, texts, strict=True):
            line += 2 * CHARACTER_WEIGHT * (1 - self._characters(text))
        np.maximum(distance, 0, out=distance)
        distance *= -GAMMA / (OUTPUT_WEIGHT + POOLED_WEIGHT + CHARACTER_WEIGHT)
        return np.asarray(np.exp(distance, out=distance), np.float32)

    def _characters(self, text: dict[int, float]) -> Floats:
        """Cosine of the n-grams with every row."""
        weights = _weighted(text, self.idf)
        if not weights:
            return np.zeros(len(self), np.float32)
        spans = [slice(self.starts[bucket], self.starts[bucket + 1]) for bucket in weights]
        where = np.concatenate([self.where[span] for span in spans])
        part = np.concatenate([self.weight[span] * own for span, own in zip(spans, weights.values(), strict=True)])
        return np.bincount(where, part, len(self)).astype(np.float32)


def _axes(rows: Floats) -> Floats:
    """The directions in which many rows differ most; 0 × 0 where there are too few rows to tell."""
    if len(rows) < AXES_FROM:
        return np.zeros((0, 0), np.float32)
    _variances, directions = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    return np.ascontiguousarray(directions[:, -AXES:], np.float32)


def _idf(texts: Sequence[dict[int, float]]) -> Floats:
    found = np.zeros(BUCKETS, np.float32)
    for text in texts:
        found[list(text)] += 1
    return np.asarray(np.log((1 + len(texts)) / (1 + found)) + 1, np.float32)


def _weighted(text: dict[int, float], idf: Floats) -> dict[int, float]:
    weights = {bucket: count * float(idf[bucket]) for bucket, count in text.items()}
    length = sum(weight * weight for weight in weights.values()) ** 0.5 or 1.0
    return {bucket: weight / length for bucket, weight in weights.items()}


def _postings(texts: Sequence[dict[int, float]], idf: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
    buckets: list[int] = []
    where: list[int] = []
    weights: list[float] = []
    for row, text in enumerate(texts):
        own = _weighted(text, idf)
        buckets += own.keys()
        where += [row] * len(own)
        weights += own.values()
    order = np.argsort(np.asarray(buckets, np.int64), kind="stable")
    counts = np.bincount(np.asarray(buckets, np.int64), minlength=BUCKETS)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return starts, np.asarray(where, np.int32)[order], np.asarray(weights, np.float32)[order]
