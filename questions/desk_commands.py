"""What the desk writes about an item, by SMS or mail: a verb and the rest. Each returns the sentence that goes back."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotAllowed
from notifications import item_codes
from people.models import Person
from questions import answering, corrections, desk, duty, experts, words
from questions.models import Question, Topic

CLOSE_WORDS = {
    "GEEN VRAAG": Question.CloseReason.NOT_A_QUESTION,
    "NOT A QUESTION": Question.CloseReason.NOT_A_QUESTION,
    "DUBBEL": Question.CloseReason.DUPLICATE,
    "DUPLICATE": Question.CloseReason.DUPLICATE,
}
LISTED = 5
Found = TypeVar("Found")


def take(person: Person, question_id: UUID) -> str:
    question = desk.take(person, question_id)
    return _("%(reference)s is yours to deal with.") % {"reference": question.reference}


def back(person: Person, question_id: UUID) -> str:
    question = desk.hand_back(person, question_id)
    return _("%(reference)s waits for a colleague of the desk.") % {"reference": question.reference}


def topic(person: Person, question_id: UUID, text: str) -> str:
    question = Question.objects.get(pk=question_id)
    chosen = topic_named(question, text)
    desk.choose_topic(person, question_id, chosen)
    names = {"reference": question.reference, "topic": words.topic_name(chosen, person.language)}
    return _("%(reference)s goes to the experts of %(topic)s.") % names


def assign(person: Person, question_id: UUID, text: str) -> str:
    question = Question.objects.select_related("topic").get(pk=question_id)
    colleague = expert_named(question, text)
    desk.assign(person, question_id, colleague.pk)
    return _("%(reference)s goes to %(name)s.") % {"reference": question.reference, "name": colleague.name}


def answer(person: Person, question_id: UUID, text: str, *, received_at: datetime, source: str) -> str:
    given = desk.answer(person, question_id, answering.Draft(text, received_at, source))
    question = Question.objects.get(pk=question_id)
    return words.heard_back(given, question)


def close(person: Person, question_id: UUID, text: str) -> str:
    reason = CLOSE_WORDS.get(" ".join(text.upper().split()).strip(".!"), "")
    question = desk.close(person, question_id, reason)
    return _("%(reference)s is closed.") % {"reference": question.reference}


def correct(person: Person, question_id: UUID, text: str, *, received_at: datetime, source: str) -> str:
    made = corrections.correct(person, question_id, answering.Draft(text, received_at, source))
    return words.heard_back(made, Question.objects.get(pk=question_id))


def topic_named(question: Question, text: str) -> Topic:
    """By the number of a guess, or by (part of) its name. Raises Invalid when none or several fit."""
    text = text.strip()
    guesses = words.best_guesses(question)
    if text.isdecimal() and text.isascii() and 1 <= int(text) <= len(guesses):
        return guesses[int(text) - 1]
    return topic_called(text)


def topic_called(text: str) -> Topic:
    """By (part of) its name. Raises Invalid when none or several fit."""
    named = Q(slug__iexact=text) | Q(mail_key__iexact=text) | Q(name_nl__icontains=text) | Q(name_en__icontains=text)
    found = list(Topic.objects.filter(named, is_active=True)[:4]) if text else []
    exact = [one for one in found if text.lower() in {one.slug, one.mail_key, one.name_nl.lower(), one.name_en.lower()}]
    return _the_one(exact or found, text, [one.name_nl for one in found])


def expert_named(question: Question, text: str) -> Person:
    """An expert of the question's topic whose name begins so. Raises Invalid when none or several fit."""
    if question.topic is None:
        raise Invalid(_("Choose a topic for %(reference)s first.") % {"reference": question.reference})
    text = " ".join(text.split())
    people = Person.objects.present().filter(expertise__topic=question.topic)
    named = Q(name__istartswith=text) | Q(name__icontains=f" {text}")
    found = list(people.filter(named)[:4]) if text else []
    return _the_one(found, text, [one.name for one in found])


def experts_of(question: Question, reader: Person) -> str:
    """Whom it can be passed to, by name. Raises Invalid without a topic."""
    if question.topic is None:
        raise Invalid(_("Choose a topic for %(reference)s first.") % {"reference": question.reference})
    found = [person.name for person in experts.colleagues_for(question) if person.pk != reader.pk]
    names = ", ".join(found[:LISTED])
    return _("Write PASS, the code and a name: %(names)s") % {"names": names} if names else _("There is nobody else.")


def _the_one(found: list[Found], text: str, names: list[str]) -> Found:
    if len(found) == 1:
        return found[0]
    if found:
        raise Invalid(_("Which one: %(names)s?") % {"names": ", ".join(names)})
    raise Invalid(_("There is nobody and nothing called “%(text)s”.") % {"text": text[:40]})


def listing(person: Person) -> str:
    """What waits for the desk, the nearest promise first, with this person's codes. Raises NotAllowed."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    rows = list(desk.items()[:LISTED])
    if not rows:
        return _("Nothing waits for the desk.")
    at = clock.now()
    return "\n".join(words.status_line(question, person, _code(person, question), at) for question in rows)


def _code(person: Person, question: Question) -> str:
    return item_codes.open_for(person, duty.item(question), words.label(question)).code


def duties(person: Person) -> str:
    """The next times that this person is on duty. Raises NotAllowed."""
    if not duty.is_desk(person):
        raise NotAllowed(_("Only the duty desk can do this."))
    at = clock.now()
    shifts = desk.rota(at, at + desk.ROTA_SHOWN).filter(person=person)[:LISTED]
    lines = [f"{words.when(shift.starts_at, person)} - {words.when(shift.ends_at, person)}" for shift in shifts]
    return "\n".join(lines) or _("You have no duty in the next four weeks.")
