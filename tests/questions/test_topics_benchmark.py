"""`python -m benchmarks.topics` measures the product's own classifier, with the options and keys that are promised."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from benchmarks import topics as benchmark
from questions import classifier
from questions.classifier import Sample
from tests.questions.sentences import ASKED, NAMES, STRANGE, TAUGHT

TRAIN = [(text, topic) for topic, rows in TAUGHT.items() for _language, text in rows]
KEYS = {
    *("top1", "top3", "cross_language_top1", "out_of_scope_recall", "in_scope_sent_to_triage"),
    *("ms_per_question", "resident_mb"),
}


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "category"), *rows])
    return path


def run(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.topics", *options, "--json"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_training_file_alone_is_enough(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", TRAIN)
    found = run("--train", str(train), "--shots", "1,all")
    assert set(found) >= KEYS
    assert set(found["top1"]) == set(found["top3"]) == {"1", "all"}
    assert found["top1"]["1"] <= found["top1"]["all"] <= found["top3"]["all"] == 1
    assert found["cross_language_top1"] is found["out_of_scope_recall"] is found["in_scope_sent_to_triage"] is None
    assert found["ms_per_question"] > 0
    assert found["resident_mb"] > 0


def test_a_test_file_and_a_file_of_strangers(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", TRAIN)
    test = write(tmp_path / "test.csv", [(text, topic) for topic, text in ASKED])
    strange = write(tmp_path / "strange.csv", [(text, "oos") for text in STRANGE])
    own = {"train": [list(row) for row in TRAIN], "val": [[text, topic] for topic, text in ASKED]}
    own["oos_val"] = [[text, "oos"] for text in STRANGE]
    (tmp_path / "own.json").write_text(json.dumps(own))
    alone = run("--train", str(train), "--test", str(test), "--out-of-scope", str(strange), "--shots", "all")
    brought = benchmark.out_of_scope(tmp_path / "own.json", [], None)
    for key in ("out_of_scope_recall", "in_scope_sent_to_triage"):
        assert 0 <= alone[key] == brought[key] <= 1
    assert alone["top1"]["all"] >= 0.9


def test_it_asks_the_products_own_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are those of the model that the product would make of the same rows."""
    bench = benchmark.Bench(TRAIN, NAMES)
    model = bench.learn(range(len(TRAIN)))
    texts = [text for _topic, text in ASKED]
    own = classifier.fit([Sample(*row) for row in TRAIN], NAMES).predict(texts)
    for one, other in zip(model.predict(texts), own, strict=True):
        assert [label for label, _share in one.ranked] == [label for label, _share in other.ranked]
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
    monkeypatch.setattr(classifier, "ROWS_MAX", 12)
    assert len(bench.learn(range(len(TRAIN))).keys) == 12


def test_few_examples_are_drawn_the_same_way_in_every_run() -> None:
    labels = [label for _text, label in TRAIN]
    once = benchmark.draw(labels, range(len(TRAIN)), 3, seed=1)
    assert once == benchmark.draw(labels, range(len(TRAIN)), 3, seed=1)
    assert once != benchmark.draw(labels, range(len(TRAIN)), 3, seed=2)
    assert sorted(labels[place] for place in once) == sorted(label for label in NAMES for _three in range(3))


def test_no_fold_learns_what_it_is_asked() -> None:
    splits = benchmark.splits(TRAIN, None)
    assert len(splits) == benchmark.FOLDS
    assert sorted(place for _learn, asked in splits for place in asked) == list(range(len(TRAIN)))
    assert all(not set(learn) & set(asked) for learn, asked in splits)
    assert benchmark.splits(TRAIN, TRAIN[:4]) == [(list(range(len(TRAIN))), list(range(len(TRAIN), len(TRAIN) + 4)))]
