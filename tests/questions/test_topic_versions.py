"""The classifier's versions: one worker trains, all swap, and nothing worse ever replaces what works."""

import os
import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from backend import clock
from questions import classifier, tasks, topics
from questions.classifier import Model, Sample
from questions.models import Topic, TopicExample, TopicModel
from tests.conftest import Cast, in_parallel
from tests.questions.sentences import NAMES, TAUGHT

BILL = "Waarom is mijn rekening deze maand zo hoog?"


def make_library() -> None:
    """The four topics of a library, taught."""
    for slug, names in NAMES.items():
        topic = Topic.objects.create(slug=slug, mail_key=slug, name_nl=names[0], name_en=names[1])
        rows = [TopicExample(topic=topic, language=language, text=text) for language, text in TAUGHT[slug]]
        TopicExample.objects.bulk_create(rows)


def chosen(text: str = BILL) -> tuple[str, int]:
    """(the topic's slug, or "" for a person; the version that said so)"""
    choice = topics.choose(text)
    return (choice.topic.slug if choice.topic else ""), choice.version


def trained() -> TopicModel:
    made = topics.train()
    assert made is not None
    return made


# --- one trains, all swap --------------------------------------------------------------------------------------------


def test_the_first_question_does_not_wait_for_a_training_run(quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[int] = []
    fit = classifier.fit

    def counted(samples: list[Sample], names: dict[str, list[str]]) -> Model:
        learned.append(len(samples))
        return fit(samples, names)

    monkeypatch.setattr(topics, "STOP_GAP_SAMPLES", 10)
    monkeypatch.setattr(classifier, "fit", counted)
    assert chosen() == chosen() == ("billing", 0)
    assert learned == [10]  # of twelve, and once
    assert not TopicModel.objects.exists()
    tasks.train_topics()
    assert chosen() == ("billing", TopicModel.objects.get().version)


def test_another_process_trains_and_this_one_swaps(committed: None) -> None:
    make_library()
    first = trained()
    assert topics.choose("Hoeveel kost een boete?").version == first.version
    TopicExample.objects.create(topic=Topic.objects.get(slug="fines"), language="nl", text="Wat kost een zoekgeraakt boek?")
    code = "import django; django.setup(); from questions import topics; print(topics.train().version)"
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    there = {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "backend.settings"}
    done = subprocess.run([sys.executable, "-c", code], env=there, cwd=settings.BASE_DIR, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > first.version
    assert chosen("Wat kost een zoekgeraakt boek?") == ("fines", int(done.stdout))


def test_of_many_workers_one_trains(committed: None) -> None:
    make_library()
    results = in_parallel(4, lambda _number: topics.train())
    made = [one for one in results if one is not None]
    assert [type(one) for one in made] == [TopicModel]
    assert TopicModel.objects.count() == 1


def test_answers_teach_all_day_and_one_run_takes_in_many(quiet_cast: Cast) -> None:
    tasks.train_topics()
    TopicExample.objects.create(topic=quiet_cast.topic, language="nl", text="Waar vind ik mijn factuur?")
    tasks.train_topics()
    assert TopicModel.objects.count() == 1
    TopicModel.objects.update(trained_at=clock.real() - timedelta(minutes=11))
    tasks.train_topics()
    assert TopicModel.objects.count() == 2
    TopicModel.objects.update(trained_at=clock.real() - timedelta(minutes=11))
    tasks.train_topics()  # nothing changed
    assert TopicModel.objects.count() == 2


@pytest.mark.parametrize("change", [{"name_nl": "Facturen"}, {"description_en": "Invoices"}, {"is_active": False}])
def test_a_topics_name_description_and_use_are_learned_too(quiet_cast: Cast, change: dict[str, object]) -> None:
    trained()
    Topic.objects.filter(pk=quiet_cast.topic.pk).update(**change)
    assert topics.train() is not None


def test_the_version_in_use_and_the_one_before_are_kept(quiet_cast: Cast) -> None:
    made = []
    for number in range(3):
        TopicExample.objects.create(topic=quiet_cast.topic, language="nl", text=f"Klopt regel {number} op mijn factuur?")
        made.append(trained().version)
    assert list(TopicModel.objects.order_by("version").values_list("version", flat=True)) == made[1:]


# --- nothing worse -----------------------------------------------------------------------------------------------------


def all_to_one() -> None:
    TopicExample.objects.update(topic=Topic.objects.get(slug="fines"))


def each_to_the_next() -> None:
    """As consistent as before, so that held-out examples agree with one another: only the old labels tell."""
    order = list(Topic.objects.order_by("slug").values_list("pk", flat=True))
    following = dict(zip(order, [*order[1:], order[0]], strict=True))
    for example in TopicExample.objects.all():
        TopicExample.objects.filter(pk=example.pk).update(topic=following[example.topic_id])


def dealt_out() -> None:
    order = list(Topic.objects.order_by("slug").values_list("pk", flat=True))
    for number, example in enumerate(TopicExample.objects.order_by("pk")):
        TopicExample.objects.filter(pk=example.pk).update(topic=order[number % len(order)])


def all_gone() -> None:
    TopicExample.objects.all().delete()


@pytest.mark.parametrize("spoil", [all_to_one, each_to_the_next, dealt_out, all_gone])
def test_spoiled_labels_never_replace_what_works(db: None, spoil: object, caplog: pytest.LogCaptureFixture) -> None:
    make_library()
    good = trained()
    assert good.is_active
    asked = "Hoe laat gaat de bibliotheek zondag open?"
    assert chosen(asked) == ("opening", good.version)
    spoil()  # type: ignore[operator]
    bad = trained()
    assert not bad.is_active
    assert "is worse" in caplog.text
    assert chosen(asked) == ("opening", good.version)
    assert topics.train() is None  # it is not tried again and again


def test_repaired_labels_are_learned_again(db: None) -> None:
    make_library()
    good = trained()
    before = dict(TopicExample.objects.values_list("pk", "topic"))
    each_to_the_next()
    bad = trained()
    for pk, topic in before.items():
        TopicExample.objects.filter(pk=pk).update(topic=topic)
    repaired = trained()
    assert repaired.is_active
    assert set(TopicModel.objects.values_list("version", flat=True)) == {good.version, repaired.version}
    assert bad.version not in {good.version, repaired.version}


def test_a_new_topic_takes_examples_of_old_ones_along(db: None) -> None:
    make_library()
    trained()
    new = Topic.objects.create(slug="audio", mail_key="audio", name_nl="Luisterboeken", name_en="Audiobooks")
    TopicExample.objects.filter(text__iregex="luister|audio").update(topic=new)
    for text in ("Waar vind ik luisterboeken?", "Kan ik een luisterboek verlengen?", "How long is an audiobook mine?"):
        TopicExample.objects.create(topic=new, language="nl", text=text)
    assert trained().is_active


def test_a_topic_out_of_use_is_never_chosen_also_before_the_next_training(quiet_cast: Cast) -> None:
    trained()
    assert chosen()[0] == "billing"
    Topic.objects.filter(pk=quiet_cast.topic.pk).update(is_active=False)
    for _before_and_after in range(2):
        choice = topics.choose(BILL)
        assert choice.topic is None
        assert quiet_cast.topic.pk not in choice.guesses
        topics.train()


# --- damage, and the way back ------------------------------------------------------------------------------------------


def damage(made: TopicModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the database, and met by a process that has not read it yet."""
    TopicModel.objects.filter(pk=made.pk).update(data=bytes(made.data)[:500])
    monkeypatch.setattr(topics, "_loaded", None)


def test_a_damaged_version_gives_way_to_the_one_before_and_is_learned_anew(
    quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained()
    TopicExample.objects.create(topic=quiet_cast.topic, language="nl", text="Waar vind ik mijn factuur?")
    second = trained()
    damage(second, monkeypatch)
    assert chosen() == ("billing", first.version)
    third = trained()
    assert chosen() == ("billing", third.version)


def test_with_nothing_but_damage_questions_still_find_their_topic(
    quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(trained(), monkeypatch)
    assert chosen() == ("billing", 0)
    made = trained()
    assert chosen() == ("billing", made.version)


def test_another_releases_version_stays_and_is_passed_over(quiet_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained()
    TopicExample.objects.create(topic=quiet_cast.topic, language="nl", text="Waar vind ik mijn factuur?")
    with monkeypatch.context() as newer:
        newer.setattr(classifier, "FORMAT", classifier.FORMAT + 1)
        second = trained()
    assert chosen() == ("billing", first.version)
    assert TopicModel.objects.get(pk=second.pk).is_active


def test_an_operator_goes_back_and_forth(quiet_cast: Cast) -> None:
    first = trained()
    TopicExample.objects.create(topic=quiet_cast.topic, language="nl", text="Waar vind ik mijn factuur?")
    second = trained()
    assert chosen()[1] == second.version
    assert topics.use(first.version)
    assert chosen()[1] == first.version
    assert topics.train() is None  # the same labels would give what was put aside
    assert topics.use(second.version)
    assert chosen()[1] == second.version
    assert not topics.use(second.version + 100)
    assert TopicModel.objects.filter(is_active=True).count() == 2
