"""What every text about a question is made of."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

from babel.dates import format_datetime
from django.utils import translation
from django.utils.translation import gettext as _

from notifications import segments
from people.models import Person
from questions.masking import masked
from questions.models import Question, Topic

SMS_SEGMENTS = 2
LABEL_CHARACTERS = 40
Words = dict[str, Any]
P = ParamSpec("P")


def when(at: datetime, person: Person) -> str:
    """`wo 25 nov 14:05`, in the person's own time."""
    shown = format_datetime(at.astimezone(person.zone), "EEE d MMM HH:mm", locale=person.language)
    return shown.replace(".", "")


def label(question: Question) -> str:
    """A line that reminds somebody which question it is."""
    text = " ".join(masked(question.text).split())
    return text if len(text) <= LABEL_CHARACTERS else text[: LABEL_CHARACTERS - 3].rstrip() + "..."


def topic_name(topic: Topic | None, language: str) -> str:
    return topic.name(language) if topic else _("no topic yet")


def fit(template: str, text: str, **values: str) -> str:
    """`template` with `text` cut at a word so that all stays within two segments."""
    text = segments.plain(" ".join(text.split()))
    frame = segments.plain(template % {"text": "", **values})
    first = segments.pages(text, segments=SMS_SEGMENTS, beside=frame + "...")[0]
    return segments.plain(template % {"text": first if first == text else first + "...", **values})


def in_language_of(position: int) -> Callable[[Callable[P, Words]], Callable[P, Words]]:
    """Run the function in the language of the person at this place among its arguments."""

    def decorate(function: Callable[P, Words]) -> Callable[P, Words]:
        @wraps(function)
        def speaking(*args: P.args, **kwargs: P.kwargs) -> Words:
            reader: Any = args[position]
            with translation.override(reader.language):
                return function(*args, **kwargs)

        return speaking

    return decorate


def status_line(question: Question, person: Person, code: str, at: datetime) -> str:
    """One question in a STATUS message."""
    state = state_name(question.state)
    due = ""
    if question.is_unanswered:
        overdue = question.current_round.status(at) in {"overdue", "breached"}
        before = when(question.current_round.due_at, person)
        due = (_(", was due %(at)s") if overdue else _(", before %(at)s")) % {"at": before}
    return f"{code} {question.reference} {state}{due}: {label(question)}"


def state_name(state: str) -> str:
    """A question's state for people, in the language that is active."""
    return _state_names().get(state, state)


def _state_names() -> dict[str, str]:
    return {
        "received": _("received"),
        "routing": _("looking for an expert"),
        "triage": _("at the duty desk"),
        "unstaffed": _("looking for an expert"),
        "offered": _("offered to an expert"),
        "accepted": _("an expert is on it"),
        "waiting_for_asker": _("waiting for you"),
        "pending_approval": _("being checked"),
        "answered": _("answered"),
        "relayed": _("passed on"),
        "delivered": _("sent to your friend"),
        "closed": _("closed"),
        "withdrawn": _("withdrawn"),
    }


def best_guesses(question: Question) -> list[Topic]:
    """The topics it may be about, likeliest first."""
    known = {topic.pk: topic for topic in Topic.objects.filter(pk__in=question.topic_guesses)}
    return [known[pk] for pk in question.topic_guesses if pk in known]
