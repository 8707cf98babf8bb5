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
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from notifications import segments
from people.models import Person
from questions import links
from questions.masking import masked
from questions.models import Answer, Assignment, Clarification, Question, Topic

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
    return ", ".join(reasons(assignment, reader))


def reasons(assignment: Assignment, reader: Person) -> list[str]:
    """Each stored reason in words."""
    with translation.override(reader.language):
        return [_reason(assignment, reason, reader) for reason in assignment.reasons]


def _reason(assignment: Assignment, reason: dict[str, Any], reader: Person) -> str:
    if reason["code"] == "knows":
        return _knows(assignment, reason, reader)
    if reason["code"] == "load":
        return _("%(open)s of %(capacity)s open") % {"open": reason["open"], "capacity": reason["capacity"]}
    if reason["code"] == "speaks":
        names = {"nl": _("speaks Dutch"), "en": _("speaks English")}
        return names[reason["language"]]
    if reason["code"] == "answered_before":
        return _("answered it before")
    if reason["code"] == "works_now":
        return _("at work now")
    if reason["code"] == "stands_in":
        return _("stands in for %(name)s") % {"name": reason["person"]}
    if reason["code"] == "chosen_by":
        return _("chosen by %(name)s") % {"name": reason["person"]}
    known = {"works_until": _("works until %(at)s"), "works_from": _("works from %(at)s")}
    return known[reason["code"]] % {"at": _clock_time(datetime.fromisoformat(reason["at"]), assignment, reader)}


def _knows(assignment: Assignment, reason: dict[str, Any], reader: Person) -> str:
    """By the topic it had then: the desk may have chosen another one since."""
    topic = assignment.question.topic
    if reason.get("topic") and (topic is None or reason["topic"] != topic.slug):
        topic = Topic.objects.filter(slug=reason["topic"]).first() or topic
    names = {1: _("knows %(topic)s"), 2: _("knows %(topic)s well"), 3: _("knows %(topic)s best")}
    return names[reason["level"]] % {"topic": topic_name(topic, reader.language)}


def _clock_time(at: datetime, assignment: Assignment, reader: Person) -> str:
    """`17:30` on the day of the offer, else with its day."""
    here = at.astimezone(reader.zone)
    same_day = here.date() == assignment.offered_at.astimezone(reader.zone).date()
    return here.strftime("%H:%M") if same_day else when(at, reader)


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
    elif reason == "closed":
        text = _("%(reference)s was closed: no answer is needed any more. Thank you.") % names
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


def waits_for_approval(question: Question) -> str:
    """To an expert whose text a colleague reads first."""
    return _("Thank you. A colleague looks at your answer to %(reference)s before it leaves.") % {
        "reference": question.reference
    }


@_in_language_of(2)
def approval(question: Question, draft: Answer, reader: Person, code: str) -> Words:
    """To the second pair of eyes."""
    values = {
        "reference": question.reference,
        "author": draft.author.name,
        "due": when(question.current_round.due_at, reader),
        "text": masked(question.text),
        "answer": draft.text,
    }
    sms = fit(
        _("%(author)s answers %(reference)s: %(text)s ACCEPT %(code)s sends it, REJECT %(code)s + why sends it back."),
        draft.text,
        code=code,
        author=draft.author.first_name,
        reference=question.reference,
    )
    return {
        "title": _("%(reference)s: an answer to approve") % values,
        "body": _(
            "%(author)s answers:\n\n%(answer)s\n\nThe question was:\n\n%(text)s\n\nReply with ACCEPT and it leaves."
            " Anything else you write goes back to %(author)s. Due: %(due)s."
        )
        % values,
        "sms": sms,
    }


@_in_language_of(3)
def needs_work(question: Question, draft: Answer, remark: str, author: Person, code: str) -> Words:
    """To the author whose text came back; without a code they no longer hold the question."""
    again = _("CORRECT %(code)s + text") if draft.corrects_id else _("ANSWER %(code)s + text")
    how = _("Again: %(how)s") % {"how": again % {"code": code}} if code else _("A colleague goes on with it.")
    sms = fit(_("Your answer to %(reference)s came back: %(text)s %(how)s"), remark, reference=question.reference, how=how)
    return {
        "title": _("%(reference)s: your answer came back") % {"reference": question.reference},
        "body": _("A colleague wrote:\n\n%(remark)s\n\nYour text was:\n\n%(answer)s\n\n%(how)s")
        % {"remark": remark, "answer": draft.text, "how": _how_again(draft, code)},
        "sms": sms,
    }


def _how_again(draft: Answer, code: str) -> str:
    if not code:
        return _("A colleague goes on with it.")
    return _("Reply with CORRECT and the new text.") if draft.corrects_id else _("Reply with the new text.")


@_in_language_of(2)
def clarified(question: Question, clarification: Clarification, expert: Person, code: str) -> Words:
    """To the expert: what the asker replied."""
    due = when(question.current_round.due_at, expert)
    sms = fit(
        _("Reply to %(code)s (before %(due)s): %(text)s ANSWER %(code)s + text"),
        masked(clarification.reply),
        code=code,
        due=due,
    )
    values = {
        "reply": masked(clarification.reply),
        "asked": clarification.text,
        "text": masked(question.text),
        "due": due,
    }
    return {
        "title": _("Reply to your question about %(reference)s") % {"reference": question.reference},
        "body": _(
            "You asked:\n\n%(asked)s\n\nThe reply:\n\n%(reply)s\n\nThe question was:\n\n%(text)s\n\n"
            "Reply to this mail with your answer, before %(due)s."
        )
        % values,
        "sms": sms,
    }


def heard_back(given: Answer, question: Question) -> str:
    """To whoever wrote an answer: the words as they leave, and when, or why they do not."""
    if given.state == given.State.REFUSED:
        return too_late(question, given.author)
    if given.state == given.State.DRAFT:
        return waits_for_approval(question)
    shown = what_will_be_shown(given, question)
    if given.leaves_at is None:
        return shown
    leaves = _("It leaves for the friend at %(at)s. Reply with WAIT to hold it back, or with a better text.")
    return f"{shown}\n\n{leaves % {'at': when(given.leaves_at, given.author)}}"


def heard_back_short(given: Answer, question: Question) -> str:
    """The same in an SMS."""
    if given.leaves_at is not None:
        template = _("The answer to %(reference)s leaves at %(at)s: %(text)s WAIT holds it back.")
        at = when(given.leaves_at, given.author)
        return fit(template, given.text, reference=question.reference, at=at)
    if given.state != given.State.RELEASED:
        return heard_back(given, question)
    return fit(_("Thank you. The answer to %(reference)s is out: %(text)s"), given.text, reference=question.reference)


def held_back(question: Question, code: str) -> str:
    """To an expert who said WAIT."""
    template = _("The answer to %(reference)s waits. SEND %(code)s lets it go; ANSWER %(code)s + text replaces it.")
    return template % {"reference": question.reference, "code": code}


def too_late(question: Question, author: Person) -> str:
    """To an expert whose text came after the end, or after their own answer."""
    names = {"reference": question.reference}
    if question.state == Question.State.WITHDRAWN:
        return _("%(reference)s was withdrawn before your text came in. It is kept, but not sent.") % names
    if question.answers.filter(author=author, state=Answer.State.RELEASED).exists():
        return (
            _(
                "Your answer to %(reference)s is out already. To change it, begin with CORRECT."
                " What you wrote now is kept, but not sent."
            )
            % names
        )
    if not question.is_unanswered and not question.answers.filter(state=Answer.State.RELEASED).exists():
        return _("%(reference)s was closed before your text came in. It is kept, but not sent.") % names
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
    if question.answer_mode == "direct" and question.expected_at:
        values["expected"] = when(question.expected_at, person)
        told = _(
            "Passed on: %(reference)s. Answer around %(expected)s, before %(due)s. Your friend follows it here: %(link)s"
        )
        return told % values
    if question.answer_mode == "direct":
        return _("Passed on: %(reference)s. Answer before %(due)s. Your friend follows it here: %(link)s") % values
    if question.expected_at is None:
        return (
            _("Passed on: %(reference)s. You have the answer before %(due)s. STATUS %(code)s tells how it stands.") % values
        )
    values["expected"] = when(question.expected_at, person)
    if question.expected_at > question.current_round.due_at:  # honest, also when it is not what was promised
        return _("Passed on: %(reference)s. It is busy: expect the answer around %(expected)s. STATUS %(code)s.") % values
    return (
        _("Passed on: %(reference)s. Expect the answer around %(expected)s, before %(due)s at the latest. STATUS %(code)s.")
        % values
    )


@_in_language_of(2)
def asked_back(question: Question, clarification: Clarification, asker: Person, code: str) -> Words:
    """The expert wants to know something first."""
    sms = fit(
        _("About %(reference)s: %(text)s Reply %(code)s + your answer."),
        clarification.text,
        reference=question.reference,
        code=code,
    )
    return {
        "title": _("A question about %(reference)s") % {"reference": question.reference},
        "body": _(
            "You asked:\n\n%(question)s\n\nThe expert wants to know:\n\n%(text)s\n\nReply to this mail. Without a reply the"
            " question is closed after three days."
        )
        % {"question": question.text, "text": clarification.text},
        "sms": sms,
    }


@_in_language_of(1)
def relay_reminder(question: Question, asker: Person, code: str) -> Words:
    """The answer lies there and nobody passed it on."""
    link = links.friend_link(question)
    values = {"reference": question.reference, "code": code, "link": link}
    text = (
        _("The answer to %(reference)s is waiting for your friend. Passed on? RELAYED %(code)s. Share: %(link)s") % values
    )
    return {
        "title": _("Did you pass on the answer to %(reference)s?") % values,
        "body": _("You asked:\n\n%(question)s\n\nThe answer is there. Share this page with your friend:")
        % {"question": question.text},
        "sms": segments.plain(text),
        "link": link,
        "link_text": _("The page for your friend"),
    }


@_in_language_of(2)
def corrected(question: Question, made: Answer, asker: Person, code: str) -> Words:
    """A newer text takes the place of the one that was passed on."""
    link = links.friend_link(question)
    sms = fit(
        _("The answer to %(reference)s was corrected: %(text)s Please pass it on. Share: %(link)s"),
        made.text,
        reference=question.reference,
        link=link,
    )
    return {
        "title": _("The answer to %(reference)s was corrected") % {"reference": question.reference},
        "body": _("You asked:\n\n%(question)s\n\nThe corrected answer:\n\n%(answer)s\n\nPlease tell your friend:")
        % {"question": question.text, "answer": made.text},
        "sms": sms,
        "link": link,
        "link_text": _("The page for your friend"),
    }


def maybe(question: Question, person: Person, code: str, answer: Answer, confirmation: str, *, short: bool) -> str:
    """The confirmation with an answer that may be the one; as an SMS cut to size. In the language that is active."""
    values = {"received": confirmation, "code": code}
    if short:
        template = _("%(received)s Maybe this is it: %(text)s REUSE %(code)s if it is.")
        return fit(template, answer.text, **values)
    return _("%(received)s\n\nMaybe this is it:\n\n%(text)s\n\nIf it is, reply REUSE and we close %(reference)s.") % {
        **values,
        "text": answer.text,
        "reference": question.reference,
    }


def closed_with(question: Question) -> str:
    """To who closed a question with an earlier answer; in the language that is active."""
    values = {"reference": question.reference, "link": links.friend_link(question)}
    return _("%(reference)s is closed with this answer. Share: %(link)s") % values


@_in_language_of(1)
def expired(question: Question, asker: Person) -> Words:
    """The answer that was passed on has come to the end of its validity."""
    text = _("The answer to %(reference)s is no longer valid. Do not pass it on any more; ask again if it is needed.") % {
        "reference": question.reference
    }
    body = f"{text}\n\n" + _("You asked:\n\n%(question)s") % {"question": question.text}
    return {"title": _("%(reference)s: no longer valid") % {"reference": question.reference}, "body": body, "sms": text}


@_in_language_of(1)
def reused(sources: list[Question], author: Person) -> Words:
    """To an author: colleagues used these answers again; a question stands here once for each use."""
    count = len(sources)
    text = ngettext(
        "Your answer was used again by a colleague.", "Your answers were used again %(count)s times.", count
    ) % {"count": count}
    labels = {source.pk: f"{source.reference}: {label(source)}" for source in sources}
    body = "\n".join([f"{text} " + _("Thank you!"), "", *labels.values()])
    return {"title": text, "body": body, "sms": text}


@_in_language_of(1)
def waits_for_duty(question: Question, asker: Person, until: datetime, expected_at: datetime) -> Words:
    """Nobody of the desk is on duty, and only the desk can help: from when on, and when to expect something."""
    names = {"reference": question.reference, "at": when(until, asker), "expected": when(expected_at, asker)}
    template = _("A colleague looks at %(reference)s first, from %(at)s on: expect the answer around %(expected)s.")
    text = template % names
    return {"title": _("%(reference)s waits for a colleague") % names, "body": text, "sms": segments.plain(text)}


@_in_language_of(1)
def closed(question: Question, asker: Person) -> Words:
    """Closed without an answer, and why."""
    names = {"reference": question.reference}
    text = {
        "no_reply": _("%(reference)s is closed: the expert had a question and there was no reply. Ask again any time."),
        "not_a_question": _("%(reference)s is closed: the desk found no question in it. Ask again in other words."),
        "duplicate": _("%(reference)s is closed: the same question is being answered already."),
    }[question.close_reason] % names
    return {"title": _("%(reference)s is closed") % names, "body": text, "sms": segments.plain(text)}


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


def not_yet(question: Question, result: str) -> str:
    """To an asker who said that it did not help."""
    if result == "reopened":
        return _("%(reference)s is open again; an expert looks at it once more.") % {"reference": question.reference}
    return _("Noted for %(reference)s. It was opened again before.") % {"reference": question.reference}


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
def for_desk(question: Question, person: Person, event: str, link: str, code: str) -> Words:
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
    body = _("%(text)s\n\nTopic: %(topic)s. Due: %(due)s.") % {**values, "text": question.text}  # the desk reads it whole
    sms = fit(_("%(title)s (due %(due)s): %(text)s"), masked(question.text), title=title, due=values["due"])
    if code:
        body += "\n\n" + desk_help(question, code)
        how = _("ACCEPT/TOPIC/PASS/ANSWER/CLOSE %(code)s") % {"code": code}
        sms = fit(
            _("%(title)s (due %(due)s): %(text)s %(how)s"), masked(question.text), title=title, due=values["due"], how=how
        )
    words = {"title": title, "body": body, "sms": sms}
    return {**words, "link": link, "link_text": _("Open the back office")} if link else words


def desk_help(question: Question, code: str) -> str:
    """What the desk can write about one item, with the best guesses; in the language that is active."""
    lines = [
        _("Reply to this mail (or by SMS with %(code)s) with one of:"),
        _("ACCEPT: you deal with it. BACK: somebody else shall."),
        _("TOPIC + name or number: it goes to that topic's experts."),
        _("PASS + name: that expert gets it."),
        _("ANSWER + text: you answer it yourself."),
        _("CLOSE not a question, or CLOSE duplicate."),
    ]
    guesses = [topic.name(get_language() or "nl")[:40] for topic in best_guesses(question)]
    numbered = [f"{number} = {name}" for number, name in enumerate(guesses, 1)]
    return "\n".join([line % {"code": code} for line in lines] + numbered)


def best_guesses(question: Question) -> list[Topic]:
    """The topics it may be about, likeliest first."""
    known = {topic.pk: topic for topic in Topic.objects.filter(pk__in=question.topic_guesses)}
    return [known[pk] for pk in question.topic_guesses if pk in known]


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
