"""Two approved sentences: what was approved is shown, what was not is never, wherever one looks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction

from backend import clock
from notifications.models import ItemCode
from people.models import Person
from questions import cards
from questions.models import Topic, TopicCard
from tests.conftest import Cast, api, code_of, later, letters, mail, person, post, text, texts, work
from tests.sync.mirror import Mirror, whole

TEXTS = {
    "say_nl": "Buiten de EU betaal je per MB. Zet data uit tot je een bundel hebt.",
    "say_en": "Outside the EU you pay per MB. Switch data off until you have a bundle.",
    "not_to_say_nl": "Noem geen prijzen.",
    "not_to_say_en": "Do not name prices.",
}
WORDS = cards.Texts(TEXTS["say_nl"], TEXTS["say_en"], TEXTS["not_to_say_nl"], TEXTS["not_to_say_en"])


@pytest.fixture
def lead(cast: Cast) -> Person:
    made = person("E6", "Lena Lam", "topic_lead")
    Topic.objects.filter(slug="roaming").update(lead=made)
    return made


def write(who: Person, key: str = "card-key-1", **fields: Any) -> Any:
    return post(api(who), "/topics/roaming/card", {**TEXTS, **fields}, key=key)


def shown(who: Person) -> list[str]:
    return [card["say"] for card in api(who).get("/api/v1/topics/cards").json()]


def test_a_card_is_shown_once_its_lead_approved_it_and_the_old_one_stands_until_then(cast: Cast, lead: Person) -> None:
    made = write(lead).json()
    assert shown(cast.alice) == []
    approved = post(api(lead), f"/topics/cards/{made['id']}/approve")
    assert (approved.status_code, approved.json()["say"]) == (200, TEXTS["say_nl"])
    assert shown(cast.alice) == [TEXTS["say_nl"]]
    assert shown(cast.mallory) == [TEXTS["say_en"]]
    edit = write(lead, "card-key-2", say_nl="Bel niet vanuit Turkije.").json()
    assert shown(cast.alice) == [TEXTS["say_nl"]]
    assert [row["id"] for row in api(lead).get("/api/v1/topics/cards/drafts").json()] == [edit["id"]]
    post(api(lead), f"/topics/cards/{edit['id']}/approve")
    assert shown(cast.alice) == ["Bel niet vanuit Turkije."]
    assert api(lead).get("/api/v1/topics/cards/drafts").json() == []
    again = post(api(lead), f"/topics/cards/{made['id']}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "card_not_waiting")
    assert shown(cast.alice) == ["Bel niet vanuit Turkije."]


def test_an_overtaken_text_cannot_be_approved(cast: Cast, lead: Person) -> None:
    first, second = write(lead).json(), write(lead, "card-key-2", say_nl="Nieuwer.").json()
    late = post(api(lead), f"/topics/cards/{first['id']}/approve")
    assert (late.status_code, late.json()["code"]) == (409, "card_not_waiting")
    assert post(api(lead), f"/topics/cards/{second['id']}/approve").status_code == 200
    assert post(api(lead), f"/topics/cards/{second['id']}/approve").status_code == 200, "twice is fine"
    assert TopicCard.objects.filter(is_current=True).count() == 1


def test_nobody_else_writes_or_approves(cast: Cast, lead: Person) -> None:
    made = write(lead).json()
    for other in (cast.alice, cast.bob, cast.dana):
        assert write(other).status_code == 404
        assert post(api(other), f"/topics/cards/{made['id']}/approve").status_code == 404
        assert api(other).get("/api/v1/topics/cards/drafts").json() == []
    assert shown(cast.alice) == []


@pytest.mark.parametrize("say", ["Een. Twee. Drie.", "   ", "Wat? Ja! Nee."])
def test_more_than_two_sentences_or_none_are_refused(cast: Cast, lead: Person, say: str) -> None:
    assert write(lead, say_nl=say).status_code in {409, 422}
    assert not TopicCard.objects.exists()


def test_two_sentences_with_a_number_in_them_are_two(cast: Cast, lead: Person) -> None:
    assert write(lead, say_nl="Een dag kost 2.50 euro. Dat staat op vonk.nl.").status_code == 201


def test_the_words_of_a_version_cannot_be_changed_behind_its_approval(cast: Cast, lead: Person) -> None:
    made = write(lead).json()
    with pytest.raises(DatabaseError), transaction.atomic():
        TopicCard.objects.filter(pk=made["id"]).update(say_nl="Iets anders.")
    with pytest.raises(DatabaseError), transaction.atomic():
        TopicCard.objects.filter(pk=made["id"]).update(is_current=True)


def test_who_leads_the_topic_hears_of_it_and_approves_by_sms(cast: Cast, lead: Person) -> None:
    boss = person("E7", "Ada Aarts", "administrator")
    made = write(boss).json()
    work()
    assert any(TEXTS["say_nl"] in letter.body for letter in letters(lead.email, "email"))
    code = code_of(lead, f"card:{made['id']}")
    text(lead, f"MEER {code}")
    work()
    assert "Buiten de EU" in texts(lead)[-1]
    text(lead, f"JA {code}")
    work()
    assert "Buitenland" in texts(lead)[-1]
    assert shown(cast.alice) == [TEXTS["say_nl"]]


def test_who_leads_the_topic_approves_by_mail(cast: Cast, lead: Person) -> None:
    boss = person("E7", "Ada Aarts", "administrator")
    made = write(boss).json()
    work()
    key = ItemCode.objects.get(person=lead, item=f"card:{made['id']}").reply_key
    reply_to = f"{key}@{settings.MAIL_DOMAIN}"
    mail(str(lead.email), reply_to, "Mooi zo, maar wacht even")
    work()
    assert shown(cast.alice) == []
    mail(str(lead.email), reply_to, "JA")
    work()
    assert shown(cast.alice) == [TEXTS["say_nl"]]


def test_a_card_is_read_by_sms(cast: Cast, lead: Person) -> None:
    cards.approve(lead, cards.write(lead, "roaming", WORDS).pk)
    text(cast.alice, "KAART buitenland")
    work()
    assert "Buiten de EU betaal je per MB." in texts(cast.alice)[-1]
    assert "Noem geen prijzen." in texts(cast.alice)[-1]
    text(cast.alice, "KAART")
    work()
    assert "Buitenland" in texts(cast.alice)[-1]
    text(cast.alice, "KAART rekening")
    work()
    assert "Buiten de EU" not in texts(cast.alice)[-1]


def test_a_card_that_is_over_is_shown_no_more_and_its_lead_heard_before(cast: Cast, lead: Person) -> None:
    last = clock.now().date() + timedelta(days=20)
    cards.approve(lead, cards.write(lead, "roaming", replace(WORDS, valid_until=last)).pk)
    phone = Mirror(api(cast.alice)).sync()
    cards.tend()
    assert len(phone.sync().of("card")) == 1
    later(days=7)
    cards.tend()
    cards.tend()
    work()
    ends = [letter for letter in letters(lead.email, "email") if f"{last:%d-%m-%Y}" in letter.body]
    assert len(ends) == 1
    assert len(phone.sync().of("card")) == 1
    later(days=14)
    assert shown(cast.alice) == [], "also before the sweep"
    cards.tend()
    assert phone.sync().of("card") == []


def test_phones_hold_what_is_approved_and_nothing_else(cast: Cast, lead: Person) -> None:
    phone = Mirror(api(cast.alice)).sync()
    made = write(lead).json()
    assert phone.sync().of("card") == []
    post(api(lead), f"/topics/cards/{made['id']}/approve")
    assert [card["say"] for card in phone.sync().of("card")] == [TEXTS["say_nl"]]
    edit = write(lead, "card-key-2", say_nl="Bel niet vanuit Turkije.").json()
    assert [card["say"] for card in phone.sync().of("card")] == [TEXTS["say_nl"]]
    post(api(lead), f"/topics/cards/{edit['id']}/approve")
    assert [card["say"] for card in phone.sync().of("card")] == ["Bel niet vanuit Turkije."]
    Topic.objects.filter(slug="roaming").update(name_nl="Reizen")
    assert [card["topic"]["name"] for card in phone.sync().of("card")] == ["Reizen"]
    Topic.objects.filter(slug="roaming").update(is_active=False)
    assert phone.sync().of("card") == []
    assert phone.copies == whole(api(cast.alice))


def test_what_has_not_changed_is_not_sent_again(cast: Cast, lead: Person) -> None:
    client = api(cast.alice)
    first = client.get("/api/v1/topics/cards")
    same = client.get("/api/v1/topics/cards", headers={"If-None-Match": first["ETag"]})
    assert same.status_code == 304
    cards.approve(lead, cards.write(lead, "roaming", WORDS).pk)
    other = client.get("/api/v1/topics/cards", headers={"If-None-Match": first["ETag"]})
    assert (other.status_code, len(other.json())) == (200, 1)
