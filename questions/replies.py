"""What a mail does: to the reply key of an item, and to the addresses that take questions."""

import re
from uuid import UUID

from django.utils.translation import gettext as _

from backend import clock
from notifications import item_codes, reply_targets
from notifications.models import ItemCode
from notifications.reply_targets import Mail
from questions import after, answering, approvals, cards, desk_commands, intake, releasing, reuse, words
from questions.models import Answer, Assignment, Question, Topic

ASK_ADDRESSES = frozenset({"vraag", "ask"})
DECLINE_WORDS = frozenset({"NEE", "DECLINE"})
ACCEPT_WORDS = frozenset({"JA", "ACCEPT"})
ASK_WORDS = frozenset({"VRAAG", "ASK"})
REUSE_WORDS = frozenset({"HERGEBRUIK", "REUSE"})
PASS_WORDS = frozenset({"DOOR", "PASS"})
BACK_WORDS = frozenset({"TERUG", "BACK"})
WRONG_WORDS = frozenset({"ANDERS", "WRONG"})
WAIT_WORDS = frozenset({"WACHT", "WAIT"})
SEND_WORDS = frozenset({"STUUR", "SEND"})
CORRECT_WORDS = frozenset({"CORRECTIE", "CORRECT"})
DESK_ADDRESSES = frozenset({"balie", "desk"})
NAME_WORDS = 4  # "DOOR Joris van der Berg" passes on; a longer text that begins so is an answer
INTERN = re.compile(r"(?mi)^---\s*intern\s*$")


def _pk(item: ItemCode) -> UUID:
    return UUID(item.item.split(":")[1])


def _first(text: str) -> tuple[str, str]:
    """(the first word in capitals without its punctuation, the rest)"""
    first, *rest = text.strip().split(None, 1) or [""]
    return first.upper().strip(".,:;!?"), rest[0].strip() if rest else ""


def to_assignment(item: ItemCode, mail: Mail) -> str:
    """An expert's reply: JA alone takes it, NEE declines, VRAAG asks back, DOOR + name passes on, CORRECTIE replaces what
    they answered, ANDERS, TERUG, WACHT and STUUR alone do what they say; else it is the answer."""
    assignment = Assignment.objects.select_related("question__topic").get(pk=_pk(item))
    names = {"reference": assignment.question.reference}
    first, rest = _first(mail.text)
    if first in DECLINE_WORDS:
        answering.decline(mail.person, assignment.pk)
        return _("Thank you for saying so. %(reference)s goes to somebody else.") % names
    if first in ACCEPT_WORDS and not rest:
        answering.accept(mail.person, assignment.pk)
        return _("%(reference)s is yours. Reply once more with your answer.") % names
    if first in ASK_WORDS and rest:
        answering.ask_back(mail.person, assignment.pk, rest, received_at=mail.received_at)
        return _("Your question about %(reference)s is on its way to who asked.") % names
    if first in PASS_WORDS and 0 < len(rest.split()) <= NAME_WORDS:
        colleague = desk_commands.expert_named(assignment.question, rest)
        answering.pass_to(mail.person, assignment.pk, colleague.pk)
        return _("%(reference)s goes to %(name)s.") % {**names, "name": colleague.name}
    if first in CORRECT_WORDS and rest:
        return desk_commands.correct(
            mail.person, assignment.question_id, rest, received_at=mail.received_at, source="email"
        )
    return (_alone(first, item, assignment, mail) if not rest else None) or _answer(assignment, mail)


def _alone(word: str, item: ItemCode, assignment: Assignment, mail: Mail) -> str | None:
    """Words that count only as the whole message. None: it is not one of them."""
    names = {"reference": assignment.question.reference}
    if word in WRONG_WORDS:
        answering.decline(mail.person, assignment.pk, Assignment.DeclineReason.NOT_MY_TOPIC)
        return _("Thank you for saying so. The desk looks what %(reference)s is about.") % names
    if word in BACK_WORDS:
        answering.hand_back(mail.person, assignment.pk)
        return _("%(reference)s goes to somebody else.") % names
    if word in WAIT_WORDS:
        releasing.hold(mail.person, assignment.pk)
        return words.held_back(assignment.question, item.code)
    if word in SEND_WORDS:
        given = releasing.send(mail.person, assignment.pk, received_at=mail.received_at)
        return words.heard_back(given, assignment.question)
    return None


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
    return words.heard_back(given, Question.objects.get(pk=assignment.question_id))


def to_question(item: ItemCode, mail: Mail) -> str:
    """An asker's reply: a thank-you changes nothing, GELUKT closes, NIETGELUKT reopens, INTREKKEN withdraws; they hear
    how it stands."""
    question = Question.objects.select_related("current_round").get(pk=_pk(item))
    first, _rest = _first(mail.text)
    if first in {"GELUKT", "HELPED"}:
        after.rate(question.pk, helped=True, actor=mail.person)
        return _("Good to hear. %(reference)s is closed.") % {"reference": question.reference}
    if first in {"NIETGELUKT", "NOTYET"}:
        return words.not_yet(question, after.rate(question.pk, helped=False, actor=mail.person))
    if first in {"DOORGEGEVEN", "RELAYED"}:
        after.relay(mail.person, question.pk)
        return _("Noted: you passed on the answer to %(reference)s.") % {"reference": question.reference}
    if first in REUSE_WORDS:
        return words.closed_with(reuse.close_with_suggested(mail.person, question.pk))
    if first in {"INTREKKEN", "WITHDRAW"}:
        intake.withdraw(mail.person, question.pk)
        return _("%(reference)s is withdrawn.") % {"reference": question.reference}
    return words.status_line(question, mail.person, item.code, clock.now())


def to_clarification(item: ItemCode, mail: Mail) -> str:
    """The asker's reply to what the expert wants to know."""
    question = answering.clarify(mail.person, _pk(item), mail.text, received_at=mail.received_at)
    return _("Thank you. The expert goes on with %(reference)s.") % {"reference": question.reference}


def to_approval(item: ItemCode, mail: Mail) -> str:
    """JA alone approves; anything else goes back to the author as a remark."""
    draft = Answer.objects.select_related("question").get(pk=_pk(item))
    names = {"reference": draft.question.reference}
    first, rest = _first(mail.text)
    if first in ACCEPT_WORDS and not rest:
        approvals.approve(mail.person, draft.pk, received_at=mail.received_at)
        return _("Thank you. The answer to %(reference)s is out.") % names
    approvals.refuse(mail.person, draft.pk, mail.text)
    return _("The answer to %(reference)s goes back to its author.") % names


def to_card(item: ItemCode, mail: Mail) -> str:
    """JA alone approves a topic's card; anything else changes nothing."""
    first, rest = _first(mail.text)
    if first in ACCEPT_WORDS and not rest:
        approved = cards.approve(mail.person, _pk(item))
        return _("Thank you. The card of %(topic)s is shown now.") % {"topic": approved.topic.name(mail.person.language)}
    return _("Nothing has changed. Reply with ACCEPT and the card is shown; another text is written in the app.")


def to_desk(item: ItemCode, mail: Mail) -> str:
    """The desk works by mail: a first word says what to do."""
    first, rest = _first(mail.text)
    person, pk = mail.person, _pk(item)
    if first in ACCEPT_WORDS:
        return desk_commands.take(person, pk)
    if first in {"TERUG", "BACK"}:
        return desk_commands.back(person, pk)
    if first in {"ONDERWERP", "TOPIC"}:
        return desk_commands.topic(person, pk, rest)
    if first in PASS_WORDS:
        return desk_commands.assign(person, pk, rest)
    if first in {"ANTW", "ANSWER"}:
        return desk_commands.answer(person, pk, rest, received_at=mail.received_at, source="email")
    if first in {"SLUIT", "CLOSE"}:
        return desk_commands.close(person, pk, rest)
    if first in CORRECT_WORDS:
        return desk_commands.correct(person, pk, rest, received_at=mail.received_at, source="email")
    return words.desk_help(Question.objects.get(pk=pk), item.code)


def to_address(local: str, mail: Mail) -> tuple[str, str] | None:
    """A new question, by mail to vraag@ or to a topic's own address; the desk's list, by mail to balie@. None: not ours."""
    if local in DESK_ADDRESSES:
        return desk_commands.listing(mail.person), ""
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
    confirmation = words.received(question, mail.person, code.code)
    answer = reuse.suggest(question)
    if answer is not None:
        confirmation = words.maybe(question, mail.person, code.code, answer, confirmation, short=False)
    return confirmation, code.reply_key


def fill_registry() -> None:
    reply_targets.register_item("assignment", to_assignment)
    reply_targets.register_item("question", to_question)
    reply_targets.register_item("clarification", to_clarification)
    reply_targets.register_item("approval", to_approval)
    reply_targets.register_item("card", to_card)
    reply_targets.register_item("desk", to_desk)
    reply_targets.register_address(to_address)
