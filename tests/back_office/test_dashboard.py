"""Five numbers, each leading to its rows."""

import re

from django.test import Client

from backend import clock
from notifications.models import Delivery
from tests.back_office.conftest import a_delivery, make_inbound, make_question
from tests.conftest import Cast, later


def numbers(client: Client) -> list[tuple[str, int, str]]:
    return [(str(name), number, link) for name, number, link, _ in client.get("/admin/").context["numbers"]]


def test_the_numbers_are_true_and_their_links_show_as_many(office: dict[str, Client], quiet_cast: Cast) -> None:
    make_question(quiet_cast, 1)
    later(hours=25)
    for number in (2, 3, 4, 5):
        question = make_question(quiet_cast, number)
        if number == 3:
            question.mark_triage([], clock.now())
        if number == 4:
            question.mark_withdrawn()
    for number, state in enumerate(("undelivered", "unknown", "failed", "sent", "due", "delivered")):
        a_delivery(quiet_cast, number)
        Delivery.objects.filter(key=f"d{number}").update(state=state)
    make_inbound(1)
    make_inbound(2, state="handled")

    found = numbers(office["programme_manager"])
    assert [number for _name, number, _link in found] == [4, 1, 1, 3, 1]
    for _name, number, link in found:
        assert office["programme_manager"].get(link).context["cl"].result_count == number


def test_an_empty_office_shows_zeros(office: dict[str, Client]) -> None:
    assert [number for _name, number, _link in numbers(office["duty_desk"])] == [0, 0, 0, 0, 0]


def test_the_menu_leads_everywhere(office: dict[str, Client]) -> None:
    page = office["duty_desk"].get("/admin/").content.decode()
    links = set(re.findall(r'href="(/admin/[^"]+)"', page))
    assert {"/admin/questions/question/", "/admin/notifications/inboundmessage/?state__exact=quarantined"} <= links
    for link in links:
        assert office["duty_desk"].get(link.replace("&amp;", "&")).status_code in {200, 302}, link
