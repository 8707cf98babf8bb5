"""The desk and the programme look, administrators also edit topics, and nobody else comes in."""

import pytest
from django.test import Client

from notifications.models import Delivery, InboundMessage, Notification
from questions.models import AskedGroup, Question, Topic, TopicExample
from tests.back_office.conftest import ROWS, make_question
from tests.conftest import Cast

LISTS = [*ROWS]
LOOKERS = ("duty_desk", "administrator", "programme_manager")


def details() -> list[str]:
    """The page of one row of each kind."""
    models = (Question, Topic, Delivery, Notification, InboundMessage, AskedGroup)
    return [f"/admin/{m._meta.app_label}/{m._meta.model_name}/{m._default_manager.all()[0].pk}/change/" for m in models]


@pytest.fixture
def filled(quiet_cast: Cast) -> Cast:
    for make in ROWS.values():
        make(quiet_cast, 1)
    return quiet_cast


def pages() -> list[str]:
    return ["/admin/", *(f"/admin/{name}/" for name in LISTS), *details()]


@pytest.mark.parametrize("role", LOOKERS)
def test_the_back_office_looks(role: str, office: dict[str, Client], filled: Cast) -> None:
    for path in pages():
        assert office[role].get(path).status_code == 200, path


@pytest.mark.parametrize("role", ["employee", "expert"])
def test_everybody_else_stays_outside(role: str, office: dict[str, Client], filled: Cast) -> None:
    for path in pages():
        assert office[role].get(path).status_code in {302, 403}, path


def test_strangers_stay_outside(filled: Cast) -> None:
    for path in pages():
        assert Client().get(path).status_code == 302, path


@pytest.mark.parametrize("filters", ["standing=open", "standing=overdue", "standing=desk", "state__exact=triage", "q=Q-"])
def test_questions_are_filtered(filters: str, office: dict[str, Client], filled: Cast) -> None:
    assert office["duty_desk"].get(f"/admin/questions/question/?{filters}").status_code == 200


@pytest.mark.parametrize("role", LOOKERS)
def test_records_are_nobodys_to_edit(role: str, office: dict[str, Client], filled: Cast) -> None:
    before = Question.objects.values().get()
    for name in ("question", "delivery", "notification", "inboundmessage", "askedgroup"):
        [path] = [path for path in details() if f"/{name}/" in path]
        assert office[role].post(path, {"state": "closed"}).status_code == 403, path
        assert office[role].post(path.replace("change", "delete"), {"post": "yes"}).status_code == 403, path
        assert office[role].get(f"{path.rsplit('/', 3)[0]}/add/").status_code == 403, path
    assert Question.objects.values().get() == before


def test_only_administrators_edit_topics(office: dict[str, Client], filled: Cast) -> None:
    path = f"/admin/questions/topic/{filled.topic.pk}/change/"
    assert office["administrator"].get(path).status_code == 200
    for role in ("duty_desk", "programme_manager"):
        assert office[role].post(path, {"name_nl": "x"}).status_code == 403
        assert office[role].get("/admin/questions/topic/add/").status_code == 403
    assert TopicExample.objects.filter(topic=filled.topic).count() == 6


def test_groups_and_library_tables_are_not_shown(office: dict[str, Client]) -> None:
    for path in ("/admin/auth/group/", "/admin/account/emailaddress/"):
        assert office["administrator"].get(path).status_code == 404


def test_a_question_that_does_not_exist(office: dict[str, Client], filled: Cast) -> None:
    assert office["duty_desk"].get("/admin/questions/question/rubbish/change/").status_code == 302
    made = make_question(filled, 7)
    path = f"/admin/questions/question/{made.pk}/change/"
    assert office["duty_desk"].get(path).status_code == 200
