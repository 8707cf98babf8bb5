"""Who knows what: people say it of themselves up to 2, the topic's lead of anybody; others' topics are 404."""

from datetime import date

import pytest

from people.models import Person
from questions.models import Expertise, Topic
from tests.conftest import Cast, api, person

MINE = "/api/v1/me/expertise"


def put(who: object, path: str, level: object) -> tuple[int, str]:
    response = api(who).put(path, {"level": level}, "application/json")  # type: ignore[arg-type]
    return response.status_code, response.json().get("code", "")


@pytest.fixture
def led(quiet_cast: Cast) -> Cast:
    quiet_cast.mallory.roles = ["employee", "topic_lead"]
    quiet_cast.mallory.save()
    Topic.objects.filter(slug="billing").update(lead=quiet_cast.mallory)
    return quiet_cast


def level(who: Person, slug: str = "billing") -> int | None:
    return Expertise.objects.filter(person=who, topic__slug=slug).values_list("level", flat=True).first()


def test_an_expert_lists_adds_changes_and_drops_their_own(quiet_cast: Cast) -> None:
    charlie = quiet_cast.charlie
    assert put(charlie, f"{MINE}/roaming", 2) == (200, "")
    assert put(charlie, f"{MINE}/billing", 2) == (200, "")
    shown = [(row["topic"]["slug"], row["level"], row["record"]) for row in api(charlie).get(MINE).json()]
    assert shown == [("billing", 2, None), ("roaming", 2, None)]
    for _twice in range(2):
        assert api(charlie).delete(f"{MINE}/roaming").status_code == 204
    assert level(charlie, "roaming") is None


def test_level_three_is_the_leads_to_give_and_may_be_put_down(quiet_cast: Cast) -> None:
    assert put(quiet_cast.charlie, f"{MINE}/billing", 3) == (403, "not_allowed")
    assert level(quiet_cast.charlie) == 1
    assert put(quiet_cast.bob, f"{MINE}/billing", 3) == (200, "")  # has it already
    assert put(quiet_cast.bob, f"{MINE}/billing", 2) == (200, "")
    assert put(quiet_cast.bob, f"{MINE}/billing", 3) == (403, "not_allowed")


@pytest.mark.parametrize("wrong", [0, 4, -1, 2**70, "3x", None])
def test_a_level_is_one_to_three(quiet_cast: Cast, wrong: object) -> None:
    assert put(quiet_cast.charlie, f"{MINE}/billing", wrong) == (422, "validation_failed")


def test_who_is_no_expert_and_topics_out_of_use(quiet_cast: Cast) -> None:
    assert put(quiet_cast.alice, f"{MINE}/billing", 1) == (403, "not_allowed")
    assert put(quiet_cast.charlie, f"{MINE}/gardening", 1) == (404, "not_found")
    Topic.objects.filter(slug="roaming").update(is_active=False)
    assert put(quiet_cast.charlie, f"{MINE}/roaming", 1) == (404, "not_found")


def test_the_lead_sets_any_level_of_their_topic(led: Cast) -> None:
    path = "/api/v1/topics/billing/experts"
    assert put(led.mallory, f"{path}/{led.charlie.pk}", 3) == (200, "")
    assert level(led.charlie) == 3
    assert [row["level"] for row in api(led.mallory).get(path).json()] == [3, 3]
    assert put(led.mallory, f"{path}/{led.alice.pk}", 1) == (422, "invalid")  # not an expert
    gone = person("E70", "Gerda Gone", "expert")
    gone.left_on = date(2020, 1, 1)
    gone.save()
    assert put(led.mallory, f"{path}/{gone.pk}", 1) == (404, "not_found")
    assert api(led.mallory).delete(f"{path}/{led.charlie.pk}").status_code == 204
    assert level(led.charlie) is None


def test_another_topic_and_who_leads_none_get_404(led: Cast) -> None:
    for who, slug in ((led.mallory, "roaming"), (led.bob, "billing"), (led.dana, "billing")):
        path = f"/api/v1/topics/{slug}/experts"
        assert api(who).get(path).status_code == 404
        assert put(who, f"{path}/{led.charlie.pk}", 2) == (404, "not_found")
        assert api(who).delete(f"{path}/{led.charlie.pk}").status_code == 404
    assert level(led.charlie) == 1


def test_by_sms(cast: Cast) -> None:
    from tests.conftest import text, texts, work

    for body in ("KEN buitenland 2", "KEN rekening 3", "KEN rekening 0", "KEN tuinieren 1", "KEN"):
        text(cast.charlie, body)
        work()
    answers = texts(cast.charlie)
    assert answers[0] == "Je beantwoordt: Rekening 1, Buitenland 2."
    assert "Niveau 3" in answers[1]
    assert answers[2] == answers[4] == "Je beantwoordt: Buitenland 2."
    assert "tuinieren" in answers[3]
    assert level(cast.charlie) is None
