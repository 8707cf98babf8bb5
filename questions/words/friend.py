"""What a friend without an account reads; fields of a delivery, not of `notify`."""

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from questions import links
from questions.models import Answer, Question
from questions.words.common import Words, fit


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
