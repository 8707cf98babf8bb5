"""What came in and what went out: secrets stay secret, and the quarantine lets go of what can be handled now."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from notifications import inbound, outbox
from notifications.inbound import handling
from notifications.models import InboundMessage
from questions.models import Question
from tests.back_office.conftest import make_inbound, signed_in
from tests.conftest import Cast, mail, work

LIST = "/admin/notifications/inboundmessage/"


def page_of(row: Any) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def test_a_secret_is_shown_to_nobody(office: dict[str, Client], quiet_cast: Cast) -> None:
    row = outbox.enqueue(
        key="s",
        channel="email",
        to="bob@vonkmobiel.example",
        subject="Je code: 345678",
        body="345678 is je code",
        is_secret=True,
        person=quiet_cast.bob,
    )
    for role in ("duty_desk", "administrator", "programme_manager"):
        for path in (page_of(row), "/admin/notifications/delivery/", "/admin/notifications/delivery/?q=345678"):
            assert "345678" not in office[role].get(path).content.decode().replace("q=345678", "").replace(
                'value="345678"', ""
            )


def test_words_are_read_by_the_desk_and_links_by_nobody(office: dict[str, Client], quiet_cast: Cast) -> None:
    row = outbox.enqueue(
        key="w",
        channel="email",
        to="bob@vonkmobiel.example",
        body="Bel 06-12345678",
        link="https://x/a/geheim",
        reply_key="f" * 32,
    )
    for role, may in (("duty_desk", True), ("administrator", False), ("programme_manager", False)):
        page = office[role].get(page_of(row)).content.decode()
        assert ("06-12345678" in page) is may
        assert "geheim" not in page
        assert "f" * 32 not in page


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.example\r\nSubject: <script>alert(1)</script>\r\n\r\n\xff\xfe\x00 <img src=x onerror=alert(2)>",
        b"\x00" * 100 + bytes(range(256)) * 400,
        b"",
        b"not a mail",
    ],
)
def test_anything_that_came_in_can_be_looked_at(raw: bytes, office: dict[str, Client]) -> None:
    response = office["duty_desk"].get(page_of(make_inbound(raw=raw)))
    page = response.content.decode()
    assert response.status_code == 200
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "\x00" not in page


def test_an_sms_is_shown_by_its_fields(office: dict[str, Client]) -> None:
    row = make_inbound(raw=b"From=%2B31612345678&Body=VRAAG+wat+kost+dat%3F")
    InboundMessage.objects.filter(pk=row.pk).update(channel="sms")
    assert "Body: VRAAG wat kost dat?" in office["duty_desk"].get(page_of(row)).content.decode()


def test_the_quarantine_is_a_filter_away(office: dict[str, Client]) -> None:
    make_inbound(1)
    make_inbound(2, state="handled")
    rows = office["duty_desk"].get(f"{LIST}?state__exact=quarantined").context["cl"].result_list
    assert [row.sender for row in rows] == ["oom1@elders.example"]


def test_handle_again_sends_it_back_to_the_start(office: dict[str, Client]) -> None:
    row = make_inbound()
    path = f"{LIST}{row.pk}/handle-again/"
    assert "Handle again" in office["duty_desk"].get(page_of(row)).content.decode()
    assert office["duty_desk"].get(path).status_code == 405
    response = office["duty_desk"].post(path, follow=True)
    assert "1 message is handled again." in response.content.decode()
    row.refresh_from_db()
    assert (row.state, row.attempts, row.reason, row.handled_at) == ("received", 0, "", None)
    assert inbound.due_ids(10) == [row.pk]
    assert LogEntry.objects.get().get_change_message() == "handle again"


def test_handle_again_leaves_everything_else_alone(office: dict[str, Client]) -> None:
    rows = [make_inbound(1, state="handled"), make_inbound(2, state="refused"), make_inbound(3, raw=b"")]
    form = {"action": "handle_selected_again", "_selected_action": [row.pk for row in rows]}
    response = office["duty_desk"].post(LIST, form, follow=True)
    assert "3 messages cannot be handled again" in response.content.decode()
    assert [InboundMessage.objects.get(pk=row.pk).state for row in rows] == ["handled", "refused", "quarantined"]
    assert inbound.due_ids(10) == []


def test_only_the_desk_and_administrators_handle_again(office: dict[str, Client]) -> None:
    row = make_inbound()
    for role in ("programme_manager", "employee", "expert"):
        assert office[role].post(f"{LIST}{row.pk}/handle-again/").status_code in {302, 403}
        form = {"action": "handle_selected_again", "_selected_action": [row.pk]}
        office[role].post(LIST, form)
    row.refresh_from_db()
    assert row.state == "quarantined"
    assert "Handle again" not in office["programme_manager"].get(page_of(row)).content.decode()
    assert office["administrator"].post(f"{LIST}{row.pk}/handle-again/").status_code == 302


def test_a_colleagues_mail_from_home_becomes_a_question_after_all(cast: Cast) -> None:
    """HR did not know the address; the desk has it added and lets the mail go on. Its promise counts from its arrival."""
    mail("alice@thuis.example", "vraag@vragen.vonkmobiel.example", "Waarom is mijn rekening zo hoog?")
    work()
    message = InboundMessage.objects.get()
    assert (message.state, message.reason) == ("quarantined", "unknown_sender")
    cast.alice.email = "alice@thuis.example"
    cast.alice.save()
    signed_in(cast.dana).post(f"{LIST}{message.pk}/handle-again/")
    handling.handle(message.pk)
    message.refresh_from_db()
    assert message.state == "handled"
    assert Question.objects.get().received_at == message.received_at
