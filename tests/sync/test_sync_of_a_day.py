"""A day of an employee who takes part, in what the app asks for: a full read, and a look whenever something happened."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from backend import clock
from people.models import Person
from questions import cards
from questions.models import Assignment, Topic
from rewards.models import Offer
from tests.conftest import Cast, answered, api, person, post, work
from tests.rewards.conftest import earn, give, make_mall, make_offer
from tests.sync.mirror import Mirror, whole

DEMO = Path(__file__).resolve().parent.parent.parent / "sandbox" / "demo"
KILOBYTES = 10
PEOPLE = 40
FIRST_NAMES = ("Anouk", "Bram", "Chantal", "Dirk", "Esra", "Fleur", "Gijs")
LAST_NAMES = ("de Jong", "van den Berg", "Yilmaz", "Jansen", "El Idrissi")
LOOKS = 4  # between things that happen: nothing is new


class Metered(Mirror):
    """Counts the bytes of each answer, compressed as it travels."""

    bytes_received = 0

    def ask(self) -> Any:
        response = super().ask()
        self.bytes_received += len(gzip.compress(response.content))
        return response


def test_a_day_of_a_normal_employee_stays_below_ten_kilobytes(cast: Cast) -> None:
    """Two friends' questions of the demo company asked and answered, one answered for a colleague, a gift, what others
    change (a name, a card, an offer), and looks between. The first read of a new phone is counted by itself."""
    gift = _company(cast)
    texts = [question["text"] for question in json.loads((DEMO / "questions.json").read_text())][:3]
    answer = "Dat komt door het gebruik buiten de bundel in Turkije. Je ziet het per dag in de app onder Verbruik. " * 2
    phone = Metered(api(cast.charlie)).sync()
    morning, phone.bytes_received = phone.bytes_received, 0
    for number, body in enumerate(texts[:2]):
        made = post(api(cast.charlie), "/questions", {"text": body, "topic": "billing"}, key=f"day-key-{number}")
        phone.sync()
        work(sending=False)
        phone.sync()
        path = f"/assignments/{_offer(cast, made.json()['id'])}/answer"
        assert post(api(cast.bob), path, {"text": answer}, key=f"day-answer-{number}").status_code == 201
        work(sending=False)
        phone.sync()
        post(api(cast.charlie), f"/questions/{made.json()['id']}/relay")
        for _look in range(LOOKS):
            phone.sync()
    cast.bob.absences.create(starts_at=clock.now(), ends_at=clock.now() + timedelta(days=1))
    answered(cast, texts[2], answer, asker=cast.alice)
    phone.sync()
    give(cast.charlie, gift, note="Bedankt voor het meedenken!")
    phone.sync()
    _what_others_change(cast)
    phone.sync()
    assert len(phone.of("question")) == 2
    assert [thing["state"] for thing in phone.of("assignment")] == ["answered"]
    assert phone.bytes_received < KILOBYTES * 1000, phone.bytes_received
    assert morning < KILOBYTES * 1000, morning
    assert len(phone.of("colleague")) == PEOPLE
    assert phone.copies == whole(phone.client)


def _company(cast: Cast) -> Offer:
    """As many people, topics, cards, offers and badges as the demo company has."""
    lead = person("E6", "Lena Lam", "topic_lead")
    for number in range(PEOPLE - 6):
        person(f"E{100 + number}", f"{FIRST_NAMES[number % 7]} {LAST_NAMES[number % 5]}", "expert", mail=False)
    for data in json.loads((DEMO / "topics.json").read_text()):
        names = {name: data[name] for name in ("mail_key", "name_nl", "name_en", "description_nl", "description_en")}
        topic, _new = Topic.objects.update_or_create(slug=data["slug"], defaults={**names, "lead": lead})
        if card := data.get("card"):
            cards.approve(lead, cards.write(lead, topic.slug, cards.Texts(**card)).pk)
    mall = make_mall()
    for number in range(5):
        make_offer(mall.campaign, mall.shop, f"aanbod-{number}")
    earn(cast.charlie, 50)
    return mall.coffee


def _what_others_change(cast: Cast) -> None:
    Person.objects.filter(pk=cast.mallory.pk).update(name="Mallory de Vries")
    Offer.objects.filter(slug="aanbod-1").update(terms_nl="Twee per bezoek.")
    lead = Topic.objects.get(slug="roaming").lead
    assert lead
    texts = cards.Texts("Zet data uit in Turkije.", "Switch data off in Turkey.")
    cards.approve(lead, cards.write(lead, "roaming", texts).pk)


def _offer(cast: Cast, question: str) -> str:
    return str(Assignment.objects.get(question=UUID(question), expert=cast.bob).pk)
