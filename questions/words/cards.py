"""What is said about topic cards."""

from django.utils.translation import gettext as _

from people.models import Person
from questions.models import TopicCard
from questions.words.common import Words, fit, in_language_of


def _values(card: TopicCard, reader: Person) -> dict[str, str]:
    return {
        "topic": card.topic.name(reader.language),
        "say": card.say(reader.language),
        "not_to_say": card.not_to_say(reader.language) or "-",
        "author": card.written_by.name,
        "day": f"{card.valid_until:%d-%m-%Y}" if card.valid_until else "",
    }


@in_language_of(1)
def card_to_approve(card: TopicCard, reader: Person, code: str) -> Words:
    """To the topic's lead."""
    values = _values(card, reader)
    topic, author = values["topic"], card.written_by.first_name
    template = _("Card %(topic)s by %(author)s: %(text)s ACCEPT %(code)s approves it.")
    sms = fit(template, values["say"], topic=topic, author=author, code=code)
    body = _(
        "%(author)s wrote what colleagues may say about %(topic)s:\n\n%(say)s\n\nNot to say: %(not_to_say)s\n\n"
        "Reply with ACCEPT and it is shown. Until then the card before it stands."
    )
    return {"title": _("A card to approve: %(topic)s") % values, "body": body % values, "sms": sms}


@in_language_of(1)
def card_ends_soon(card: TopicCard, reader: Person) -> Words:
    """To the topic's lead, two weeks before."""
    values = _values(card, reader)
    body = _("The card of %(topic)s is shown until %(day)s:\n\n%(say)s\n\nWrite a new one if it still holds.")
    sms = _("The card of %(topic)s ends on %(day)s. Write a new one in the app if it still holds.")
    return {"title": _("The card of %(topic)s ends on %(day)s") % values, "body": body % values, "sms": sms % values}


def card(shown: TopicCard, language: str) -> str:
    """One card in a text, in the language that is active."""
    not_to_say = shown.not_to_say(language)
    parts = [f"{shown.topic.name(language)}: {shown.say(language)}"]
    return "\n".join([*parts, _("Not: %(text)s") % {"text": not_to_say}] if not_to_say else parts)
