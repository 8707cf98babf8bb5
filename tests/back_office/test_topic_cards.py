"""Topic cards in the back office: an administrator writes and approves, everybody else looks."""

from typing import Any

from django.test import Client
from django.urls import reverse

from questions.models import TopicCard
from tests.conftest import Cast, api

ADD = reverse("admin:questions_topiccard_add")
LIST = reverse("admin:questions_topiccard_changelist")


def form(cast: Cast, **fields: str) -> dict[str, str]:
    words = {"say_nl": "Kijk in de app onder Verbruik.", "say_en": "Look in the app under Usage."}
    return {"topic": str(cast.topic.pk), **words, "not_to_say_nl": "", "not_to_say_en": "", "valid_until": "", **fields}


def approve(client: Client, card: TopicCard) -> Any:
    return client.post(LIST, {"action": "approve_selected", "_selected_action": [str(card.pk)]}, follow=True)


def test_an_administrator_writes_a_card_and_another_step_shows_it(quiet_cast: Cast, office: dict[str, Client]) -> None:
    admin = office["administrator"]
    made = admin.post(ADD, form(quiet_cast), follow=True)
    assert made.status_code == 200
    card = TopicCard.objects.get()
    assert not card.is_current
    assert api(quiet_cast.alice).get("/api/v1/topics/cards").json() == []
    assert "is shown now" in approve(admin, card).content.decode()
    assert [one["id"] for one in api(quiet_cast.alice).get("/api/v1/topics/cards").json()] == [str(card.pk)]
    begun = admin.get(f"{ADD}?topic={quiet_cast.topic.slug}").content.decode()
    assert "Kijk in de app onder Verbruik." in begun, "a new version begins with the words that are shown"


def test_three_sentences_are_refused_on_the_page(quiet_cast: Cast, office: dict[str, Client]) -> None:
    refused = office["administrator"].post(ADD, form(quiet_cast, say_nl="Een. Twee. Drie."))
    assert "one sentence or two" in refused.content.decode()
    assert not TopicCard.objects.exists()


def test_nobody_edits_a_version_and_who_only_looks_approves_nothing(quiet_cast: Cast, office: dict[str, Client]) -> None:
    office["administrator"].post(ADD, form(quiet_cast))
    card = TopicCard.objects.get()
    change = reverse("admin:questions_topiccard_change", args=[card.pk])
    office["administrator"].post(change, form(quiet_cast, say_nl="Anders."))
    card.refresh_from_db()
    assert card.say_nl == "Kijk in de app onder Verbruik."
    for role in ("duty_desk", "programme_manager"):
        assert office[role].get(LIST).status_code == 200
        approve(office[role], card)
        assert office[role].post(ADD, form(quiet_cast)).status_code == 403
    card.refresh_from_db()
    assert not card.is_current
