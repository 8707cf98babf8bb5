"""What people do teaches: an answer, "not my topic" and the desk's choice, each through its own entrance."""

from questions import desk, topics
from questions.models import Question, Topic, TopicExample
from tests.conftest import Cast, api, ask, mail, offer_of, post, reply_to, work

MIXED = "Mijn zus vraagt waarom haar rekening zo hoog is na haar vakantie"


def learned(body: str = MIXED) -> list[tuple[str, bool, str]]:
    """(topic, does it count against it, who taught it) of the examples with these words."""
    rows = TopicExample.objects.filter(text=body).order_by("is_counter_example", "pk")
    return list(rows.values_list("topic__slug", "is_counter_example", "source"))


def not_mine(question: Question) -> None:
    """The expert says so in the app."""
    assignment = offer_of(question)
    response = post(api(assignment.expert), f"/assignments/{assignment.pk}/decline", {"reason": "not_my_topic"})
    assert response.status_code == 200
    question.refresh_from_db()
    assert question.state == "triage"


def test_an_answer_by_mail_teaches_what_was_not_certain(cast: Cast) -> None:
    question = ask(cast.alice, MIXED)
    assert (question.state, question.topic_chosen_by) == ("offered", "examples")
    Question.objects.filter(pk=question.pk).update(topic_confidence=0.7)
    assert learned() == []
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Dat is bellen buiten de bundel.")
    work()
    assert learned() == [("billing", False, "answered")]


def test_an_answer_to_what_was_certain_teaches_nothing(cast: Cast) -> None:
    question = ask(cast.alice)
    Question.objects.filter(pk=question.pk).update(topic_confidence=0.99)
    before = TopicExample.objects.count()
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Dat is bellen buiten de bundel.")
    work()
    question.refresh_from_db()
    assert question.state == "answered"
    assert TopicExample.objects.count() == before


def test_not_my_topic_counts_against_it_and_the_desks_choice_for_another(cast: Cast) -> None:
    question = ask(cast.alice, MIXED)
    assert question.topic == cast.topic
    not_mine(question)
    assert learned() == [("billing", True, "declined")]
    assert question.topic_guesses == [Topic.objects.get(slug="roaming").pk]  # what the desk is offered
    desk.choose_topic(cast.dana, question.pk, Topic.objects.get(slug="roaming"))
    assert learned() == [("roaming", False, "desk"), ("billing", True, "declined")]
    topics.train()
    choice = topics.choose(MIXED)
    assert choice.topic == Topic.objects.get(slug="roaming")


def test_an_expert_overrules_what_the_same_words_taught_before(cast: Cast) -> None:
    TopicExample.objects.create(topic=cast.topic, language="nl", text=MIXED, source="desk")
    topics.train()
    question = ask(cast.alice, MIXED)
    assert question.topic == cast.topic
    not_mine(question)
    assert learned() == [("billing", True, "declined")]
    topics.train()
    assert topics.choose(MIXED).topic != cast.topic


def test_what_a_lead_wrote_stays(cast: Cast) -> None:
    TopicExample.objects.create(topic=cast.topic, language="nl", text=MIXED, source="given")
    question = ask(cast.alice, MIXED)
    not_mine(question)
    assert learned() == [("billing", False, "given"), ("billing", True, "declined")]
