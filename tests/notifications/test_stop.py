"""STOP is honoured at once and for good, whoever hears it first; nothing that must arrive is lost by it."""

import pytest
from django.conf import settings
from django.db import connection
from django.db.utils import InternalError, ProgrammingError
from django.test import Client

from backend import clock
from notifications import delivery, outcomes, providers, stops
from notifications.channels import Undeliverable, sms
from notifications.models import Delivery, Notification, StopRecord
from people.models import Person
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, in_parallel, mails, person, signed, text, texts, work
from tests.notifications.phones import deliveries, phone, tell
from tests.notifications.test_preferences import tell_of


def ledger(who: Person) -> list[tuple[str, str, bool, int]]:
    rows = StopRecord.objects.filter(address=who.mobile).order_by("pk")
    return list(rows.values_list("word", "source", "starts", "under_way"))


def test_stop_reroutes_what_has_not_left(cast: Cast) -> None:
    told = tell(cast.bob, urgent=True)
    only = tell_of(cast.bob, "question_offered")
    Delivery.objects.filter(notification=only).update(channel="sms", to=cast.bob.mobile, key=f"{only.key}:sms")
    text(cast.bob, "STOP")
    work()
    assert deliveries(told) == {"email": "sent", "sms": "suppressed"}
    assert deliveries(only) == {"sms": "suppressed", "email": "sent"}
    assert texts(cast.bob) == []
    assert len(mails(cast.bob)) == 2


def test_what_was_held_for_the_morning_is_rerouted_at_once(cast: Cast) -> None:
    phone(cast.alice)
    told = tell(cast.alice, via="sms", not_before=clock.now() + sms.LOOK_BACK)
    assert deliveries(told) == {"sms": "due"}
    text(cast.alice, "stop")
    work(sending=False)
    assert deliveries(told) == {"sms": "suppressed", "push": "due"}


def test_each_stop_and_start_is_a_row_for_good(cast: Cast) -> None:
    for word in ("STOP", "UNSUBSCRIBE", "START"):
        text(cast.alice, word)
    work()
    assert ledger(cast.alice) == [
        ("STOP", "webhook", False, 0),
        ("UNSUBSCRIBE", "webhook", False, 0),
        ("START", "webhook", True, 0),
    ]
    row = StopRecord.objects.filter(word="STOP").get()
    assert (row.person_id, row.channel) == (cast.alice.pk, "sms")


@pytest.mark.parametrize(
    "sql", ["UPDATE notifications_stoprecord SET word = 'START'", "DELETE FROM notifications_stoprecord"]
)
def test_nobody_rewrites_the_ledger(cast: Cast, sql: str) -> None:
    text(cast.alice, "STOP")
    work()
    with pytest.raises((InternalError, ProgrammingError)), connection.cursor() as cursor:
        cursor.execute(sql)
    assert ledger(cast.alice) == [("STOP", "webhook", False, 0)]


def test_what_the_provider_knows_of_a_stop_is_written_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_delivery: Delivery) -> str:
        raise Undeliverable("twilio 21610", address_is_dead=True)

    monkeypatch.setitem(providers.SEND, "sms", refuse)
    first, second = tell(cast.alice, "1", subject_key="thing:1"), tell(cast.alice, "2", subject_key="thing:2")
    work()
    assert ledger(cast.alice) == [("twilio 21610", "provider", False, 0)]
    for told in (first, second):
        told.refresh_from_db()
        assert told.state == "exhausted"


def test_a_message_that_a_worker_has_at_that_moment_is_counted_and_shown(cast: Cast) -> None:
    tell(cast.alice)
    [leased] = delivery.claim(1)
    text(cast.alice, "STOP")
    work(sending=False)
    assert ledger(cast.alice) == [("STOP", "webhook", False, 1)]
    delivery.send([leased])  # it looks at the address before it sends
    assert (texts(cast.alice), Delivery.objects.get(pk=leased.pk).state) == ([], "suppressed")


def test_after_stop_not_even_an_unknown_one_goes_again(cast: Cast) -> None:
    told = tell(cast.alice)
    told.deliveries.update(state="unknown")
    text(cast.alice, "STOP")
    work(sending=False)
    outcomes.resolve_unknown()
    work()
    assert (deliveries(told), texts(cast.alice)) == ({"sms": "suppressed"}, [])


def test_start_brings_back_what_reached_nobody(cast: Cast) -> None:
    told = tell_of(cast.alice, "question_answered")
    read = tell_of(cast.alice, "question_closed")
    text(cast.alice, "STOP")
    work()
    told.refresh_from_db()
    assert (told.state, texts(cast.alice)) == ("exhausted", [])
    Notification.objects.filter(pk=read.pk).update(state="acted")
    text(cast.alice, "START")
    work()
    told.refresh_from_db()
    assert (told.state, deliveries(told), deliveries(read)) == ("waiting", {"sms": "sent"}, {"sms": "suppressed"})
    assert texts(cast.alice) == ["Kort"]


def test_start_twice_sends_once(cast: Cast) -> None:
    tell_of(cast.alice, "question_answered")
    text(cast.alice, "STOP")
    work()
    in_parallel(4, lambda _n: stops.start("sms", str(cast.alice.mobile), word="START"))
    work()
    assert texts(cast.alice) == ["Kort"]


def test_senders_and_a_stop_at_once_leave_nothing_due_and_nobody_unseen(cast: Cast) -> None:
    told = [tell(cast.alice, str(n), subject_key=f"thing:{n}") for n in range(12)]

    def job(number: int) -> None:
        if number == 0:
            stops.stop("sms", str(cast.alice.mobile), word="STOP", source="webhook")
        else:
            delivery.send_due(3)

    results = in_parallel(5, job)
    assert [result for result in results if isinstance(result, Exception)] == []
    work()
    states = [deliveries(one)["sms"] for one in told]
    assert set(states) <= {"sent", "suppressed"}
    assert len(texts(cast.alice)) == states.count("sent")
    unseen = Notification.objects.filter(deliveries__state="suppressed").exclude(state="exhausted")
    assert not unseen.exists()


def test_who_has_no_channel_left_is_in_the_list(cast: Cast) -> None:
    def names() -> list[str]:
        return list(stops.unreachable(Person.objects.all()).values_list("name", flat=True))

    assert names() == []
    text(cast.alice, "STOP")
    text(cast.bob, "STOP")  # has mail
    work()
    assert names() == ["Alice Achterberg"]
    phone(cast.alice)
    assert names() == []


def test_the_desk_and_hr_see_who_is_out_of_reach_and_what_came_after_stop(cast: Cast) -> None:
    tell(cast.alice)
    delivery.claim(1)
    text(cast.alice, "STOP")
    work(sending=False)
    for role in ("duty_desk", "administrator"):
        client = signed_in(person(f"E5{len(role)}", f"Rolf{role} R", role))
        people = client.get("/admin/people/person/?reach=none").content.decode()
        assert ("Alice Achterberg" in people, "Bob Bakker" in people) == (True, False)
        found = client.get("/admin/notifications/stoprecord/").content.decode()
        assert str(cast.alice.mobile) in found
        assert client.get("/admin/notifications/smsspending/?whose=total").status_code == 200


def test_a_callback_that_says_stopped_stops(cast: Cast) -> None:
    told = tell(cast.alice)
    work()
    row = told.deliveries.get()
    path = f"/webhooks/twilio/status/{row.pk}"
    fields = {"MessageSid": row.provider_id, "MessageStatus": "undelivered", "ErrorCode": "21610"}
    Client().post(path, fields, headers=signed(f"{settings.PUBLIC_BASE_URL}{path}", fields))
    assert ledger(cast.alice) == [("twilio 21610", "provider", False, 0)]
    assert deliveries(tell(cast.alice, "next")) == {}
