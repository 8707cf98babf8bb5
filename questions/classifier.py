"""Text in, topics out: kernel ridge regression on sentence embeddings and character n-grams, with calibrated confidence.

Three views of a text: the sentence encoder's output (512 numbers), its pooled layer before the last dense ones (1280), and
character n-grams. Their weighted mean squared distance becomes a similarity, exp(−γ d²), on which ridge regression learns
one-hot labels. A topic's names count as examples of it, so that a topic nobody gave an example can be found. Leave-one-out
predictions come from the same fit in closed form; they calibrate the confidence and the two lines below which a person
decides: for texts about nothing we know (the energy of all scores together is low), and for texts that could be about two
things.

Pure: no database, no clock; the same samples give the same model.
"""

import io
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from questions.embedding import Floats, Views
from questions.similarity import Space

FORMAT = 2
ROWS_MAX = 10_000  # samples: fitting holds a square of this side in memory
RIDGE = 0.1
BALANCE = 0.5  # a quiet topic's rows are held to their label more tightly than a busy one's: (its share)^BALANCE
NAME_TARGET = 1.3  # a name is a better example than most: what it is pulled to, in examples
NEGATIVE_TARGET = -0.5  # what "this is not about the topic" pulls its score to
ROUTES_ALONE = 5  # examples a topic needs before anything is routed to it without a person
SAME = 0.97  # similarity above which a text is the example itself: what was taught once is known
ENERGY = 8.0  # temperature of the energy that says how much a text looks like anything we know
IN_SCOPE_LOSS = 0.018  # leave-one-out share of known kinds of questions below the line; of new ones it is up to twice that
MISROUTES_MAX = 0.018  # leave-one-out share of wrong ones among those routed without a person
GUESSES = 3
# What holds before there is much to learn it from (a topic list with its first dozen examples); data overrules it.
USUAL_SLOPE = (1.0, 0.5, 0.0, -1.0)  # of the confidence, as in `_signals`
USUAL_KNOWN_LINE, USUAL_SURE_LINE = 0.15, 0.65
USUAL_COUNTS = 100  # examples that the usual lines count for
SHRINKING = 20.0  # how hard the slope is held to the usual one


@dataclass(frozen=True)
class Sample:
    """A text that is about `label`, or that somebody who knows said is not."""

    text: str
    label: str
    is_negative: bool = False
    key: int = 0  # the caller's own, e.g. a row's id


@dataclass(frozen=True)
class Prediction:
    """All labels with their probabilities, likeliest first; how likely the first is right; may it be routed alone?"""

    ranked: list[tuple[str, float]]
    confidence: float
    is_sure: bool
    score: float  # how much it looks like anything we know; comparable within one model


class BadModel(ValueError):
    """These bytes are no model."""


class OtherFormat(BadModel):
    """A model, written by another release."""


# --- ridge regression ------------------------------------------------------------------------------------------------

BLOCK = 512


def _cholesky(matrix: Floats) -> None:
    """Lower triangle in place, block by block: half the memory and time of numpy's, which copies."""
    for start in range(0, len(matrix), BLOCK):
        end = min(start + BLOCK, len(matrix))
        corner = np.linalg.cholesky(matrix[start:end, start:end].astype(np.float64)).astype(np.float32)
        matrix[start:end, start:end] = corner
        if end == len(matrix):
            return
        below = matrix[end:, start:end] @ np.linalg.inv(corner.astype(np.float64)).astype(np.float32).T
        matrix[end:, start:end] = below
        for row in range(end, len(matrix), BLOCK):
            stop = min(row + BLOCK, len(matrix))
            matrix[row:stop, end:stop] -= below[row - end : stop - end] @ below[: stop - end].T


def _inverse_lower(lower: Floats) -> Floats:
    """The inverse of a lower triangle, block column by block column."""
    size = len(lower)
    inverse = np.zeros_like(lower)
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        corner = np.linalg.inv(np.tril(lower[start:end, start:end]).astype(np.float64)).astype(np.float32)
        if start:
            inverse[start:end, :start] = -corner @ (lower[start:end, :start] @ inverse[:start, :start])
        inverse[start:end, start:end] = corner
    return inverse


def _solve(kernel: Floats, targets: Floats, ridge: Floats) -> tuple[Floats, Floats]:
    """(coefficients n × k, leave-one-out predictions n × k) of regression with a ridge a row; overwrites the kernel."""
    kernel[np.diag_indices(len(kernel))] += ridge
    _cholesky(kernel)
    inverse = _inverse_lower(kernel)
    coefficients = inverse.T @ (inverse @ targets)
    diagonal = np.einsum("ij,ij->j", inverse, inverse)
    return coefficients, targets - coefficients / diagonal[:, None]


# --- confidence ------------------------------------------------------------------------------------------------------


@dataclass
class Lines:
    """What turns scores into probabilities and into "a person decides". All of it from leave-one-out predictions."""

    temperature: float = 8.0
    known_line: float = USUAL_KNOWN_LINE  # below: about nothing we know
    slope: list[float] = field(default_factory=lambda: list(USUAL_SLOPE))
    sure_line: float = 1.1  # below: could be about something else
    accuracy: float = 0.0

    def probabilities(self, scores: Floats) -> Floats:
        scaled = scores * self.temperature
        scaled = np.exp(scaled - scaled.max(1, keepdims=True))
        return np.asarray(scaled / scaled.sum(1, keepdims=True), np.float32)

    def confidence(self, scores: Floats) -> Floats:
        logit = _signals(scores) @ np.asarray(self.slope, np.float32)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), np.float32)


def knownness(scores: Floats) -> Floats:
    """How much a text looks like anything we know: the energy of its scores, 0 for a text that resembles nothing."""
    scaled = scores * ENERGY
    top = scaled.max(1)
    return np.asarray(top + np.log(np.exp(scaled - top[:, None]).mean(1)), np.float32)


def _signals(scores: Floats) -> Floats:
    """What confidence is worked out from: the best score, its margin to the next, knownness, and a constant."""
    best = np.sort(scores, axis=1)[:, -2:]
    margin = best[:, -1] - best[:, 0]  # of one label alone: nothing
    ones = np.ones(len(scores), np.float32)
    return np.stack([best[:, -1] * 10, margin * 5, knownness(scores), ones], axis=1).astype(np.float32)


def _calibrate(scores: Floats, truth: NDArray[np.int64]) -> Lines:
    """`truth` is the right column of each row."""
    lines = Lines()
    rows = np.arange(len(truth))
    losses = []
    for temperature in (2.0, 4.0, 6.0, 8.0, 10.0, 14.0, 20.0):
        lines.temperature = temperature
        losses.append((-float(np.log(lines.probabilities(scores)[rows, truth] + 1e-9).mean()), temperature))
    lines.temperature = min(losses)[1]
    known = knownness(scores)
    right = (scores.argmax(1) == truth).astype(np.float32)
    lines.accuracy = float(right.mean())
    lines.slope = _logistic(_signals(scores), right)
    own = len(truth) / (len(truth) + USUAL_COUNTS)
    lines.known_line = own * float(np.quantile(known, IN_SCOPE_LOSS)) + (1 - own) * USUAL_KNOWN_LINE
    sure_line = _sure_line(lines.confidence(scores), right, known >= lines.known_line)
    lines.sure_line = own * sure_line + (1 - own) * USUAL_SURE_LINE
    return lines


def _logistic(signals: Floats, right: Floats, rounds: int = 40) -> list[float]:
    """Newton's method, held to what is usual while there is little to learn from."""
    usual = np.asarray(USUAL_SLOPE)
    slope = usual.copy()
    for _round in range(rounds):
        chance = 1 / (1 + np.exp(-np.clip(signals @ slope, -30, 30)))
        gradient = signals.T @ (right - chance) - SHRINKING * (slope - usual)
        curvature = (signals * (chance * (1 - chance))[:, None]).T @ signals + SHRINKING * np.eye(len(slope))
        step = np.linalg.solve(curvature, gradient)
        slope += step / max(1.0, float(np.abs(step).max()))  # at most one at a time: far off, Newton overshoots
    return [float(value) for value in slope]


def _sure_line(confidence: Floats, right: Floats, known: NDArray[np.bool_]) -> float:
    """The lowest confidence above which at most MISROUTES_MAX are wrong, a standard error of few wrong ones included."""
    order = np.argsort(-confidence[known], kind="stable")
    wrong = np.cumsum(1 - right[known][order])
    share = (wrong + np.sqrt(wrong)) / np.arange(1, len(order) + 1)
    fine = np.nonzero(share <= MISROUTES_MAX)[0]
    return float(confidence[known][order][fine[-1]]) if len(fine) else 1.1


# --- the model -------------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """A trained classifier. `accuracy` is its share right on examples it did not learn from (leave-one-out)."""

    labels: list[str]
    space: Space | None
    coefficients: Floats  # n × k
    owner: NDArray[np.int32]  # the label of each row; −1 for a negative one
    examples: NDArray[np.int32]  # positive examples of each label, names not counted
    lines: Lines
    keys: NDArray[np.int64]  # of the samples it learned from, a row each; names have none
    left_out: tuple[list[Sample], Floats] | None = None  # of a fresh fit: its samples' scores without having seen them

    @property
    def accuracy(self) -> float:
        return self.lines.accuracy

    def unseen(self, among: Collection[str]) -> list[tuple[Sample, str]]:
        """What a fresh fit says about each of its samples without having seen it, with only these labels to choose from."""
        columns = [number for number, label in enumerate(self.labels) if label in among]
        if self.left_out is None or not columns:
            return []
        samples, scores = self.left_out
        said = scores[:, columns].argmax(1)
        return [(sample, self.labels[columns[one]]) for sample, one in zip(samples, said, strict=True)]

    def learned(self) -> dict[int, str]:
        """The label that each positive sample had, by the sample's key."""
        return {int(key): self.labels[own] for key, own in zip(self.keys, self.owner, strict=False) if own >= 0}

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction a text. A model without labels gives empty ones."""
        return self.predict_views(Views.of(texts))

    def predict_views(self, views: Views) -> list[Prediction]:
        if self.space is None or not self.labels:
            return [Prediction([], 0.0, False, 0.0) for _text in range(len(views))]
        parts = range(0, len(views), BLOCK)
        return [one for start in parts for one in self._part(views.take(range(len(views))[start : start + BLOCK]))]

    def _part(self, views: Views) -> list[Prediction]:
        assert self.space is not None  # noqa: S101 — predict_views has seen to it
        similarity = self.space.similarity(self.space.place(views), views.grams)
        scores = similarity @ self.coefficients
        known, closest, twins = knownness(scores), similarity.max(1), similarity.argmax(1)
        probabilities, confidence = self.lines.probabilities(scores), self.lines.confidence(scores)
        return [
            self._one(probabilities[i], float(confidence[i]), float(known[i]), float(closest[i]), int(twins[i]))
            for i in range(len(views))
        ]

    def _one(self, probabilities: Floats, confidence: float, known: float, closest: float, twin: int) -> Prediction:
        order = [int(column) for column in np.argsort(-probabilities, kind="stable")]
        if closest >= SAME and self.owner[twin] >= 0:
            best = int(self.owner[twin])
            order = [best, *(column for column in order if column != best)]
            sure, confidence = True, max(confidence, closest)
        else:
            taught = self.examples[order[0]] >= ROUTES_ALONE
            sure = bool(taught and known >= self.lines.known_line and confidence >= self.lines.sure_line)
        ranked = [(self.labels[column], float(probabilities[column])) for column in order]
        return Prediction(ranked, confidence, sure, known)

    def to_bytes(self) -> bytes:
        """Compressed arrays and JSON; nothing in it is executed when it is read."""
        packed = io.BytesIO()
        about = {"format": FORMAT, "labels": self.labels, "lines": self.lines.__dict__}
        arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
        if self.space is not None:
            space = self.space
            arrays |= {"mean_output": space.means[0], "mean_pooled": space.means[1], "scales": np.asarray(space.scales)}
            arrays |= {"axes": space.axes, "rows": space.rows.astype(np.float16), "idf": space.idf.astype(np.float16)}
            arrays |= {"counts": np.diff(space.starts).astype(np.int32), "where": space.where}
            arrays |= {"weight": space.weight.astype(np.float16), "coefficients": self.coefficients}
            arrays |= {"owner": self.owner, "examples": self.examples, "keys": self.keys}
        np.savez_compressed(packed, **arrays)
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Model":
        """Raises BadModel for anything that `to_bytes` did not write, OtherFormat for what another release's did."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as packed:
                about = json.loads(packed["about"].tobytes())
                if about["format"] != FORMAT:
                    raise OtherFormat(f"format {about['format']}, not {FORMAT}")
                return cls._unpack(about, packed)
        except BadModel:
            raise
        except Exception as error:
            raise BadModel("not a model") from error

    @classmethod
    def _unpack(cls, about: dict[str, Any], packed: Any) -> "Model":
        if "rows" not in packed:
            return nothing()
        starts = np.concatenate([[0], np.cumsum(packed["counts"])]).astype(np.int64)
        output, pooled = (float(scale) for scale in packed["scales"])
        space = Space.of(
            (packed["mean_output"], packed["mean_pooled"]),
            (output, pooled),
            packed["axes"],
            packed["rows"],
            packed["idf"].astype(np.float32),
            (starts, packed["where"], packed["weight"].astype(np.float32)),
        )
        lines, owner, keys = Lines(**about["lines"]), packed["owner"], packed["keys"]
        return cls(about["labels"], space, packed["coefficients"], owner, packed["examples"], lines, keys)


def nothing() -> Model:
    """A model that knows no topic: every question goes to a person."""
    empty = np.zeros((0, 0), np.float32)
    return Model([], None, empty, np.zeros(0, np.int32), np.zeros(0, np.int32), Lines(), np.zeros(0, np.int64))


def fit(samples: Iterable[Sample], names: dict[str, list[str]]) -> Model:
    """Learn from samples and from the topics' `names` (label → names and descriptions); every label needs one of both."""
    kept = within_limit(list(samples))
    views = Views.of([sample.text for sample in kept] + [name for label in sorted(names) for name in names[label]])
    return fit_views(kept, names, views)


def within_limit(samples: Sequence[Sample], limit: int = ROWS_MAX) -> list[Sample]:
    """At most `limit` samples, the newest of each label in turn, so that a busy topic does not push out a quiet one."""
    if len(samples) <= limit:
        return list(samples)
    seen: Counter[str] = Counter()
    turns = []
    for place in range(len(samples) - 1, -1, -1):
        seen[samples[place].label] += 1
        turns.append((seen[samples[place].label], -place))
    return [samples[-place] for _turn, place in sorted(sorted(turns)[:limit], key=lambda turn: -turn[1])]


def fit_views(kept: Sequence[Sample], names: dict[str, list[str]], views: Views) -> Model:
    """`fit` for texts that are embedded already: the samples', then the names' by label in order."""
    labels = sorted(
        {sample.label for sample in kept if not sample.is_negative} | {label for label in names if names[label]}
    )
    if not labels:
        return nothing()
    column = {label: number for number, label in enumerate(labels)}
    named = [label for label in sorted(names) for _name in names[label]]
    owner = [column.get(s.label, -1) if not s.is_negative else -1 for s in kept] + [column[label] for label in named]
    space = Space.fit(views, len(named))
    learned = [row for row in range(len(kept)) if owner[row] >= 0]
    examples = np.bincount([owner[row] for row in learned], minlength=len(labels)).astype(np.int32)
    targets = _targets(kept, owner, column)
    coefficients, left_out = _solve(_kernel(space, views), targets, _ridge(owner, examples))
    lines = Lines()
    if len(learned) >= len(labels) > 1:
        lines = _calibrate(left_out[learned], np.asarray([owner[row] for row in learned], np.int64))
    keys = np.asarray([sample.key for sample in kept], np.int64)
    unseen = [kept[row] for row in learned], left_out[learned]
    return Model(labels, space, coefficients, np.asarray(owner, np.int32), examples, lines, keys, unseen)


def _targets(kept: Sequence[Sample], owner: Sequence[int], column: dict[str, int]) -> Floats:
    """n × k: one-hot minus the mean; the rows after the samples' are names. "Not about this" pulls one score down."""
    targets = np.full((len(owner), len(column)), -1 / len(column), np.float32)
    positive = [row for row, label in enumerate(owner) if label >= 0]
    targets[positive, [owner[row] for row in positive]] += 1
    targets[len(kept) :] *= NAME_TARGET
    for row, sample in enumerate(kept):
        if owner[row] < 0:
            targets[row] = 0
        if owner[row] < 0 and sample.label in column:
            targets[row, column[sample.label]] = NEGATIVE_TARGET
    return targets


def _ridge(owner: Sequence[int], examples: NDArray[np.int32]) -> Floats:
    """How loosely each row is held to its target: less so where a label has few."""
    share = (examples + 1) / (examples.mean() + 1)
    own = np.asarray(owner)
    return np.asarray(RIDGE * np.where(own >= 0, share[own] ** BALANCE, 1.0), np.float32)


def _kernel(space: Space, views: Views) -> Floats:
    """n × n similarities of the training rows."""
    kernel = np.empty((len(views), len(views)), np.float32)
    for start in range(0, len(views), BLOCK):
        part = slice(start, start + BLOCK)
        kernel[part] = space.similarity(space.rows[part], views.grams[part])
    return kernel
