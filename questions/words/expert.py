"""What experts read, and whoever approves their answers."""

from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from people.models import Person
from questions import links
from questions.masking import masked
from questions.models import Answer, Assignment, Clarification, Question, Topic
from questions.words.common import Words, fit, in_language_of, topic_name, when


@in_language_of(2)
def offer(question: Question, assignment: Assignment, expert: Person, code: str) -> Words:
    due = when(question.current_round.due_at, expert)
    topic = topic_name(question.topic, expert.language)
    body = _(
        "A colleague was asked:\n\n%(text)s\n\nTopic: %(topic)s. Please answer before %(due)s.\n"
        "Why you: %(why)s.\n\nReply to this mail with your answer and it goes straight back. Start with DECLINE to say no."
        " What you write below a line `--- intern` is for colleagues only."
    ) % {"text": _with_replies(question), "topic": topic, "due": due, "why": why(assignment, expert)}
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


def _with_replies(question: Question) -> str:
    """The question, and what a colleague who had it before asked back and heard."""
    said = [masked(question.text)]
    for asked in question.clarifications.exclude(reply="").order_by("asked_at"):
        values = {"asked": masked(asked.text), "reply": masked(asked.reply)}
        said.append(_("A colleague asked: %(asked)s\nThe reply: %(reply)s") % values)
    if question.attachments.filter(state="shared").exists():
        said.append(_("There is a picture with it: open the page to see it."))
    return "\n\n".join(said)


@in_language_of(2)
def picture_shared(question: Question, assignment: Assignment, expert: Person) -> Words:
    names = {"reference": question.reference}
    link = links.answer_link(assignment)
    return {
        "title": _("A picture with %(reference)s") % names,
        "body": _("The colleague who asked %(reference)s has added a picture. Open the page to see it.") % names,
        "sms": _("A picture was added to %(reference)s: %(link)s") % {**names, "link": link},
        "link": link,
        "link_text": _("See the picture"),
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


@in_language_of(2)
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


@in_language_of(1)
def no_longer_needed(question: Question, expert: Person, reason: str) -> Words:
    names = {"reference": question.reference}
    if reason == "withdrawn":
        text = _("%(reference)s was withdrawn: no answer is needed any more. Thank you.") % names
    elif reason == "closed":
        text = _("%(reference)s was closed: no answer is needed any more. Thank you.") % names
    else:
        text = _("A colleague has answered %(reference)s: nothing is needed any more. Thank you.") % names
    return {"title": text, "body": text, "sms": text}


@in_language_of(1)
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


@in_language_of(2)
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


@in_language_of(3)
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


@in_language_of(2)
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
