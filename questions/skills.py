"""How well somebody knows a topic: the person says it themselves, the topic's lead says it of anybody.

A person puts themselves at level 1 or 2. Level 3, whom the others ask and who approves, is the lead's to give.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from backend.errors import Invalid, NotAllowed, NotFound
from people.models import Person, Role
from questions import experts, handover
from questions.models import Expertise, Topic

LEVEL_MAX = 3
OWN_LEVEL_MAX = 2  # a person's own word


def of(person: Person) -> QuerySet[Expertise]:
    """What the person knows, topics that are not in use left out."""
    return Expertise.objects.filter(person=person, topic__is_active=True).select_related("topic").order_by("topic__slug")


def topic_in_use(slug: str) -> Topic:
    """Raises NotFound."""
    found = Topic.objects.filter(slug=slug, is_active=True).first()
    if found is None:
        raise NotFound(_("This topic does not exist."))
    return found


def led_by(lead: Person, slug: str) -> Topic:
    """A topic that this person leads. Raises NotFound, also for somebody else's."""
    found = Topic.objects.filter(slug=slug, lead=lead).first()
    if found is None:
        raise NotFound(_("This topic does not exist."))
    return found


def set_own(person: Person, topic: Topic, level: int) -> Expertise:
    """`person` says how well they know it. Raises Invalid, NotAllowed: not an expert, or a level that the lead gives."""
    if not person.has_role(Role.EXPERT):
        raise NotAllowed(_("Only experts answer questions. Ask HR for the role."))
    known = Expertise.objects.filter(topic=topic, person=person).first()
    if level > OWN_LEVEL_MAX and (known is None or known.level < level):
        raise NotAllowed(_("Level %(level)s is for the topic's lead to give.") % {"level": level})
    return _set(topic, person, level)


def set_level(lead: Person, topic: Topic, person_id: UUID, level: int) -> Expertise:
    """The lead says how well a colleague knows their topic. Raises NotFound, Invalid: not an expert, or gone."""
    _led(lead, topic)
    person = Person.objects.present().filter(pk=person_id).first()
    if person is None or not person.is_active:
        raise NotFound(_("This colleague does not exist."))
    if not person.has_role(Role.EXPERT):
        raise Invalid(_("%(name)s is not an expert.") % {"name": person.name})
    return _set(topic, person, level)


@transaction.atomic
def _set(topic: Topic, person: Person, level: int) -> Expertise:
    if not 1 <= level <= LEVEL_MAX:
        raise Invalid(_("A level is 1, 2 or 3."))
    made, fresh = Expertise.objects.update_or_create(topic=topic, person=person, defaults={"level": level})
    if fresh:
        experts.note_room(person.pk)
    return made


@transaction.atomic
def drop_own(person: Person, topic: Topic) -> None:
    """I do not answer this topic any more. Twice is fine."""
    _drop(topic, person)


@transaction.atomic
def drop(lead: Person, topic: Topic, person_id: UUID) -> None:
    """Raises NotFound."""
    _led(lead, topic)
    person = Person.objects.filter(pk=person_id, expertise__topic=topic).first()
    if person is None:
        raise NotFound(_("This colleague does not exist."))
    _drop(topic, person)


def _drop(topic: Topic, person: Person) -> None:
    if Expertise.objects.filter(topic=topic, person=person).delete()[0]:
        handover.withdraw_offers(person)


def _led(lead: Person, topic: Topic) -> None:
    if topic.lead_id != lead.pk:
        raise NotFound(_("This topic does not exist."))
