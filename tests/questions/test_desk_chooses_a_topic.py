"""A text that no example explains goes to the desk; the desk's choice sends it on and teaches the next one."""

from typing import Any

import pytest

from backend import clock
from backend.errors import Invalid, NotAllowed, NotFound
from backend.ids import uuid7
from notifications.models import Delivery, Notification
from people.models import Person
from questions import desk, intake, topics
from questions.models import Question, Topic, TopicExample
from tests.conftest import Cast, ask, in_parallel, later, offer_of, person, text, work

STRANGE = "Zjoefel flapdrol kwibus, wanneer is de kermis in Appelscha?"


def waiting(cast: Cast, body: str = STRANGE) -> Question:
    question = ask(cast.alice, body)
    assert question.state == "triage"
    return question


def test_the_choice_sends_it_to_the_topics_expert(cast: Cast) -> None:
    question = waiting(cast)
    later(minutes=12)
    chosen = desk.choose_topic(cast.dana, question.pk, cast.topic)
    assert (chosen.state, chosen.topic_chosen_by, chosen.topic_confidence) == ("routing", "desk", None)
    work()
    assert offer_of(question).expert == cast.bob
    event = question.events.get(kind="topic_chosen")
    assert event.actor == cast.dana
    assert event.data == {"topic": "billing", "by": "desk", "minutes": 12}


def test_its_text_becomes_an_example_that_counts(cast: Cast) -> None:
    question = waiting(cast)
    before = topics.choose(STRANGE)
    desk.choose_topic(cast.dana, question.pk, cast.topic)
    example = TopicExample.objects.get(source="desk")
    assert (example.topic, example.text, example.language) == (cast.topic, STRANGE, "nl")
    assert topics.train() is not None
    after = topics.choose(STRANGE)
    assert (after.topic, before.topic) == (cast.topic, None)


def test_a_confidential_text_teaches_nothing(cast: Cast) -> None:
    question = waiting(cast)
    Question.objects.filter(pk=question.pk).update(is_confidential=True)
    desk.choose_topic(cast.dana, question.pk, cast.topic)
    assert not TopicExample.objects.filter(source="desk").exists()


def test_numbers_and_addresses_do_not_become_examples(cast: Cast) -> None:
    question = waiting(cast, f"{STRANGE} Bel 06-12345678 of mail tante@elders.example")
    desk.choose_topic(cast.dana, question.pk, cast.topic)
    example = TopicExample.objects.get(source="desk").text
    assert example == f"{STRANGE} Bel ••• of mail •••"


def test_a_second_choice_moves_the_example_along(cast: Cast) -> None:
    question = waiting(cast)
    desk.choose_topic(cast.dana, question.pk, Topic.objects.get(slug="roaming"))
    work()  # nobody knows roaming
    question.refresh_from_db()
    assert question.state == "unstaffed"
    desk.choose_topic(cast.dana, question.pk, cast.topic)
    assert TopicExample.objects.get(source="desk").topic == cast.topic


def test_two_people_at_once_one_gets_it(cast: Cast) -> None:
    question, erik = waiting(cast), person("E6", "Erik Evers", "duty_desk")
    choosers = [(cast.dana, cast.topic), (erik, Topic.objects.get(slug="roaming"))]

    def choose(number: int) -> Any:
        return desk.choose_topic(choosers[number][0], question.pk, choosers[number][1])

    results = in_parallel(2, choose)
    assert sum(isinstance(result, desk.NotInTriage) for result in results) == 1
    [won] = [result for result in results if isinstance(result, Question)]
    question.refresh_from_db()
    assert question.topic == won.topic
    assert question.events.filter(kind="topic_chosen").count() == 1
    assert TopicExample.objects.get(source="desk").topic == won.topic


def test_colleagues_of_the_desk_are_not_written_to_any_more(cast: Cast) -> None:
    person("E6", "Erik Evers", "duty_desk")
    text(cast.alice, f"VRAAG {STRANGE}")
    work(sending=False)
    question = Question.objects.get()
    desk.choose_topic(cast.dana, question.pk, cast.topic)
    told = Delivery.objects.filter(notification__event="question_needs_a_topic")
    assert set(told.values_list("state", flat=True)) == {"cancelled"}
    assert Notification.objects.get(event="question_needs_a_topic", person=cast.dana).state == "acted"


def test_only_what_waits_can_be_chosen_for(cast: Cast) -> None:
    offered = ask(cast.alice)
    assert offered.state == "offered"
    withdrawn = waiting(cast)
    intake.withdraw(cast.alice, withdrawn.pk)
    for question in (offered, withdrawn):
        before = question.events.count()
        with pytest.raises(desk.NotInTriage):
            desk.choose_topic(cast.dana, question.pk, cast.topic)
        assert question.events.count() == before
    assert not TopicExample.objects.filter(source="desk").exists()


def test_nobody_else_chooses(cast: Cast) -> None:
    question = waiting(cast)
    others = [cast.alice, cast.bob, person("E7", "Petra Prins", "programme_manager")]
    for somebody in others:
        with pytest.raises(NotAllowed):
            desk.choose_topic(somebody, question.pk, cast.topic)
    administrator: Person = person("E8", "Ada Aarts", "administrator")
    assert desk.choose_topic(administrator, question.pk, cast.topic).state == "routing"


def test_a_topic_out_of_use_and_an_unknown_question(quiet_cast: Cast) -> None:
    with pytest.raises(NotFound):
        desk.choose_topic(quiet_cast.dana, uuid7(), quiet_cast.topic)
    question = intake.submit(quiet_cast.alice, STRANGE, request_key="1", source="api", received_at=clock.now())
    question.mark_triage([], clock.now())
    Topic.objects.filter(pk=quiet_cast.topic.pk).update(is_active=False)
    quiet_cast.topic.refresh_from_db()
    with pytest.raises(Invalid):
        desk.choose_topic(quiet_cast.dana, question.pk, quiet_cast.topic)
    question.refresh_from_db()
    assert question.state == "triage"
