"""The duty desk: a person chooses the topic that the examples could not, and the examples learn from it."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotAllowed, NotFound, Refusal
from backend.ring import ring
from notifications import outbox
from notifications.notify import settle
from people.models import Person, Role
from questions import rounds
from questions.masking import masked
from questions.models import Question, Topic, TopicExample, record

WAITING = frozenset({Question.State.TRIAGE, Question.State.UNSTAFFED})
TOLD = {"triage": "question_needs_a_topic", "unstaffed": "question_unstaffed"}  # event of the thread → what the desk heard


class NotInTriage(Refusal):
    """The question does not wait for the desk: a colleague was first, an expert has it, or it is over."""

    code = "not_in_triage"


def may_choose(person: Person) -> bool:
    return person.has_role(Role.DUTY_DESK, Role.ADMINISTRATOR)


@transaction.atomic
def choose_topic(desk_person: Person, question_id: UUID, topic: Topic) -> Question:
    """Send a question that waits for the desk to the experts of `topic`; its text becomes an example of that topic.

    Locks the question: of two people at once one gets it. Raises NotAllowed, NotFound, Invalid for a topic that is not
    in use, NotInTriage.
    """
    if not may_choose(desk_person):
        raise NotAllowed(_("Only the duty desk chooses topics."))
    question = (
        Question.objects.select_for_update(of=("self",))
        .select_related("current_round", "topic", "asker")
        .filter(pk=question_id)
        .first()
    )
    if question is None:
        raise NotFound(_("This question does not exist."))
    if question.state not in WAITING:
        raise NotInTriage(_("%(reference)s does not wait for a topic any more.") % {"reference": question.reference})
    if not topic.is_active:
        raise Invalid(_("The topic %(topic)s is not in use.") % {"topic": topic})
    at = clock.now()
    minutes = _minutes_waited(question)
    question.mark_routing(topic, confidence=None, chosen_by=Question.TopicChosenBy.DESK, at=at)
    record(question, "topic_chosen", actor=desk_person, at=at, topic=topic.slug, by="desk", minutes=minutes)
    rounds.adopt_promise(question, topic)
    if not question.is_confidential:
        _teach(question, topic)
    settle(desk_person, question.subject_key)
    for event in TOLD.values():
        outbox.cancel_for(question.subject_key, event=event)  # colleagues need not look any more
    ring("questions.tasks.route_one", str(question.pk))
    return question


def _minutes_waited(question: Question) -> int:
    """How long it waited for a person, by the last event that sent it here."""
    since = question.events.filter(kind__in=TOLD).order_by("id").last()
    return max(0, int((clock.now() - since.at).total_seconds() // 60)) if since else 0


def _teach(question: Question, topic: Topic) -> None:
    """The desk's last word on a text is the example; an earlier one moves along, so that no text teaches two topics.

    Masked: an example is kept for years and read by everybody who edits topics.
    """
    text = masked(question.text)
    known = TopicExample.objects.filter(source=TopicExample.Source.DESK, text=text)
    if not known.update(topic=topic):
        TopicExample.objects.create(topic=topic, language=question.language, text=text, source=TopicExample.Source.DESK)
