"""The SMS verbs of questions. Each returns the sentence that goes back, in the person's language."""

from django.utils.translation import gettext as _

from backend import clock
from notifications import item_codes, segments
from notifications.models import ItemCode
from notifications.verbs import Command, Verb, register
from questions import answering, intake, words
from questions.models import Assignment, Question

STATUS_LINES = 4
PAGE_SEGMENTS = 2
PAGE_FRAME_CHARACTERS = 24


def _question(item: ItemCode | None) -> Question:
    assert item is not None  # noqa: S101 — the registry hands an item to verbs that name kinds
    kind, pk = item.item.split(":")
    if kind == "assignment":
        pk = str(Assignment.objects.values_list("question_id", flat=True).get(pk=pk))
    return Question.objects.select_related("current_round", "topic").get(pk=pk)


def _assignment(item: ItemCode | None) -> Assignment:
    assert item is not None  # noqa: S101 — as above
    return Assignment.objects.get(pk=item.item.split(":")[1])


def ask(command: Command) -> str:
    question = intake.submit(
        command.person,
        command.text,
        request_key=command.message_key,
        source="sms",
        received_at=command.received_at,
    )
    code = item_codes.open_for(command.person, question.subject_key, words.label(question))
    return words.received(question, command.person, code.code)


def status(command: Command) -> str:
    """STATUS: the newest open questions of mine; STATUS A7: that one."""
    codes = item_codes.open_items(command.person, "question", "assignment")
    if item_codes.is_code(command.text.strip()):
        wanted = item_codes.find(command.person, command.text.strip())
        if wanted is None:
            return _("You have nothing with code %(code)s.") % {"code": command.text.strip().upper()}
        codes = [wanted]
    if not codes:
        return _("You have no open questions. ASK + text passes one on.")
    at = clock.now()
    shown = [words.status_line(_question(code), command.person, code.code, at) for code in codes[-STATUS_LINES:]]
    return "\n".join(reversed(shown))


def answer(command: Command) -> str:
    assignment = _assignment(command.item)
    if not command.text:
        return _("Write your answer behind the code: ANSWER %(code)s + text.") % {
            "code": command.item.code if command.item else ""
        }
    given = answering.answer(command.person, assignment.pk, command.text, received_at=command.received_at, source="sms")
    question = _question(command.item)
    if given.state == given.State.REFUSED:
        return words.too_late(question)
    return words.fit(_("Thank you. The answer to %(reference)s is out: %(text)s"), given.text, reference=question.reference)


def accept(command: Command) -> str:
    assignment = answering.accept(command.person, _assignment(command.item).pk)
    question = _question(command.item)
    code = command.item.code if command.item else ""
    due = words.when(question.current_round.due_at, command.person)
    return _("%(reference)s is yours, before %(due)s. Answer with ANSWER %(code)s + text.") % {
        "reference": assignment.question.reference,
        "due": due,
        "code": code,
    }


def decline(command: Command) -> str:
    answering.decline(command.person, _assignment(command.item).pk)
    return _("Thank you for saying so. %(reference)s goes to somebody else.") % {
        "reference": _question(command.item).reference
    }


def more(command: Command) -> str:
    """The next page of a long answer; after the last one it starts again."""
    question = _question(command.item)
    given = answering.released(question)
    if given is None or command.item is None:
        return _("%(reference)s has no answer yet.") % {"reference": question.reference}
    pages = segments.pages(segments.plain(given.text), segments=PAGE_SEGMENTS, reserve=PAGE_FRAME_CHARACTERS)
    number = command.item.pages_read % len(pages)
    ItemCode.objects.filter(pk=command.item.pk).update(pages_read=number + 1)
    head = f"{command.item.code} {number + 1}/{len(pages)}: {pages[number]}"
    if number + 1 == len(pages):
        return head
    return _("%(page)s MORE %(code)s") % {"page": head, "code": command.item.code}


def helped(command: Command) -> str:
    question = _question(command.item)
    answering.rate(question.pk, helped=True, actor=command.person)
    return _("Good to hear. %(reference)s is closed.") % {"reference": question.reference}


def not_yet(command: Command) -> str:
    question = _question(command.item)
    if answering.rate(question.pk, helped=False, actor=command.person) == "reopened":
        return _("%(reference)s is open again; an expert looks at it once more.") % {"reference": question.reference}
    return _("Noted for %(reference)s. It was opened again before.") % {"reference": question.reference}


def relayed(command: Command) -> str:
    question = answering.relay(command.person, _question(command.item).pk)
    return _("Noted: you passed on the answer to %(reference)s.") % {"reference": question.reference}


def withdraw(command: Command) -> str:
    question = intake.withdraw(command.person, _question(command.item).pk)
    return _("%(reference)s is withdrawn.") % {"reference": question.reference}


def fill_registry() -> None:
    register(Verb(("VRAAG", "ASK"), ask))
    register(Verb(("STATUS",), status))
    register(Verb(("ANTW", "ANSWER"), answer, kinds=("assignment",)), bare=True)
    register(Verb(("JA", "ACCEPT"), accept, kinds=("assignment",), whole_message=True))
    register(Verb(("NEE", "DECLINE"), decline, kinds=("assignment",), whole_message=True))
    register(Verb(("MEER", "MORE"), more, kinds=("question",)))
    register(Verb(("GELUKT", "HELPED"), helped, kinds=("question",)))
    register(Verb(("NIETGELUKT", "NOTYET"), not_yet, kinds=("question",)))
    register(Verb(("DOORGEGEVEN", "RELAYED"), relayed, kinds=("question",)))
    register(Verb(("INTREKKEN", "WITHDRAW"), withdraw, kinds=("question",)))
