"""What happened to a notification, on one page."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from backend import clock
from notifications import delivery, inbound, outcomes, providers, timeline
from notifications.inbound import handling
from notifications.models import Delivery, DeliveryEvent, Notification
from notifications.notify import notify, settle
from people.models import Person
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, person, text

PAGE = "/admin/notifications/notification/{}/change/"
QUERIES = 5  # itself, deliveries, events, numbers, opt-outs; a push and an item to act on cost one each


def _tell(who: Person, key: str = "k") -> Notification:
    return notify(who, key=key, event="e", title="t", body="b", sms="s", subject_key=f"s:{key}", urgent=True)


def _administrator() -> Client:
    return signed_in(person("E11", "Ada Aarts", "administrator"))


def _texts(told: Notification) -> list[str]:
    told.refresh_from_db()
    with translation.override("en"):
        return [f"{line.channel} {line.text}".strip() for line in timeline.of_notification(told)]


def test_everything_that_happened_is_there_in_order(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from notifications.channels import TryLater

    told = _tell(cast.bob)
    with monkeypatch.context() as patch:

        def full(row: Delivery) -> str:
            raise TryLater("twilio 20429")

        patch.setitem(providers.SEND, "sms", full)
        delivery.send_due()
    Delivery.objects.filter(channel="sms").update(due_at=clock.real())
    delivery.send_due()
    sms = Delivery.objects.get(channel="sms")
    outcomes.note_status(sms.pk, sms.provider_id, "undelivered", "twilio 30003")
    text(cast.bob, "STOP")
    for message_id in inbound.due_ids(10):
        handling.handle(message_id)
    settle(cast.bob, "s:k")
    found = _texts(told)
    for line in (
        "Planned",
        f"sms Queued for {cast.bob.mobile}",
        f"email Queued for {cast.bob.email}",
        "sms Not taken; tried again later: twilio 20429",
        "sms The provider took it",
        "sms The provider called back: undelivered: twilio 30003",
        "sms Opted out (STOP)",
        "Read, or acted upon",
    ):
        assert line in found
    sms_lines = [line for line in found if line.startswith("sms")]
    assert sms_lines.index("sms The provider took it") > sms_lines.index("sms Not taken; tried again later: twilio 20429")
    page = signed_in(cast.dana).get(PAGE.format(told.pk)).content.decode()
    assert "undelivered: twilio 30003" in page


def test_it_costs_the_same_for_many_events_as_for_few(quiet_cast: Cast) -> None:
    told = _tell(quiet_cast.bob)
    row = Delivery.objects.filter(notification=told).first()
    assert row is not None
    for count in (1, 50):
        DeliveryEvent.objects.bulk_create(
            DeliveryEvent(delivery=row, at=clock.real(), kind="later", detail=str(n)) for n in range(count)
        )
        with CaptureQueriesContext(connection) as captured:
            timeline.of_notification(Notification.objects.select_related("person").get(pk=told.pk))
        assert len(captured) == QUERIES


def test_a_receipt_that_never_came_is_asked_for_once_an_hour_and_counted(cast: Cast) -> None:
    from sandbox.models import Letter

    told = _tell(cast.alice)
    delivery.send_due()
    assert outcomes.ask_for_receipts() == 0  # not yet
    Delivery.objects.update(poll_at=clock.real())
    assert outcomes.ask_for_receipts() == 1
    row = Delivery.objects.get()
    assert (row.state, row.poll_at is not None and row.poll_at > clock.real() + timedelta(minutes=59)) == ("sent", True)
    assert outcomes.ask_for_receipts() == 0
    Letter.objects.update(status="delivered")
    Delivery.objects.update(poll_at=clock.real())
    outcomes.ask_for_receipts()
    row.refresh_from_db()
    assert (row.state, row.poll_at) == ("delivered", None)
    assert "sms No receipt came; the provider was asked: delivered" in _texts(told)
    Letter.objects.update(status="sent")
    outcomes.note_status(row.pk, row.provider_id, "sent")
    assert Delivery.objects.get().state == "delivered"
    page = _administrator().get("/admin/notifications/delivery/?trouble=polled")
    assert page.context["cl"].result_count == 1


def test_after_a_day_and_a_half_nobody_asks_any_more(cast: Cast) -> None:
    _tell(cast.alice)
    delivery.send_due()
    Delivery.objects.update(poll_at=clock.real(), sent_at=clock.real() - outcomes.POLL_UNTIL)
    outcomes.ask_for_receipts()
    assert Delivery.objects.get().poll_at is None


def test_an_outcome_that_was_unknown_is_counted_after_it_is_known(cast: Cast) -> None:
    _tell(cast.alice)
    [row] = delivery.claim(1)
    Delivery.objects.filter(pk=row.pk).update(lease_until=clock.real() - timedelta(seconds=1))
    outcomes.reclaim_lost()
    assert _administrator().get("/admin/notifications/delivery/?trouble=was_unknown").context["cl"].result_count == 1
    assert Client().get("/api/v1/health").json()["queues"][1]["name"] == "unknown_outcomes"
