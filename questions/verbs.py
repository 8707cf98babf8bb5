"""What the verbs of questions do. Each returns the sentence that goes back, in the person's language.

`vocabulary` gives them their names and explains them.
"""

from uuid import UUID

from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid
from notifications import item_codes, segments
from notifications.inbound import confirming
from notifications.models import ItemCode
from notifications.verbs import Command
from people.models import Person
from questions import (
    after,
    answering,
    approvals,
    asking,
    cards,
    corrections,
    desk_commands,
    intake,
    knowledge,
    releasing,
    reuse,
    search,
    skills,
    words,
)
from questions.masking import masked
from questions.models import Answer, Assignment, Clarification, Question, TopicCard

STATUS_LINES = 4
OPEN_KINDS = ("question", "assignment", "clarification", "approval")
PAGE_SEGMENTS = 2
PAGE_FRAME_CHARACTERS = 24


def _pk(command: Command) -> UUID:
    assert command.item is not None  # noqa: S101 — the registry hands an item to verbs that name kinds
    return UUID(command.item.item.split(":")[1])


def _kind(command: Command) -> str:
    assert command.item is not None  # noqa: S101 — as above
    return command.item.kind


def _question(item: ItemCode | None) -> Question:
    assert item is not None  # noqa: S101 — as above
    kind, pk = item.item.split(":")
    found = Question.objects.select_related("current_round", "topic")
    by = {"assignment": "assignments", "clarification": "clarifications", "approval": "answers"}
    return found.get(**{by.get(kind, "pk"): pk})


def _reference(command: Command) -> str:
    return _question(command.item).reference


def ask(command: Command) -> str:
    """VRAAG + text passes a question on; VRAAG A7 + text asks the asker of A7 something back."""
    first, _space, rest = command.text.partition(" ")
    item = item_codes.find(command.person, first) if item_codes.is_code(first) else None
    if item is not None and item.kind == "assignment":
        pk = UUID(item.item.split(":")[1])
        answering.ask_back(command.person, pk, rest, received_at=command.received_at)
        return _("Your question about %(reference)s is on its way to who asked.") % {"reference": _question(item).reference}
    wishes, text = asking.wishes(command.person, command.text)
    question = intake.submit(
        command.person,
        text,
        request_key=command.message_key,
        source=command.channel,
        received_at=command.received_at,
        **wishes,
    )
    code = item_codes.open_for(command.person, question.subject_key, words.label(question))
    confirmation = words.received(question, command.person, code.code)
    answer = reuse.suggest(question)
    return words.maybe(question, command.person, code.code, answer, confirmation, short=True) if answer else confirmation


def status(command: Command) -> str:
    """STATUS: the newest open questions of mine; STATUS A7: that one."""
    codes = item_codes.open_items(command.person, *OPEN_KINDS)
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
    """To an offer, to a question the expert asked back, or from the desk."""
    if not command.text:
        code = command.item.code if command.item else ""
        return _("Write your answer behind the code: ANSWER %(code)s + text.") % {"code": code}
    if _kind(command) == "clarification":
        question = answering.clarify(command.person, _pk(command), command.text, received_at=command.received_at)
        return _("Thank you. The expert goes on with %(reference)s.") % {"reference": question.reference}
    if _kind(command) == "desk":
        return desk_commands.answer(
            command.person, _pk(command), command.text, received_at=command.received_at, source=command.channel
        )
    given = answering.answer(
        command.person, _pk(command), command.text, received_at=command.received_at, source=command.channel
    )
    return words.heard_back_short(given, _question(command.item))


def accept(command: Command) -> str:
    """Takes an offer or an item of the desk, approves an answer, or says that a mail from elsewhere is mine."""
    if command.item is not None and command.item.kind == confirming.KIND:
        return confirming.accept(command.item)
    if _kind(command) == "desk":
        return desk_commands.take(command.person, _pk(command))
    if _kind(command) == "card":
        return approve_card(command.person, _pk(command))
    if _kind(command) == "approval":
        approvals.approve(command.person, _pk(command), received_at=command.received_at)
        return _("Thank you. The answer to %(reference)s is out.") % {"reference": _reference(command)}
    answering.accept(command.person, _pk(command))
    question = _question(command.item)
    return _("%(reference)s is yours, before %(due)s. Answer with ANSWER %(code)s + text.") % {
        "reference": question.reference,
        "due": words.when(question.current_round.due_at, command.person),
        "code": command.item.code if command.item else "",
    }


def decline(command: Command) -> str:
    if command.item is not None and command.item.kind == confirming.KIND:
        return confirming.decline(command.item)
    answering.decline(command.person, _pk(command))
    return _("Thank you for saying so. %(reference)s goes to somebody else.") % {"reference": _reference(command)}


def not_mine(command: Command) -> str:
    """The expert says that it is about something else."""
    answering.decline(command.person, _pk(command), Assignment.DeclineReason.NOT_MY_TOPIC)
    return _("Thank you for saying so. The desk looks what %(reference)s is about.") % {"reference": _reference(command)}


def reject(command: Command) -> str:
    approvals.refuse(command.person, _pk(command), command.text)
    return _("The answer to %(reference)s goes back to its author.") % {"reference": _reference(command)}


def back(command: Command) -> str:
    if _kind(command) == "desk":
        return desk_commands.back(command.person, _pk(command))
    answering.hand_back(command.person, _pk(command))
    return _("%(reference)s goes to somebody else.") % {"reference": _reference(command)}


def pass_on(command: Command) -> str:
    """DOOR A7 Joris: to that colleague; DOOR A7: who there is."""
    if not command.text:
        return desk_commands.experts_of(_question(command.item), command.person)
    if _kind(command) == "desk":
        return desk_commands.assign(command.person, _pk(command), command.text)
    question = _question(command.item)
    colleague = desk_commands.expert_named(question, command.text)
    answering.pass_to(command.person, _pk(command), colleague.pk)
    return _("%(reference)s goes to %(name)s.") % {"reference": question.reference, "name": colleague.name}


def know(command: Command) -> str:
    """KEN: what I answer; KEN buitenland 2: how well I know it; KEN buitenland 0: not any more."""
    *name, level = command.text.split() or [""]
    if name and level in {"0", "1", "2", "3"}:
        named = desk_commands.topic_called(" ".join(name))
        if level == "0":
            skills.drop_own(command.person, named)
        else:
            skills.set_own(command.person, named, int(level))
    elif level:
        raise Invalid(_("Write a topic and a level: KNOW roaming 2. 0 takes it away."))
    rows = [f"{row.topic.name(command.person.language)} {row.level}" for row in skills.of(command.person)]
    return _("You answer: %(topics)s.") % {"topics": ", ".join(rows)} if rows else _("You answer no topic.")


def card(command: Command) -> str:
    """KAART buitenland: what I may say about it; KAART: which topics have one, and which wait for my approval."""
    speaker, at = command.person, clock.now()
    if command.text.strip():
        named = desk_commands.topic_called(command.text)
        found = cards.of_topic(named, at)
        names = {"topic": named.name(speaker.language)}
        return words.card(found, speaker.language) if found else _("There is no card on %(topic)s.") % names
    waiting = [_waiting_card(speaker, row) for row in cards.waiting_for(speaker)]
    topics = ", ".join(row.topic.name(speaker.language) for row in cards.shown(at))
    some = [_("CARD + topic tells what you may say: %(topics)s.") % {"topics": topics}] if topics else []
    return "\n".join([*waiting, *some]) or _("There are no cards yet.")


def _waiting_card(person: Person, row: TopicCard) -> str:
    code = item_codes.open_for(person, row.item, row.topic.name(person.language)).code
    text = _("%(topic)s waits for your approval: MORE %(code)s reads it, ACCEPT %(code)s approves it.")
    return text % {"topic": row.topic.name(person.language), "code": code}


def approve_card(person: Person, card_id: UUID) -> str:
    approved = cards.approve(person, card_id)
    return _("Thank you. The card of %(topic)s is shown now.") % {"topic": approved.topic.name(person.language)}


def topic(command: Command) -> str:
    return desk_commands.topic(command.person, _pk(command), command.text)


def close(command: Command) -> str:
    return desk_commands.close(command.person, _pk(command), command.text)


def correct(command: Command) -> str:
    """CORRECTIE A7 + text: a newer text for what I answered, or for what came to the desk."""
    draft = answering.Draft(command.text, command.received_at, command.channel)
    question = _question(command.item)
    made = corrections.correct(command.person, question.pk, draft)
    return words.heard_back_short(made, question)


def wait(command: Command) -> str:
    """WACHT: my answer does not leave for the friend yet."""
    releasing.hold(command.person, _pk(command))
    return words.held_back(_question(command.item), command.item.code if command.item else "")


def send(command: Command) -> str:
    given = releasing.send(command.person, _pk(command), received_at=command.received_at)
    return words.heard_back_short(given, _question(command.item))


def desk_list(command: Command) -> str:
    """BALIE: what waits for the desk, with my codes."""
    return desk_commands.listing(command.person)


def duties(command: Command) -> str:
    """DIENST: when I am on duty."""
    return desk_commands.duties(command.person)


def _whole_text(command: Command) -> str:
    """What there is to read about an item: the answer for who asked, the question for who is to answer it."""
    kind, pk = _kind(command), _pk(command)
    if kind == "found":
        found = knowledge.current(pk)
        return found.text if found else ""
    if kind == "card":
        return words.card(TopicCard.objects.select_related("topic").get(pk=pk), command.person.language)
    question = _question(command.item)
    if kind == "question":
        given = after.shown(question) or reuse.suggested(question)
        return given.text if given else ""
    if kind == "clarification":
        return Clarification.objects.get(pk=pk).text
    if kind == "approval":
        return f"{masked(question.text)} - {Answer.objects.get(pk=pk).text}"
    return question.text if kind == "desk" else masked(question.text)


def more(command: Command) -> str:
    """The next page of a long answer, or of the question I am to answer; after the last one it starts again."""
    text = _whole_text(command)
    if not text or command.item is None:
        return _("%(reference)s has no answer yet.") % {"reference": _reference(command)}
    pages = segments.pages(segments.plain(text), segments=PAGE_SEGMENTS, reserve=PAGE_FRAME_CHARACTERS)
    number = command.item.pages_read % len(pages)
    ItemCode.objects.filter(pk=command.item.pk).update(pages_read=number + 1)
    head = f"{command.item.code} {number + 1}/{len(pages)}: {pages[number]}"
    if number + 1 == len(pages):
        return head
    return _("%(page)s MORE %(code)s") % {"page": head, "code": command.item.code}


def reuse_it(command: Command) -> str:
    """HERGEBRUIK A7: the answer in the confirmation, or the one that ZOEK found, is the one."""
    if command.item is not None and command.item.kind == "found":
        return search.use(command)
    return words.closed_with(reuse.close_with_suggested(command.person, _pk(command)))


def helped(command: Command) -> str:
    question = _question(command.item)
    after.rate(question.pk, helped=True, actor=command.person)
    return _("Good to hear. %(reference)s is closed.") % {"reference": question.reference}


def not_yet(command: Command) -> str:
    question = _question(command.item)
    return words.not_yet(question, after.rate(question.pk, helped=False, actor=command.person))


def relayed(command: Command) -> str:
    question = after.relay(command.person, _question(command.item).pk)
    return _("Noted: you passed on the answer to %(reference)s.") % {"reference": question.reference}


def withdraw(command: Command) -> str:
    question = intake.withdraw(command.person, _question(command.item).pk)
    return _("%(reference)s is withdrawn.") % {"reference": question.reference}
