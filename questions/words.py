"""What people read about questions: mail, inbox and SMS, in the reader's language.

Every function returns finished words for `notify`: title, body, sms, and perhaps link and link_text. An SMS aims at two
segments; what does not fit is cut at a word and continues with MEER.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

from babel.dates import format_datetime
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from notifications import segments
from people.models import Person
from questions import links
from questions.masking import masked
from questions.models import Answer, Assignment, Question, Topic

SMS_SEGMENTS = 2
LABEL_CHARACTERS = 40
Words = dict[str, Any]


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
    first = segments.pages(text, segments=SMS_SEGMENTS, reserve=len(frame) + 3)[0]
    return segments.plain(template % {"text": first if first == text else first + "...", **values})


P = ParamSpec("P")


def _in_language_of(position: int) -> Callable[[Callable[P, Words]], Callable[P, Words]]:
    """Run the function in the language of the person at this place among its arguments."""

    def decorate(function: Callable[P, Words]) -> Callable[P, Words]:
        @wraps(function)
        def speaking(*args: P.args, **kwargs: P.kwargs) -> Words:
            reader: Any = args[position]
            with translation.override(reader.language):
                return function(*args, **kwargs)

        return speaking

    return decorate


# --- to the expert ---------------------------------------------------------------------------------------------------


@_in_language_of(2)
def offer(question: Question, assignment: Assignment, expert: Person, code: str) -> Words:
    due = when(question.current_round.due_at, expert)
    topic = topic_name(question.topic, expert.language)
    body = _(
        "A colleague was asked:\n\n%(text)s\n\nTopic: %(topic)s. Please answer before %(due)s.\n"
        "Why you: %(why)s.\n\nReply to this mail with your answer and it goes straight back. Start with DECLINE to say no."
        " What you write below a line `--- intern` is for colleagues only."
    ) % {"text": masked(question.text), "topic": topic, "due": due, "why": why(assignment, expert)}
    sms = fit(
        _("Question %(code)s (%(topic)s), answer before %(due)s: %(text)s ANSWER %(code)s + text, or DECLINE %(code)s"),
        masked(question.text),
        code=code,
        topic=topic,
        due=due,
    )
    return {
        "title": _("Question %(reference)s: %(topic)s") % {"reference": question.reference, "topic": topic},
        "body": body,
        "sms": sms,
        "link": links.answer_link(assignment),
        "link_text": _("Answer on the web"),
    }


def why(assignment: Assignment, reader: Person) -> str:
    """The stored reasons as a sentence: `knows Roaming, 2 of 5 open, works until 17:30, speaks English`."""
    with translation.override(reader.language):
        return ", ".join(_reason(assignment, reason, reader) for reason in assignment.reasons)


def _reason(assignment: Assignment, reason: dict[str, Any], reader: Person) -> str:
    if reason["code"] == "knows":
        topic = topic_name(assignment.question.topic, reader.language)
        return _("knows %(topic)s (level %(level)s)") % {"topic": topic, "level": reason["level"]}
    if reason["code"] == "load":
        return _("%(open)s of %(capacity)s open") % {"open": reason["open"], "capacity": reason["capacity"]}
    if reason["code"] == "speaks":
        names = {"nl": _("speaks Dutch"), "en": _("speaks English")}
        return names[reason["language"]]
    if reason["code"] == "answered_before":
        return _("answered it before")
    if reason["code"] == "works_now":
        return _("at work now")
    at = datetime.fromisoformat(reason["at"])
    known = {"works_until": _("works until %(at)s"), "works_from": _("works from %(at)s")}
    return known[reason["code"]] % {"at": when(at, reader)}


@_in_language_of(2)
def reminder(question: Question, assignment: Assignment, expert: Person, code: str) -> Words:
    due = when(question.current_round.due_at, expert)
    sms = fit(
        _("Reminder: question %(code)s wants an answer before %(due)s: %(text)s ANSWER %(code)s + text"),
        masked(question.text),
        code=code,
        due=due,
    )
    return {
        "title": _("Reminder: %(reference)s before %(due)s") % {"reference": question.reference, "due": due},
        "body": _("Half of the time has passed. The question:\n\n%(text)s\n\nReply to this mail with your answer.")
        % {"text": masked(question.text)},
        "sms": sms,
        "link": links.answer_link(assignment),
        "link_text": _("Answer on the web"),
    }


@_in_language_of(1)
def no_longer_needed(question: Question, expert: Person, reason: str) -> Words:
    names = {"reference": question.reference}
    if reason == "withdrawn":
        text = _("%(reference)s was withdrawn: no answer is needed any more. Thank you.") % names
    else:
        text = _("A colleague has answered %(reference)s: nothing is needed any more. Thank you.") % names
    return {"title": text, "body": text, "sms": text}


@_in_language_of(1)
def helped(question: Question, expert: Person) -> Words:
    text = _("Your answer to %(reference)s helped. Thank you!") % {"reference": question.reference}
    return {"title": text, "body": text, "sms": text}


def what_will_be_shown(given: Answer, question: Question) -> str:
    """To the expert who answered: the words as they leave."""
    shown = _("Thank you. This is the answer to %(reference)s as it is shown:") % {"reference": question.reference}
    note = _("Internal note kept for colleagues.") if given.internal_note else ""
    return "\n\n".join(part for part in (shown, given.text, note) if part)


def too_late(question: Question) -> str:
    """To an expert whose text came after the end."""
    names = {"reference": question.reference}
    if question.state == Question.State.WITHDRAWN:
        return _("%(reference)s was withdrawn before your text came in. It is kept, but not sent.") % names
    return _("A colleague had answered %(reference)s before you. Your text is kept, but not sent.") % names


# --- to the asker ----------------------------------------------------------------------------------------------------


def received(question: Question, person: Person, code: str) -> str:
    """The sentence that comes back at once, in the language that is active."""
    values = {
        "reference": question.reference,
        "code": code,
        "due": when(question.current_round.due_at, person),
        "link": links.friend_link(question),
    }
    if question.answer_mode == "direct":
        return _("Passed on: %(reference)s. Answer before %(due)s. Your friend follows it here: %(link)s") % values
    return _("Passed on: %(reference)s. You have the answer before %(due)s. STATUS %(code)s tells how it stands.") % values


@_in_language_of(2)
def answered(question: Question, given: Answer, asker: Person, code: str) -> Words:
    link = links.friend_link(question)
    template = _("Answer to %(reference)s: %(text)s Share: %(link)s")
    sms = fit(template, given.text, reference=question.reference, link=link)
    if "..." in sms and not given.text.endswith("..."):
        template = _("Answer to %(reference)s: %(text)s MORE %(code)s reads on. Share: %(link)s")
        sms = fit(template, given.text, reference=question.reference, link=link, code=code)
    return {
        "title": _("Answer to %(reference)s") % {"reference": question.reference},
        "body": _("You asked:\n\n%(question)s\n\nThe answer:\n\n%(answer)s\n\nShare this page with your friend:")
        % {"question": question.text, "answer": given.text},
        "sms": sms,
        "link": link,
        "link_text": _("The page for your friend"),
    }


@_in_language_of(1)
def breach(question: Question, asker: Person, expected_at: datetime) -> Words:
    values = {
        "reference": question.reference,
        "hours": round((question.current_round.due_at - question.current_round.started_at).total_seconds() / 3600),
        "expected": when(expected_at, asker),
    }
    text = (
        _(
            "We promised an answer to %(reference)s within %(hours)s hours and did not make it. We are sorry."
            " We expect it before %(expected)s and keep at it."
        )
        % values
    )
    return {"title": _("%(reference)s takes longer than promised") % values, "body": text, "sms": text}


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


# --- to the desk and the lead ----------------------------------------------------------------------------------------


@_in_language_of(1)
def for_desk(question: Question, person: Person, event: str, link: str) -> Words:
    values = {
        "reference": question.reference,
        "due": when(question.current_round.due_at, person),
        "topic": topic_name(question.topic, person.language),
        "text": masked(question.text),
    }
    title = {
        "question_needs_a_topic": _("%(reference)s needs a topic"),
        "question_unstaffed": _("%(reference)s: nobody can take it"),
        "question_at_risk": _("%(reference)s is at risk"),
        "question_nearly_due": _("%(reference)s is nearly due"),
        "question_overdue": _("%(reference)s is overdue"),
    }[event] % values
    body = _("%(text)s\n\nTopic: %(topic)s. Due: %(due)s.") % values
    sms = fit(_("%(title)s (due %(due)s): %(text)s"), masked(question.text), title=title, due=values["due"])
    words = {"title": title, "body": body, "sms": sms}
    return {**words, "link": link, "link_text": _("Open the back office")} if link else words


# --- to the friend ---------------------------------------------------------------------------------------------------


def to_friend(question: Question, given: Answer, channel: str) -> Words:
    """The answer itself, for a `direct` question; delivery's fields, not notify's."""
    link = links.friend_link(question)
    with translation.override(question.language):
        if channel == "sms":
            return {"body": fit(_("Answer to your question: %(text)s More: %(link)s"), given.text, link=link)}
        return {
            "subject": _("The answer to your question"),
            "body": _("You asked:\n\n%(question)s\n\nThe answer:\n\n%(answer)s\n\nDid this help?")
            % {"question": question.text, "answer": given.text},
            "link": link,
            "link_text": _("Tell us"),
        }


def friend_code(question: Question, code: str) -> Words:
    """The code that proves that an address is the friend's own."""
    with translation.override(question.language):
        return {
            "subject": _("Your code: %(code)s") % {"code": code},
            "body": _("%(code)s is your code to get the answer of %(sender)s. Not asked for it? Ignore this message.")
            % {"code": code, "sender": settings.MAIL_FROM_NAME},
        }
