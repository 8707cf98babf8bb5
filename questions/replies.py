"""What a mail does: to an offer's reply key, to a question's, and to the addresses that take questions."""

import re

from django.utils.translation import gettext as _

from backend import clock
from notifications import item_codes, reply_targets
from notifications.models import ItemCode
from notifications.reply_targets import Mail
from questions import answering, intake, words
from questions.models import Assignment, Question, Topic

ASK_ADDRESSES = frozenset({"vraag", "ask"})
DECLINE_WORDS = frozenset({"NEE", "DECLINE"})
ACCEPT_WORDS = frozenset({"JA", "ACCEPT"})
INTERN = re.compile(r"(?mi)^---\s*intern\s*$")


def to_assignment(item: ItemCode, mail: Mail) -> str:
    """An expert's reply: JA alone takes it, a first word NEE declines, anything else is the answer."""
    assignment = Assignment.objects.select_related("question").get(pk=item.item.split(":")[1])
    reference = assignment.question.reference
    first = mail.text.split()[0].upper().strip(".,:;!") if mail.text.split() else ""
    if first in DECLINE_WORDS:
        answering.decline(mail.person, assignment.pk)
        return _("Thank you for saying so. %(reference)s goes to somebody else.") % {"reference": reference}
    if first in ACCEPT_WORDS and len(mail.text.split()) == 1:
        answering.accept(mail.person, assignment.pk)
        return _("%(reference)s is yours. Reply once more with your answer.") % {"reference": reference}
    return _answer(assignment, mail)


def _answer(assignment: Assignment, mail: Mail) -> str:
    text, *note = INTERN.split(mail.text, maxsplit=1)
    given = answering.answer(
        mail.person,
        assignment.pk,
        text,
        internal_note=note[0] if note else "",
        received_at=mail.received_at,
        source="email",
    )
    question = Question.objects.get(pk=assignment.question_id)
    if given.state == given.State.REFUSED:
        return words.too_late(question)
    return words.what_will_be_shown(given, question)


def to_question(item: ItemCode, mail: Mail) -> str:
    """An asker's reply: a thank-you changes nothing, GELUKT closes, INTREKKEN withdraws; they hear how it stands."""
    question = Question.objects.select_related("current_round").get(pk=item.item.split(":")[1])
    first = mail.text.split()[0].upper().strip(".,:;!") if mail.text.split() else ""
    if first in {"GELUKT", "HELPED"}:
        answering.rate(question.pk, helped=True, actor=mail.person)
        return _("Good to hear. %(reference)s is closed.") % {"reference": question.reference}
    if first in {"INTREKKEN", "WITHDRAW"}:
        intake.withdraw(mail.person, question.pk)
        return _("%(reference)s is withdrawn.") % {"reference": question.reference}
    return words.status_line(question, mail.person, item.code, clock.now())


def to_address(local: str, mail: Mail) -> str | None:
    """A new question, by mail to vraag@ or to a topic's own address. None: this address is not ours."""
    topic = Topic.objects.filter(mail_key=local, is_active=True).first()
    if topic is None and local not in ASK_ADDRESSES:
        return None
    question = intake.submit(
        mail.person,
        mail.text or mail.subject,
        request_key=mail.message_key,
        source="email",
        received_at=mail.received_at,
        topic=topic,
        topic_chosen_by="address" if topic else "",
    )
    code = item_codes.open_for(mail.person, question.subject_key, words.label(question))
    return words.received(question, mail.person, code.code)


def fill_registry() -> None:
    reply_targets.register_item("assignment", to_assignment)
    reply_targets.register_item("question", to_question)
    reply_targets.register_address(to_address)
