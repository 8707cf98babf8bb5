"""The programme's manager chooses a report in the back office and gets a file."""

from typing import Any

import pytest
from django.test import Client

from rewards.models import DiscountRule
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, person
from tests.rewards.conftest import Mall, earn, give

PAGE = "/admin/rewards/reports/"


@pytest.fixture
def manager(quiet_cast: Cast) -> Client:
    return signed_in(person("E12", "Petra Prins", "programme_manager"))


def test_a_choice_becomes_a_file(manager: Client, quiet_cast: Cast, quiet_mall: Mall) -> None:
    earn(quiet_cast.alice, 10)
    give(quiet_cast.alice, quiet_mall.coffee)
    assert 'href="/admin/rewards/reports/"' in manager.get("/admin/").content.decode()
    assert 'name="campaign"' in manager.get(PAGE).content.decode()
    wanted = {"report": "campaign", "campaign": str(quiet_mall.campaign.pk), "format": "csv"}
    response: Any = manager.get(PAGE, wanted)
    assert response["Content-Disposition"] == f'attachment; filename="campaign-{quiet_mall.campaign.pk}.csv"'
    text = b"".join(response.streaming_content).decode()
    assert text.splitlines()[0] == "\ufeffWinter"
    assert ";1;0;500;" in text
    for kind in ("employee_discounts", "lapsed"):
        book: Any = manager.get(PAGE, {"report": kind, "year": "2027", "format": "xlsx"})
        assert b"".join(book.streaming_content).startswith(b"PK")


@pytest.mark.parametrize(
    "wanted",
    [
        {"report": "campaign", "format": "csv"},
        {"report": "lapsed", "format": "csv", "year": "99999"},
        {"report": "employee_discounts", "format": "csv", "year": "2001"},
        {"report": "salaries", "format": "csv", "year": "2027"},
    ],
)
def test_a_wrong_choice_is_explained(manager: Client, wanted: dict[str, str]) -> None:
    response = manager.get(PAGE, wanted)
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()


def test_everybody_else_gets_no_report(quiet_cast: Cast, quiet_mall: Mall) -> None:
    wanted = {"report": "lapsed", "year": "2027", "format": "csv"}
    dana = signed_in(quiet_cast.dana)
    assert dana.get(PAGE, wanted).status_code == 403
    assert PAGE not in dana.get("/admin/").content.decode()
    for client in (signed_in(quiet_cast.alice), Client()):
        assert client.get(PAGE, wanted).status_code == 302


def test_administrators_add_a_rule_that_begins_in_january(manager: Client, quiet_cast: Cast) -> None:
    admin = signed_in(person("E11", "Ada Aarts", "administrator"))
    path = "/admin/rewards/discountrule/add/"
    rule = {"percentage": "25", "yearly_cap_cents": "60000", "note_nl": "Vraag het na.", "note_en": "Ask."}
    assert manager.post(path, {**rule, "valid_from": "2028-01-01"}).status_code == 403
    assert admin.post(path, {**rule, "valid_from": "2028-02-01"}).status_code == 200
    assert admin.post(path, {**rule, "valid_from": "2028-01-01"}).status_code == 302
    assert list(DiscountRule.objects.values_list("percentage", flat=True)) == [25, 20]
    assert manager.get("/admin/rewards/discountrule/").status_code == 200
