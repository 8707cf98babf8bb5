"""What the back office shows of one question: its clock, its thread and what was sent. Times are the company's."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from backend import clock
from notifications.models import Delivery, Notification
from people.models import Role
from questions import after, desk_admin, words
from questions.masking import masked
from questions.models import Answer, Assignment, Event, Question

EVENTS_SHOWN = 500
SOON_SHARE = 0.25  # of the promise: with less time left its clock turns orange
STATE_COLOURS = {
    **dict.fromkeys(("received", "routing", "offered", "accepted", "waiting_for_asker", "pending_approval"), "info"),
    **dict.fromkeys(("triage", "unstaffed"), "warning"),
    **dict.fromkeys(("answered", "relayed", "delivered", "closed"), "success"),
    "withdrawn": "",
}
CLOCK_COLOURS = {"running": "info", "soon": "warning", "late": "danger", "kept": "success", "breached": "danger"}
CLOCK_COLOURS |= {"void": "", "paused": "info"}
STATE_NAMES = {
    "received": _("received"),
    "routing": _("looking for an expert"),
    "triage": _("at the duty desk"),
    "unstaffed": _("nobody can take it"),
    "offered": _("offered"),
    "accepted": _("an expert is on it"),
    "waiting_for_asker": _("waits for the asker"),
    "pending_approval": _("being checked"),
    "answered": _("answered"),
    "relayed": _("passed on to the friend"),
    "delivered": _("delivered to the friend"),
    "closed": _("closed"),
    "withdrawn": _("withdrawn"),
}
EVENT_NAMES = {
    "received": _("received"),
    "topic_chosen": _("topic chosen"),
    "triage": _("sent to the duty desk"),
    "unstaffed": _("nobody can take it"),
    "offered": _("offered"),
    "accepted": _("accepted"),
    "declined": _("declined"),
    "offer_expired": _("offer lapsed"),
    "reminded": _("experts reminded"),
    "swarmed": _("offered to more experts"),
    "desk_told": _("duty desk told"),
    "moved": _("moved to somebody else"),
    "breached": _("promise broken"),
    "promise_changed": _("promise changed"),
    "answered": _("answered"),
    "answer_refused": _("an answer came too late"),
    "relayed": _("passed on to the friend"),
    "delivered": _("delivered to the friend"),
    "friend_confirmed": _("the friend confirmed an address"),
    "helped": _("it helped"),
    "not_helped": _("it did not help"),
    "reopened": _("reopened"),
    "closed": _("closed"),
    "withdrawn": _("withdrawn"),
    "asked_back": _("the asker was asked something"),
    "clarified": _("the asker replied"),
    "paused": _("the clock stands still"),
    "resumed": _("the clock runs on"),
    "handed_back": _("handed back"),
    "passed_on": _("passed to a colleague"),
    "answer_held": _("the answer waits ten minutes"),
    "answer_held_back": _("the answer is held back"),
    "approval_asked": _("a second pair of eyes was asked"),
    "approved": _("approved"),
    "approval_refused": _("not approved"),
    "corrected": _("corrected"),
    "relay_reminded": _("the asker was reminded"),
    "desk_took": _("taken by the desk"),
    "desk_handed_back": _("back to the desk"),
    "desk_assigned": _("assigned by the desk"),
    "desk_answered": _("answered by the desk"),
    "desk_closed": _("closed by the desk"),
    "suggested": _("an earlier answer suggested"),
    "reused": _("an earlier answer used"),
    "answer_expired": _("the answer is no longer valid"),
}

NAMELESS = frozenset(
    {"assignment", "assignments", "answer", "guesses", "clarification", "old", "source"}
)  # in an event's data: ids that tell a reader nothing


# --- the clock, in words ---------------------------------------------------------------------------------------------


def span(delta: timedelta) -> str:
    """`2 d 4 h`, `3 h 20 m` or `20 m`."""
    minutes = int(delta.total_seconds() // 60)
    values = {"d": minutes // 1440, "h": minutes // 60, "m": minutes % 60}
    if minutes >= 2 * 1440:
        return gettext("%(d)s d %(h)s h") % {**values, "h": minutes // 60 % 24}
    return (gettext("%(h)s h %(m)s m") if minutes >= 60 else gettext("%(m)s m")) % values


def promise_clock(question: Question, at: datetime) -> tuple[str, str]:
    """How the promise stands at `at`, as a colour's key and in words. Asks the clock and not the worker's last sweep."""
    round_ = question.current_round
    status = round_.status(at)
    if status == "paused":
        return "paused", gettext("waits for the asker")
    if question.is_unanswered and at > round_.due_at:
        return "late", gettext("overdue %(span)s") % {"span": span(at - round_.due_at)}
    if status == "running":
        left = round_.due_at - at
        soon = left < (round_.due_at - round_.started_at) * SOON_SHARE
        return "soon" if soon else "running", gettext("in %(span)s") % {"span": span(left)}
    return status, {"kept": gettext("kept"), "breached": gettext("broken"), "void": gettext("withdrawn")}.get(
        status, status
    )


def local(at: datetime) -> str:
    return date_format(localtime(at), "D j M H:i")


# --- the page --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One event of the thread, readable."""

    at: str
    name: str
    actor: str
    facts: str


def page(question: Question, reader: Any) -> dict[str, Any]:
    """Everything the page shows. The number of queries does not depend on how much happened."""
    sees_all = reader.has_role(Role.DUTY_DESK)  # everybody else but the asker reads numbers and addresses as dots
    assignments = list(question.assignments.select_related("expert", "round").order_by("offered_at", "pk"))
    answers = list(question.answers.select_related("author").order_by("received_at"))
    colour, promise = promise_clock(question, clock.now())
    return {
        "title": question.reference,
        "question": question,
        "text": question.text if sees_all else masked(question.text),
        "is_masked": not sees_all,
        "topic": words.topic_name(question.topic, get_language() or "en"),
        "state_colour": STATE_COLOURS[question.state],
        "state_name": STATE_NAMES[question.state],
        "promise_colour": CLOCK_COLOURS[colour],
        "promise": promise,
        "due": local(question.current_round.due_at),
        "received": local(question.received_at),
        "desk": desk_admin.panel(question, reader),
        "clarifications": _clarifications(question, sees_all=sees_all),
        "rounds": question.rounds.order_by("number"),
        "assignments": _assignments(question, assignments, reader),
        "answers": answers,
        "thread": _thread(question, assignments),
        "notifications": Notification.objects.filter(subject_key=question.subject_key)
        .select_related("person")
        .defer("body", "sms_text")
        .order_by("created_at"),
        "deliveries": _deliveries(question, answers),
    }


def _clarifications(question: Question, *, sees_all: bool) -> list[dict[str, str]]:
    """What the asker was asked, and what they replied."""
    rows = question.clarifications.order_by("asked_at")
    return [{"text": row.text, "reply": row.reply if sees_all else masked(row.reply)} for row in rows]


def _assignments(question: Question, assignments: list[Assignment], reader: Any) -> list[tuple[Assignment, str]]:
    shown = []
    for assignment in assignments:
        assignment.question = question  # the very object, so that its topic is not asked for again
        shown.append((assignment, words.why(assignment, reader)))
    return shown


def _thread(question: Question, assignments: list[Assignment]) -> list[Line]:
    """Who did what when. Ids in an event's data become names; ids of things without a name are left out."""
    names = {str(assignment.expert_id): assignment.expert.name for assignment in assignments}
    rows = Event.objects.filter(question=question).select_related("actor").order_by("at", "id")[:EVENTS_SHOWN]
    return [
        Line(
            at=date_format(localtime(event.at), "D j M H:i:s"),
            name=str(EVENT_NAMES.get(event.kind, event.kind.replace("_", " "))),
            actor=event.actor.name if event.actor else "",
            facts=_facts(event.data, names),
        )
        for event in rows
    ]


def _facts(data: dict[str, Any], names: dict[str, str]) -> str:
    shown = {key: names.get(str(value), value) for key, value in data.items() if key not in NAMELESS}
    return ", ".join(f"{key} {value}" for key, value in shown.items() if value not in {"", None, False})


def _deliveries(question: Question, answers: list[Answer]) -> QuerySet[Delivery]:
    """What was sent about this question, also the answer that went straight to the friend."""
    to_friend = [after.friend_key(answer.pk) for answer in answers]
    about = Q(notification__subject_key=question.subject_key) | Q(key__in=to_friend)
    return Delivery.objects.filter(about).select_related("person").defer("body").order_by("created_at")
