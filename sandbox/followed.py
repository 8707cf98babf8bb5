"""The newest questions as they move, for the sandbox page."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from backend import clock
from backend.manners import language
from people.models import Person
from questions import links, words
from questions.models import Answer, Assignment, Event, Question

QUESTIONS_SHOWN = 15


def questions() -> list[dict[str, Any]]:
    """The newest questions, each with its last assignment, its answer and its thread: four queries, however many."""
    newest = Question.objects.select_related("asker", "topic", "current_round").order_by("-received_at", "-id")
    rows = list(newest[:QUESTIONS_SHOWN])
    offers = _by_question(Assignment.objects.select_related("expert", "question__topic").order_by("offered_at"), rows)
    answers = _by_question(Answer.objects.filter(state=Answer.State.RELEASED).order_by("received_at"), rows)
    events = _by_question(Event.objects.select_related("actor").order_by("id"), rows)
    return [_question(row, offers[row.pk], answers[row.pk], events[row.pk]) for row in rows]


def _by_question(found: Any, rows: list[Question]) -> dict[UUID, list[Any]]:
    grouped: dict[UUID, list[Any]] = defaultdict(list)
    for one in found.filter(question__in=rows):
        grouped[one.question_id].append(one)
    return grouped


def _question(row: Question, offers: list[Assignment], answers: list[Answer], events: list[Event]) -> dict[str, Any]:
    promise, offer = row.current_round, _last_main(offers)
    reader = Person(language=language(), time_zone=settings.TIME_ZONE)
    answer = next((given for given in reversed(answers) if given.round_id == promise.pk), None)
    names = {str(one.expert_id): one.expert.name for one in offers}
    return {
        "reference": row.reference,
        "text": row.text,
        "language": row.language,
        "source": row.source,
        "asker": {"number": row.asker.employee_number, "name": row.asker.name},
        "state": row.state,
        "state_name": words.state_name(row.state),
        "topic": {"slug": row.topic.slug, "name": row.topic.name(language())} if row.topic else None,
        "expert": {"number": offer.expert.employee_number, "name": offer.expert.name} if offer else None,
        "why": words.why(offer, reader) if offer else "",
        "answer": {"text": answer.text, "source": answer.source, "helped": answer.helped} if answer else None,
        "received_at": row.received_at.isoformat(),
        "started_at": promise.started_at.isoformat(),
        "due_at": promise.due_at.isoformat(),
        "round": promise.number,
        "promise": promise.status(clock.now()),
        "unanswered": row.is_unanswered,
        "friend_link": links.friend_link(row),
        "events": [{"at": one.at.isoformat(), "kind": one.kind, "text": _told(one, row, names)} for one in events],
    }


def _last_main(offers: list[Assignment]) -> Assignment | None:
    """Who has it, or answered it; otherwise who was asked last. Of a swarm only the one who answered counts."""
    mine = [one for one in offers if not one.is_swarm or one.state == Assignment.State.ANSWERED]
    return mine[-1] if mine else None


def _told(event: Event, question: Question, names: dict[str, str]) -> str:
    """One event of the thread as a sentence."""
    known = _sentences()
    sentence = known.get(event.kind, event.kind.replace("_", " "))
    if event.kind == "offered" and event.data.get("swarm"):
        sentence = known["offered_too"]
    told = sentence % {
        "who": event.actor.name if event.actor else _("The friend"),
        "expert": names.get(str(event.data.get("expert")), ""),
        "topic": _topic_told(event, question),
        "round": event.data.get("round", ""),
    }
    return f"{told} ({_('skipped')})" if event.data.get("skipped") else told


def _topic_told(event: Event, question: Question) -> str:
    slug, sure = str(event.data.get("topic", "")), event.data.get("confidence")
    name = question.topic.name(language()) if question.topic and question.topic.slug == slug else slug
    return f"{name} ({round(sure * 100)}%)" if isinstance(sure, int | float) else name


def _sentences() -> dict[str, str]:
    return {
        "received": _("%(who)s passed the question on"),
        "topic_chosen": _("Topic chosen: %(topic)s"),
        "triage": _("No topic is close enough: to the duty desk"),
        "unstaffed": _("Nobody can take it now: the duty desk knows"),
        "offered": _("Offered to %(expert)s"),
        "offered_too": _("Also offered to %(expert)s"),
        "offer_expired": _("The offer to %(expert)s lapsed"),
        "accepted": _("%(who)s took it"),
        "declined": _("%(who)s said no"),
        "answered": _("%(who)s answered"),
        "answer_refused": _("A text of %(who)s came too late; it is kept"),
        "relayed": _("%(who)s passed the answer on"),
        "delivered": _("The answer went to the friend"),
        "friend_confirmed": _("The friend confirmed an address"),
        "helped": _("%(who)s says: this helped"),
        "not_helped": _("%(who)s says: not yet"),
        "closed": _("Closed"),
        "reopened": _("Opened again: round %(round)s"),
        "withdrawn": _("%(who)s withdrew it"),
        "reminded": _("Half of the time: the expert is reminded"),
        "swarmed": _("Three quarters: more experts are asked"),
        "desk_told": _("Nine tenths: the duty desk is told"),
        "breached": _("The time is over: the promise is broken"),
    }
