"""Topic cards: two approved sentences on a topic, and what not to say.

Whoever writes one (the topic's lead, an administrator) makes a new version; what people are shown changes only when one
of the two approves it. Versions are not edited, so what was approved is what was read.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from notifications import item_codes
from notifications.notify import notify, settle
from people.models import Person, Role
from questions import words
from questions.models import Topic, TopicCard
from questions.models.cards import NOT_TO_SAY_CHARACTERS, SAY_CHARACTERS

SENTENCES_MAX = 2
REVIEW_AHEAD = timedelta(days=14)  # how long before a card ends its lead is asked to look at it
SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)")


class CardNotWaiting(Refusal):
    """There is a newer version, or this one was approved before and replaced."""

    code = "card_not_waiting"


@dataclass(frozen=True)
class Texts:
    """A version's words; `valid_until` is its last day, None when it has no end."""

    say_nl: str
    say_en: str
    not_to_say_nl: str = ""
    not_to_say_en: str = ""
    valid_until: date | None = None


def shown(at: datetime) -> QuerySet[TopicCard]:
    """What people may say at `at`: approved, not over, and of a topic in use."""
    today = timezone.localtime(at).date()
    rows = TopicCard.objects.filter(is_current=True, topic__is_active=True).select_related("topic")
    return rows.filter(Q(valid_until__isnull=True) | Q(valid_until__gte=today)).order_by("topic__slug")


def of_topic(topic: Topic, at: datetime) -> TopicCard | None:
    return shown(at).filter(topic=topic).first()


def waiting_for(person: Person) -> QuerySet[TopicCard]:
    """Versions that this person may approve: the newest of each topic, while it is not approved."""
    newest = TopicCard.objects.order_by("topic_id", "-written_at", "-pk").distinct("topic_id").values("pk")
    rows = TopicCard.objects.filter(pk__in=newest, approved_at__isnull=True, topic__is_active=True)
    if not person.has_role(Role.ADMINISTRATOR):
        rows = rows.filter(topic__lead=person)
    return rows.select_related("topic", "written_by").order_by("topic__slug")


def check(texts: Texts) -> None:
    """Raises Invalid: nothing to say, more than two sentences, too long, or over already."""
    for say in (texts.say_nl, texts.say_en):
        if not say.strip() or len(SENTENCE_END.split(say.strip().rstrip(".!?"))) > SENTENCES_MAX:
            raise Invalid(_("Write one sentence or two, in Dutch and in English."))
        if len(say) > SAY_CHARACTERS:
            raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": SAY_CHARACTERS})
    if max(len(texts.not_to_say_nl), len(texts.not_to_say_en)) > NOT_TO_SAY_CHARACTERS:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": NOT_TO_SAY_CHARACTERS})
    if texts.valid_until and texts.valid_until < timezone.localtime(clock.now()).date():
        raise Invalid(_("The last day is over already."))


@transaction.atomic
def write(person: Person, slug: str, texts: Texts) -> TopicCard:
    """A new version that waits for approval; its lead hears of it. Raises NotFound (not mine to write), Invalid."""
    topic = _mine(person, slug)
    check(texts)
    for older in topic.cards.filter(approved_at__isnull=True):
        _done(older, topic)
    card = TopicCard.objects.create(topic=topic, written_by=person, written_at=clock.now(), **vars(texts))
    if topic.lead and topic.lead.is_active:
        _ask_for_approval(topic.lead, card)
    return card


@transaction.atomic
def approve(person: Person, card_id: UUID) -> TopicCard:
    """From now on this is what people may say. Twice is fine. Raises NotFound, CardNotWaiting."""
    slug = TopicCard.objects.filter(pk=card_id).values_list("topic__slug", flat=True).first()
    if slug is None:
        raise NotFound(_("This card does not exist."))
    topic = _mine(person, slug)
    card = TopicCard.objects.select_related("topic", "written_by", "approved_by").get(pk=card_id)
    if card.is_current:
        return card
    newest = topic.cards.order_by("-written_at", "-pk").values_list("pk", flat=True).first()
    if card.approved_at or card.pk != newest:
        raise CardNotWaiting(_("There is a newer text for this card, or this one was approved before."))
    topic.cards.filter(is_current=True).update(is_current=False)
    card.approved_by, card.approved_at, card.is_current = person, clock.now(), True
    card.save(update_fields=["approved_by", "approved_at", "is_current"])
    _done(card, topic)
    settle(person, card.item)
    return card


def _done(card: TopicCard, topic: Topic) -> None:
    """Nobody is asked about this version any more."""
    item_codes.close(card.item)
    if topic.lead:
        settle(topic.lead, card.item)


def _mine(person: Person, slug: str) -> Topic:
    """The topic, locked: versions come and are approved one after the other. Raises NotFound."""
    rows = Topic.objects.select_for_update(of=("self",)).select_related("lead").filter(slug=slug)
    if not person.has_role(Role.ADMINISTRATOR):
        rows = rows.filter(lead=person)
    topic = rows.first()
    if topic is None:
        raise NotFound(_("This topic does not exist."))
    return topic


def _ask_for_approval(lead: Person, card: TopicCard) -> None:
    code = item_codes.open_for(lead, card.item, card.topic.name(lead.language)[:80])
    notify(
        lead,
        key=f"{card.item}:approve:{lead.pk}",
        event="card_wants_approval",
        subject_key=card.item,
        item=card.item,
        reply_key=code.reply_key,
        **words.card_to_approve(card, lead, code.code),
    )


# --- what time brings ------------------------------------------------------------------------------------------------


def tend() -> int:
    """Cards that are over are shown no more; who leads a topic hears two weeks before. Returns how many of both."""
    at = clock.now()
    today = timezone.localtime(at).date()
    ended = TopicCard.objects.filter(is_current=True, valid_until__lt=today).update(is_current=False)
    ending = TopicCard.objects.filter(
        is_current=True, review_told_at__isnull=True, valid_until__lte=today + REVIEW_AHEAD
    ).select_related("topic__lead")
    return ended + sum(_ask_for_review(card, at) for card in ending)


@transaction.atomic
def _ask_for_review(card: TopicCard, at: datetime) -> int:
    told = TopicCard.objects.filter(pk=card.pk, review_told_at__isnull=True).update(review_told_at=at)
    lead = card.topic.lead
    if told and lead and lead.is_active:
        key = f"{card.item}:ends"
        notify(lead, key=key, event="card_ends_soon", subject_key=card.item, **words.card_ends_soon(card, lead))
    return told
