"""Administrators keep the topics: an example that changes its text is learned anew."""

from typing import Any

from django.test import Client

from questions import topics
from questions.models import Expertise, Topic
from tests.conftest import Cast


def form_of(topic: Topic, **changes: Any) -> dict[str, Any]:
    """What the page would post."""
    names = ("name_nl", "name_en", "slug", "mail_key", "promise_hours", "description_nl", "description_en")
    form: dict[str, Any] = {name: getattr(topic, name) for name in names} | {"is_active": "on", "lead": ""}
    examples = list(topic.examples.order_by("id"))
    expertise = list(topic.expertise.order_by("-level", "person__name"))
    for prefix, rows in (("examples", examples), ("expertise", expertise)):
        form |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": len(rows)}
        for number, row in enumerate(rows):
            form |= {f"{prefix}-{number}-id": row.pk, f"{prefix}-{number}-topic": topic.pk}
    for number, example in enumerate(examples):
        form |= {f"examples-{number}-text": example.text, f"examples-{number}-language": example.language}
    for number, row in enumerate(expertise):
        form |= {f"expertise-{number}-person": row.person_id, f"expertise-{number}-level": row.level}
    return form | changes


def save(client: Client, topic: Topic, **changes: Any) -> Any:
    return client.post(f"/admin/questions/topic/{topic.pk}/change/", form_of(topic, **changes))


def test_a_changed_example_is_learned(office: dict[str, Client], quiet_cast: Cast) -> None:
    first = topics.train()
    response = save(office["administrator"], quiet_cast.topic, **{"examples-0-text": "Waarom staat er een boete op?"})
    assert response.status_code == 302, response.context["errors"]
    second = topics.train()
    assert first
    assert second
    assert second.labels_key != first.labels_key
    assert topics.choose("Waarom staat er een boete op?").guesses[0] == quiet_cast.topic.pk


def test_a_change_that_teaches_nothing_trains_nothing(office: dict[str, Client], quiet_cast: Cast) -> None:
    topics.train()
    assert save(office["administrator"], quiet_cast.topic, promise_hours=12).status_code == 302
    quiet_cast.topic.refresh_from_db()
    assert quiet_cast.topic.promise_hours == 12
    assert topics.train() is None


def test_only_experts_know_a_topic(office: dict[str, Client], quiet_cast: Cast) -> None:
    added = {
        "expertise-TOTAL_FORMS": 3,
        "expertise-2-topic": quiet_cast.topic.pk,
        "expertise-2-person": quiet_cast.mallory.pk,
        "expertise-2-level": 1,
    }
    response = save(office["administrator"], quiet_cast.topic, **added)
    assert response.status_code == 200
    assert "Mallory Mulder is not an expert." in response.content.decode()
    assert not Expertise.objects.filter(person=quiet_cast.mallory).exists()


def test_the_list_counts_those_who_can_be_asked(office: dict[str, Client], quiet_cast: Cast) -> None:
    quiet_cast.charlie.roles = ["employee"]
    quiet_cast.charlie.save()
    rows = office["administrator"].get("/admin/questions/topic/").context["cl"].result_list
    assert {row.slug: (row.n_experts, row.n_examples) for row in rows} == {"billing": (1, 6), "roaming": (0, 6)}
