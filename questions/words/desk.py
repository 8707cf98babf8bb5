"""What the duty desk and the lead of a topic read."""

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from people.models import Person
from questions.masking import masked
from questions.models import Question
from questions.words.common import Words, best_guesses, fit, in_language_of, topic_name, when


@in_language_of(1)
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
