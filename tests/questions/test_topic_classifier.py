"""What the classifier says about questions it has not seen: right, unsure, or not for it at all. No database."""

import numpy as np
import pytest

from questions import classifier, embedding, similarity
from questions.classifier import BadModel, Model, OtherFormat, Sample
from tests.questions.sentences import ASKED, NAMES, STRANGE, TAUGHT


def samples(language: str = "", each: int = 99) -> list[Sample]:
    kept = {topic: [text for spoken, text in rows if language in {"", spoken}][:each] for topic, rows in TAUGHT.items()}
    return [Sample(text, topic) for topic, texts in kept.items() for text in texts]


def right(model: Model, asked: tuple[tuple[str, str], ...] = ASKED, guesses: int = 1) -> float:
    found = model.predict([text for _topic, text in asked])
    good = [
        topic in [label for label, _p in one.ranked[:guesses]] for one, (topic, _text) in zip(found, asked, strict=True)
    ]
    return sum(good) / len(good)


@pytest.fixture(scope="module")
def taught() -> Model:
    return classifier.fit(samples(), NAMES)


def test_new_questions_find_their_topic_in_both_languages(taught: Model) -> None:
    assert right(taught) >= 0.9
    assert right(taught, guesses=3) == 1


def test_what_is_routed_without_a_person_is_right_and_is_most(taught: Model) -> None:
    found = taught.predict([text for _topic, text in ASKED])
    sure = [(one, topic) for one, (topic, _text) in zip(found, ASKED, strict=True) if one.is_sure]
    assert len(sure) >= len(ASKED) / 2
    assert all(one.ranked[0][0] == topic for one, topic in sure)


def test_strangers_go_to_a_person_and_score_below_every_known_kind(taught: Model) -> None:
    strange, known = taught.predict(STRANGE), taught.predict([text for _topic, text in ASKED])
    assert not any(one.is_sure for one in strange)
    assert np.median([one.score for one in strange]) < min(one.score for one in known)
    assert sum(one.score < taught.lines.known_line for one in strange) >= len(STRANGE) / 2


def test_confidence_is_a_share_and_higher_where_it_is_right(taught: Model) -> None:
    found = taught.predict([text for _topic, text in ASKED])
    assert all(0 <= one.confidence <= 1 for one in found)
    assert all(abs(sum(share for _label, share in one.ranked) - 1) < 1e-3 for one in found)
    assert np.mean([one.confidence for one in found]) > max(one.confidence for one in taught.predict(STRANGE))


def test_english_examples_serve_dutch_questions() -> None:
    dutch = tuple(row for row in ASKED if embedding.is_dutch(row[1]))
    assert len(dutch) == 8
    assert right(classifier.fit(samples("en"), NAMES), dutch) >= 3 / 4


def test_names_alone_give_a_first_idea_that_a_person_decides() -> None:
    cold = classifier.fit([], NAMES)
    assert right(cold, guesses=3) >= 0.9
    assert right(cold) >= 0.6
    assert not any(one.is_sure for one in cold.predict([text for _topic, text in ASKED]))


def test_under_five_examples_a_topic_is_suggested_never_routed_alone() -> None:
    four, five = classifier.fit(samples(each=4), NAMES), classifier.fit(samples(each=5), NAMES)
    texts = [text for _topic, text in ASKED]
    assert right(four, guesses=3) >= 0.9
    assert not any(one.is_sure for one in four.predict(texts))
    assert any(one.is_sure for one in five.predict(texts))


def test_what_was_taught_once_is_known_word_for_word() -> None:
    model = classifier.fit([*samples(each=4), Sample("Zjoefel kwibus flapdrol?", "fines")], NAMES)
    [twin] = model.predict(["Zjoefel kwibus flapdrol?"])
    assert (twin.ranked[0][0], twin.is_sure) == ("fines", True)


def test_not_my_topic_counts_against_it() -> None:
    text = "Krijg ik een boete als ik mijn lidmaatschap te laat opzeg?"
    before = classifier.fit(samples(), NAMES)
    first = before.predict([text])[0].ranked[0][0]
    after = classifier.fit([*samples(), Sample(text, first, is_negative=True)], NAMES)
    shares = [dict(model.predict([text])[0].ranked)[first] for model in (before, after)]
    assert shares[1] < shares[0] / 2
    assert not after.predict([text])[0].is_sure or after.predict([text])[0].ranked[0][0] != first
    assert right(after) >= 0.85  # the topic's other questions still find it


def test_the_same_samples_give_the_same_model() -> None:
    once, again = classifier.fit(samples(), NAMES), classifier.fit(samples(), NAMES)
    assert once.to_bytes() == again.to_bytes()


def test_a_stored_model_says_what_it_said(taught: Model) -> None:
    stored = Model.from_bytes(taught.to_bytes())
    texts = [text for _topic, text in ASKED]
    for fresh, read in zip(taught.predict(texts), stored.predict(texts), strict=True):
        assert [label for label, _share in read.ranked] == [label for label, _share in fresh.ranked]
        assert (read.is_sure, round(read.confidence, 2)) == (fresh.is_sure, round(fresh.confidence, 2))


def test_a_projected_space_says_the_same(taught: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "AXES_FROM", 1)
    monkeypatch.setattr(similarity, "AXES", 64)
    small = Model.from_bytes(classifier.fit(samples(), NAMES).to_bytes())
    assert small.space is not None
    assert small.space.rows.shape[1] == 64
    assert right(small) == right(taught)


def test_bytes_that_are_no_model_are_refused(taught: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    good = taught.to_bytes()
    for bad in (b"", b"\x80\x04K\x01.", good[: len(good) // 2], good[:1000] + b"\0" * 200 + good[1200:]):
        with pytest.raises(BadModel) as refused:
            Model.from_bytes(bad)
        assert not isinstance(refused.value, OtherFormat)
    monkeypatch.setattr(classifier, "FORMAT", classifier.FORMAT + 1)
    with pytest.raises(OtherFormat):
        Model.from_bytes(good)


def test_a_busy_topic_does_not_push_out_a_quiet_one() -> None:
    many = [Sample(f"quiet {number}", "quiet") for number in range(3)]
    many += [Sample(f"busy {number}", "busy") for number in range(50)]
    kept = classifier.within_limit(many, 10)
    assert [one.text for one in kept if one.label == "quiet"] == ["quiet 0", "quiet 1", "quiet 2"]
    assert [one.text for one in kept if one.label == "busy"] == [f"busy {number}" for number in range(43, 50)]


def test_without_topics_everything_goes_to_a_person() -> None:
    [one] = classifier.fit([], {}).predict(["Hoe laat gaat de bibliotheek open?"])
    assert (one.ranked, one.is_sure) == ([], False)
