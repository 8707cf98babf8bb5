"""What the choice of topics learns from what people do: the desk's choice, an expert's answer, "not my topic".

Texts are masked: an example is kept for years and read by everybody who edits topics. Confidential questions teach nothing.
"""

from questions import topics
from questions.masking import masked
from questions.models import Answer, Question, Topic, TopicExample

SURE_ENOUGH = 0.95  # what the model knew already teaches it nothing new


def by_desk(question: Question, topic: Topic) -> None:
    """The desk's last word on a text is the example; an earlier one moves along, so that no text teaches two topics."""
    _example(question, topic, TopicExample.Source.DESK)


def answered(question: Question, given: Answer) -> None:
    """An expert of the topic answered it, so it was about the topic."""
    sure = question.topic_chosen_by == "examples" and (question.topic_confidence or 0) >= SURE_ENOUGH
    if question.topic is not None and not sure:
        _example(question, question.topic, TopicExample.Source.ANSWERED)


def _example(question: Question, topic: Topic, source: str) -> None:
    if question.is_confidential:
        return
    text = masked(question.text)
    TopicExample.objects.filter(text=text, is_counter_example=True, topic=topic).delete()
    learned = TopicExample.objects.filter(text=text, is_counter_example=False)
    if not learned.exclude(source=TopicExample.Source.GIVEN).update(topic=topic, source=source) and not learned.exists():
        TopicExample.objects.create(topic=topic, language=question.language, text=text, source=source)
    topics.labels_changed()


def not_about(question: Question) -> None:
    """Who knows the topic says that this is not about it."""
    if question.is_confidential or question.topic is None:
        return
    text = masked(question.text)
    learned = TopicExample.objects.filter(topic=question.topic, text=text, is_counter_example=False)
    learned.exclude(source=TopicExample.Source.GIVEN).delete()
    TopicExample.objects.get_or_create(
        topic=question.topic,
        text=text,
        is_counter_example=True,
        defaults={"language": question.language, "source": TopicExample.Source.DECLINED},
    )
    topics.labels_changed()
