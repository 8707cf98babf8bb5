"""The register of what people still carry by hand: each row with its minutes, what it comes to, and a file. No names."""

from typing import Any

from django.test import Client

from questions.models import Event, Question
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, api, ask, later, person, post

LIST = "/admin/questions/handoff/"


def carried(cast: Cast) -> Question:
    """A question that nobody's topic fits: the desk chooses, two hours later."""
    question = ask(cast.alice, "Zomaar iets over niets dat nergens bij hoort, xyzzy?")
    assert question.state == "triage"
    later(hours=2)
    desk = api(cast.dana)
    assert post(desk, f"/desk/items/{question.pk}/topic", {"topic": "billing"}, key="choose-it-1").status_code in {200, 201}
    return question


def test_what_the_desk_did_by_hand_is_a_row_with_its_minutes(cast: Cast) -> None:
    question = carried(cast)
    event = Event.objects.get(question=question, data__has_key="minutes")
    assert (event.kind, event.data["minutes"]) == ("topic_chosen", 120)
    page = signed_in(cast.dana).get(LIST).content.decode()
    assert question.reference in page
    assert "the desk chose the topic" in page
    assert ">120<" in page
    assert cast.dana.name not in page.split('id="changelist"')[-1]


def test_what_a_machine_did_is_not_in_it(cast: Cast) -> None:
    question = ask(cast.alice)
    assert Event.objects.filter(question=question, kind="topic_chosen").exists()
    assert question.reference not in signed_in(cast.dana).get(LIST).content.decode()


def test_it_comes_as_a_file(cast: Cast) -> None:
    question = carried(cast)
    client = signed_in(cast.dana)
    lines = _csv(client, f"{LIST}csv/")
    assert lines[0] == ["when", "by hand", "question", "topic", "minutes waited"]
    assert lines[1][1:] == ["the desk chose the topic", question.reference, "billing", "120"]
    assert len(lines) == 2
    assert len(_csv(client, f"{LIST}csv/?year=1999")) == 1


def _csv(client: Client, path: str) -> list[list[str]]:
    response: Any = client.get(path)
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return [line.split(";") for line in text.splitlines()]


def test_it_is_for_the_back_office_alone(cast: Cast) -> None:
    for who in (cast.bob, cast.mallory):
        for path in (LIST, f"{LIST}csv/"):
            assert signed_in(who).get(path).status_code == 302  # to the sign-in
    manager = signed_in(person("E61", "Petra P", "programme_manager"))
    assert manager.get(LIST).status_code == 200


def test_the_list_costs_the_same_for_many(cast: Cast, django_assert_max_num_queries: Any) -> None:
    question = carried(cast)
    client = signed_in(cast.dana)
    for _number in range(60):
        Event.objects.create(question=question, kind="desk_took", data={"minutes": 3})
    with django_assert_max_num_queries(12):
        page = client.get(LIST).content.decode()
    assert ">180<" in page
