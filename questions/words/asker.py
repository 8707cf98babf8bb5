"""What the asker reads."""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications import segments
from people.models import Person
from questions import links
from questions.models import Answer, Clarification, Question
from questions.words.common import Words, fit, in_language_of, label, when


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


@in_language_of(2)
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


@in_language_of(1)
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


@in_language_of(2)
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


@in_language_of(1)
def expired(question: Question, asker: Person) -> Words:
    """The answer that was passed on has come to the end of its validity."""
    text = _("The answer to %(reference)s is no longer valid. Do not pass it on any more; ask again if it is needed.") % {
        "reference": question.reference
    }
    body = f"{text}\n\n" + _("You asked:\n\n%(question)s") % {"question": question.text}
    return {"title": _("%(reference)s: no longer valid") % {"reference": question.reference}, "body": body, "sms": text}


@in_language_of(1)
def reused(sources: list[Question], author: Person) -> Words:
    """To an author: colleagues used these answers again; a question stands here once for each use."""
    count = len(sources)
    text = ngettext(
        "Your answer was used again by a colleague.", "Your answers were used again %(count)s times.", count
    ) % {"count": count}
    labels = {source.pk: f"{source.reference}: {label(source)}" for source in sources}
    body = "\n".join([f"{text} " + _("Thank you!"), "", *labels.values()])
    return {"title": text, "body": body, "sms": text}


@in_language_of(1)
def waits_for_duty(question: Question, asker: Person, until: datetime, expected_at: datetime) -> Words:
    """Nobody of the desk is on duty, and only the desk can help: from when on, and when to expect something."""
    names = {"reference": question.reference, "at": when(until, asker), "expected": when(expected_at, asker)}
    template = _("A colleague looks at %(reference)s first, from %(at)s on: expect the answer around %(expected)s.")
    text = template % names
    return {"title": _("%(reference)s waits for a colleague") % names, "body": text, "sms": segments.plain(text)}


@in_language_of(1)
def closed(question: Question, asker: Person) -> Words:
    """Closed without an answer, and why."""
    names = {"reference": question.reference}
    text = {
        "no_reply": _("%(reference)s is closed: the expert had a question and there was no reply. Ask again any time."),
        "not_a_question": _("%(reference)s is closed: the desk found no question in it. Ask again in other words."),
        "duplicate": _("%(reference)s is closed: the same question is being answered already."),
    }[question.close_reason] % names
    return {"title": _("%(reference)s is closed") % names, "body": text, "sms": segments.plain(text)}


@in_language_of(2)
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


@in_language_of(1)
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
