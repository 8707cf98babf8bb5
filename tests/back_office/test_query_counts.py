"""A page asks the database as often for thirty rows as for three."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.back_office.conftest import ROWS, add_history, make_inbound, make_question
from tests.conftest import Cast

DASHBOARD_QUERIES = 6  # the session, the person, three for the numbers, one for the promises kept


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("name", list(ROWS))
def test_a_list(name: str, office: dict[str, Client], quiet_cast: Cast) -> None:
    counts = []
    for first, last in ((0, 3), (3, 30)):
        for number in range(first, last):
            ROWS[name](quiet_cast, number)
        counts.append(queries(office["administrator"], f"/admin/{name}/"))
    assert counts[0] == counts[1]


def test_a_questions_page(office: dict[str, Client], quiet_cast: Cast) -> None:
    question = make_question(quiet_cast)
    counts = []
    for first, count in ((100, 3), (200, 27)):
        add_history(quiet_cast, question, first, count)
        counts.append(queries(office["duty_desk"], f"/admin/questions/question/{question.pk}/change/"))
    assert counts[0] == counts[1]


def test_the_front_page(office: dict[str, Client], quiet_cast: Cast) -> None:
    for number in range(5):
        make_question(quiet_cast, number)
        make_inbound(number)
    assert queries(office["duty_desk"], "/admin/") <= DASHBOARD_QUERIES
