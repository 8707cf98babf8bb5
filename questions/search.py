"""Looking things up by text: earlier answers, colleagues, topics and who knows them."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from backend.errors import Invalid
from notifications import item_codes, segments
from notifications.verbs import Command
from people.models import Person
from questions import desk_commands, directory, knowledge, reuse, skills, words
from questions.models import Expertise, Topic

TEXT_CHARACTERS_MIN = 3
TEXT_CHARACTERS_MAX = 500
FOUND_SHOWN = 2
PEOPLE_SHOWN = 5
TOPICS_SHOWN = 20
SMS_SEGMENTS = 2
LEVELS = frozenset("0123")


def knowledge_for(command: Command) -> str:
    """ZOEK + text: the nearest answers, each with a code to read on (MEER) or to use (HERGEBRUIK)."""
    text = " ".join(command.text.split())[:TEXT_CHARACTERS_MAX]
    if len(text) < TEXT_CHARACTERS_MIN:
        raise Invalid(_("Write what you look for: SEARCH roaming Turkey."))
    for old in item_codes.open_items(command.person, "found"):
        item_codes.close(old.item, person=command.person)
    found = knowledge.search(command.person, text, limit=FOUND_SHOWN)
    if not found:
        return _("Nothing like it was answered. ASK + text passes it on.")
    lines = [_line(command.person, one, text) for one in found]
    return "\n".join([*lines, _("MORE + code reads on, REUSE + code uses it.")])


def _line(person: Person, found: knowledge.Found, text: str) -> str:
    code = item_codes.open_for(person, f"found:{found.answer_id}", text).code
    room = segments.pages(segments.plain(found.answer), segments=1, reserve=40)
    return f"{code} {room[0]}" + ("..." if len(room) > 1 else "")


def use(command: Command) -> str:
    """HERGEBRUIK A7: what I looked for is a question of mine, closed with that answer."""
    item = command.item
    assert item is not None  # noqa: S101 — the registry hands an item to verbs that name kinds
    made = reuse.use(
        command.person,
        UUID(item.item.split(":")[1]),
        item.label,
        request_key=f"reuse:{command.message_key}",
        received_at=command.received_at,
    )
    item_codes.close(item.item, person=command.person)
    return words.closed_with(made)


def colleagues(command: Command) -> str:
    """WIE + part of a name or topic: colleagues, what they know, and how to reach those who show it."""
    text = " ".join(command.text.split()).strip("?!.,: ")
    if not text:
        raise Invalid(_("Write a name or a topic: WHO roaming."))
    rows: Any = directory.search(text).order_by("name", "id")[: PEOPLE_SHOWN + 1]
    shown = [_person(row, command.person.language) for row in rows[:PEOPLE_SHOWN]]
    if not shown:
        return _("Nobody is called so and nobody knows it.")
    while len(shown) > 1 and segments.count(segments.plain("\n".join(shown))) > SMS_SEGMENTS:
        shown.pop()
    return "\n".join(shown)


def _person(row: Any, language: str) -> str:
    knows = ", ".join(one.topic.name(language) for one in row.knows)
    reach = " ".join(filter(None, (row.mobile, row.email))) if row.shows_contact else ""
    parts = [row.team.name if row.team else "", knows, reach]
    return ", ".join([row.name, *filter(None, parts)])


def topics(command: Command) -> str:
    """ONDERWERPEN: what questions can be about."""
    rows = Topic.objects.filter(is_active=True).order_by("slug")[:TOPICS_SHOWN]
    return ", ".join(topic.name(command.person.language) for topic in rows) or _("There are no topics.")


def experts(command: Command) -> str:
    """EXPERTS buitenland: who knows the topic that I lead; with a name and a level: so from now on."""
    first, _space, rest = command.text.strip().partition(" ")
    topic = skills.led_by(command.person, desk_commands.topic_called(first).slug)
    *name, level = rest.split() or [""]
    if name and level in LEVELS:
        person = _present(" ".join(name))
        if level == "0":
            skills.drop(command.person, topic, person.pk)
        else:
            skills.set_level(command.person, topic, person.pk, int(level))
    elif rest:
        raise Invalid(_("Write topic, name and level: EXPERTS roaming Bob 2. 0 takes it away."))
    rows = Expertise.objects.filter(topic=topic, person__in=Person.objects.present()).select_related("person")
    shown = ", ".join(f"{row.person.name} {row.level}" for row in rows.order_by("-level", "person__name"))
    return shown or _("Nobody knows this topic.")


def _present(name: str) -> Person:
    found = list(Person.objects.present().filter(name__istartswith=name)[:2])
    if len(found) != 1:
        raise Invalid(_("There is no colleague %(name)s.") % {"name": name[:40]})
    return found[0]
