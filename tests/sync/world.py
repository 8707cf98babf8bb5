"""A company in which every kind of copy exists, for somebody; and phones that keep copies."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.test import Client

from backend import clock
from backend.ids import uuid7
from people.models import Person, Team
from questions import cards, desk
from questions.models import Assignment, Attachment, Question, Topic
from rewards.models import BadgeRule
from tests.conftest import Cast, answered, api, offer_of, person, post, work
from tests.rewards.conftest import earn, give, make_mall, make_offer
from tests.sync.mirror import Mirror, whole


@dataclass
class World:
    cast: Cast
    lead: Person
    passer_by: Person  # in nobody's question: may be renamed, leave and come back
    phones: dict[str, tuple[Client, Mirror]]

    def behind(self) -> list[str]:
        """What phones hold wrongly after they have asked."""
        return [f"{who}: {wrong}" for who, (client, phone) in self.phones.items() for wrong in _wrong(client, phone)]

    def read_anew(self) -> None:
        for _client, phone in self.phones.values():
            phone.cursor = ""
            phone.sync()


def _wrong(client: Client, phone: Mirror) -> list[str]:
    if phone.ask().status_code == 410:  # another role, team or language: read anew
        phone.cursor = ""
    mine, fresh = steady(phone.sync().copies), steady(whole(client))
    return sorted(key for key in mine.keys() | fresh.keys() if mine.get(key) != fresh.get(key))


def steady(copies: dict[str, Any]) -> dict[str, Any]:
    """Without the addresses that are signed anew at each look."""
    if isinstance(copies, dict):
        return {key: steady(value) for key, value in copies.items() if key not in {"picture_url", "thumbnail_url"}}
    return [steady(value) for value in copies] if isinstance(copies, list) else copies


def make_world(cast: Cast) -> World:
    team = Team.objects.create(name="Klantenservice")
    lead, passer_by = person("E20", "Lena Lind", "topic_lead"), person("E21", "Zoe Zwart")
    Person.objects.exclude(pk=cast.mallory.pk).update(team=team, shows_contact=True)
    Topic.objects.filter(pk=cast.topic.pk).update(lead=lead)
    _questions(cast, lead)
    _rewards(cast)
    cast.bob.absences.create(
        starts_at=clock.now() + timedelta(days=3), ends_at=clock.now() + timedelta(days=9), stand_in=cast.charlie
    )
    api(cast.alice).patch("/api/v1/me/preferences", {"quiet": "none"}, "application/json")
    texts = cards.Texts("Kijk in de app.", "Look in the app.", "Geen bedragen.", "No amounts.")
    cards.approve(lead, cards.write(lead, cast.topic.slug, texts).pk)
    people = (cast.alice, cast.bob, cast.charlie, cast.dana, cast.mallory, lead)
    clients = {who.name: api(who) for who in people}
    return World(cast, lead, passer_by, {name: (client, Mirror(client).sync()) for name, client in clients.items()})


def _asked(cast: Cast, text: str, **fields: Any) -> Question:
    made = post(api(cast.alice), "/questions", {"text": text, **fields}, key=uuid4().hex)
    assert made.status_code == 201, made.content
    work(sending=False)
    return Question.objects.get(pk=made.json()["id"])


def _questions(cast: Cast, lead: Person) -> None:
    """One answered and used again, one asked back, one whose answer waits for approval, and three of the desk's."""
    known = answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)
    answer = known.answers.get()
    assert post(api(cast.mallory), f"/knowledge/{answer.pk}/reuse", {"text": "Hoog?"}, key="world-reuse").status_code == 201
    asked_back = offer_of(_asked(cast, "Wat kost dit?", topic="billing"))
    post(api(asked_back.expert), f"/assignments/{asked_back.pk}/ask-back", {"text": "Welke maand?"}, key="world-back")
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True)
    drafted = offer_of(_asked(cast, "Mag ik in termijnen betalen?", topic="billing"))
    post(api(drafted.expert), f"/assignments/{drafted.pk}/answer", {"text": "Ja, in drie."}, key="world-draft")
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=False)
    unclear = _asked(cast, "Hoe laat is het?")
    _asked(cast, "Werkt mijn bundel in Turkije?", topic="roaming")  # nobody knows it
    Question.objects.filter(pk=unclear.pk).update(topic_guesses=[cast.topic.pk])
    desk.take(cast.dana, unclear.pk)
    _picture(asked_back)


def _picture(assignment: Assignment) -> None:
    Attachment.objects.create(
        id=uuid7(),
        question=assignment.question,
        owner=assignment.question.asker,
        state=Attachment.State.SHARED,
        sha256=sha256(b"").digest(),
        version=1,
        width=320,
        height=200,
        received_at=clock.now(),
        shared_at=clock.now(),
    )


def _rewards(cast: Cast) -> None:
    mall = make_mall()
    make_offer(mall.campaign, mall.shop, "later", starts_on=clock.now().date() + timedelta(days=90))
    make_offer(mall.campaign, mall.shop, "desk-only", audience_roles=["duty_desk"])
    earn(cast.alice, 50)
    give(cast.alice, mall.coffee, note="Bedankt")
    BadgeRule.objects.filter(kind="answered").update(count=1)
