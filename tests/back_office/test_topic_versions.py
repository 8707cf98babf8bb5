"""An administrator goes back to an earlier version of what chooses topics."""

from django.test import Client

from questions import topics
from questions.models import TopicExample, TopicModel
from tests.conftest import Cast

PAGE = "/admin/questions/topicmodel/"


def press(client: Client, *versions: int) -> str:
    form = {"action": "use_selected", "_selected_action": [str(version) for version in versions]}
    return client.post(PAGE, form, follow=True).content.decode()


def two(cast: Cast) -> tuple[TopicModel, TopicModel]:
    first = topics.train()
    TopicExample.objects.create(topic=cast.topic, language="nl", text="Waar vind ik mijn factuur?")
    second = topics.train()
    assert first
    assert second
    return first, second


def test_the_chosen_version_chooses_and_newer_ones_do_not(office: dict[str, Client], quiet_cast: Cast) -> None:
    first, second = two(quiet_cast)
    assert topics.choose("Waarom is mijn rekening zo hoog?").version == second.version
    assert f"Version {first.version} chooses topics now." in press(office["administrator"], first.version)
    assert topics.choose("Waarom is mijn rekening zo hoog?").version == first.version
    assert TopicModel.objects.count() == 2


def test_two_at_once_are_none(office: dict[str, Client], quiet_cast: Cast) -> None:
    first, second = two(quiet_cast)
    assert "Choose one version." in press(office["administrator"], first.version, second.version)
    assert topics.choose("Waarom is mijn rekening zo hoog?").version == second.version


def test_others_look_and_change_nothing(office: dict[str, Client], quiet_cast: Cast) -> None:
    first, second = two(quiet_cast)
    for role in ("duty_desk", "programme_manager"):
        page = office[role].get(PAGE)
        assert page.status_code == 200
        assert "use_selected" not in page.content.decode()
        press(office[role], first.version)
    assert office["administrator"].get(f"{PAGE}{first.version}/change/").status_code == 200
    assert topics.choose("Waarom is mijn rekening zo hoog?").version == second.version
