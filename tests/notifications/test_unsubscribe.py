"""One click in a mail program ends that kind of mail (RFC 8058), without sign-in. Opening the link changes nothing."""

import re

import pytest
from django.test import Client

from backend import clock
from notifications import unsubscribe
from notifications.channels import email
from notifications.models import Delivery, Preference
from people.models import Person
from tests.conftest import Cast, letters, work
from tests.notifications.phones import deliveries, phone
from tests.notifications.test_preferences import tell_of

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def link(who: Person, event: str = "kudos_received", key: str = "") -> str:
    """The path behind List-Unsubscribe of a mail that is on its way to them."""
    told = tell_of(who, event, key)
    header = email.compose(told.deliveries.get(channel="email")).extra_headers["List-Unsubscribe"]
    found = re.fullmatch(r"<https?://[^/]+(/u/[^>]+)>", header)
    assert found
    return found[1]


def test_one_click_ends_that_kind_of_mail_and_nothing_else(cast: Cast) -> None:
    path = link(cast.bob)
    work()
    assert Client().post(path, ONE_CLICK).status_code == 200
    again, other = tell_of(cast.bob, "kudos_received", "again"), tell_of(cast.bob, "badge_awarded")
    assert (deliveries(again), set(deliveries(other))) == ({}, {"email"})
    again.refresh_from_db()
    assert again.state == "waiting"  # chosen, not out of reach
    assert deliveries(tell_of(cast.charlie, "kudos_received", "hers")) == {"email": "due"}


def test_the_app_still_hears_of_it(cast: Cast) -> None:
    Client().post(link(cast.bob), ONE_CLICK)
    phone(cast.bob)
    assert set(deliveries(tell_of(cast.bob, "kudos_received", "again"))) == {"push"}


def test_what_has_not_left_stays_here(cast: Cast) -> None:
    path = link(cast.bob)
    Client().post(path, ONE_CLICK)
    work()
    assert Delivery.objects.get().state == "suppressed"
    assert letters(cast.bob.email) == []


def test_opening_the_link_changes_nothing(cast: Cast) -> None:
    path = link(cast.bob)
    for client in (Client(), Client(headers={"User-Agent": "SafeLinks"})):
        page = client.get(path)
        assert page.status_code == 200
        assert "Een collega bedankt me" in page.content.decode()
    assert Client().head(path).status_code == 200
    assert not Preference.objects.exists()


def test_a_second_click_changes_nothing_more_and_a_button_brings_it_back(cast: Cast) -> None:
    path = link(cast.bob)
    for _twice in range(2):
        assert Client().post(path, ONE_CLICK).status_code == 200
    assert Preference.objects.get().mails_off == ["kudos_received"]
    Client().post(path, {"action": "on"})
    assert Preference.objects.get().mails_off == []


def test_mandatory_mail_promises_no_click_and_says_why(cast: Cast) -> None:
    path = link(cast.bob, "question_offered")
    headers = email.compose(Delivery.objects.get()).extra_headers
    assert "List-Unsubscribe-Post" not in headers
    refused = Client().post(path, ONE_CLICK)
    assert refused.status_code == 409
    assert "kan niet uit" in refused.content.decode()
    assert not Preference.objects.exists()


def test_the_headers_are_on_the_mail_that_arrives(cast: Cast) -> None:
    tell_of(cast.bob, "kudos_received")
    mail = email.compose(Delivery.objects.get()).message()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<http")


@pytest.mark.parametrize("change", [lambda path: path[:-1] + "x", lambda _path: "/u/rubbish", lambda path: path + "a"])
def test_a_key_that_is_not_ours_is_not_found(cast: Cast, change: object) -> None:
    path = change(link(cast.bob))  # type: ignore[operator]
    for response in (Client().get(path), Client().post(path, ONE_CLICK)):
        assert response.status_code == 404
    assert not Preference.objects.exists()


def test_a_leavers_key_opens_nothing(cast: Cast) -> None:
    path = link(cast.bob)
    Person.objects.filter(pk=cast.bob.pk).update(left_on=clock.now().date())
    assert Client().post(path, ONE_CLICK).status_code == 404


def test_the_page_is_for_nobody_else_and_in_both_languages(cast: Cast) -> None:
    path = link(cast.bob)
    page = Client().get(path)
    assert (page["Referrer-Policy"], page["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert "no-store" in page["Cache-Control"]
    assert 'name="viewport"' in page.content.decode()
    assert "A colleague thanks me" in Client().get(path + "?lang=en").content.decode()


def test_a_mail_to_a_stranger_has_no_such_link(cast: Cast) -> None:
    row = Delivery(channel="email", to="x@example.org", created_at=clock.now())
    assert unsubscribe.headers(row) == {}


def test_the_last_line_of_a_mail_leads_there_too_unless_it_must_come(cast: Cast) -> None:
    tell_of(cast.bob, "kudos_received")
    tell_of(cast.bob, "question_offered")
    for row in Delivery.objects.filter(channel="email").select_related("notification"):
        mail = email.compose(row)
        written = (str(mail.body), str(mail.alternatives[0][0]))
        may_stop = row.notification is not None and row.notification.event == "kudos_received"
        assert [unsubscribe.url(row) in words for words in written] == [may_stop, may_stop]
