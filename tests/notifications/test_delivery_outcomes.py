"""What a dead worker, a slow provider or a lost answer leave behind: nothing lost, nothing twice."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections

from backend import clock
from notifications import delivery, outbox, outcomes, providers
from notifications.models import Delivery, Notification
from sandbox.models import Letter
from tests.conftest import Cast, in_parallel, letters


def _sms(cast: Cast, key: str = "one", body: str = "Hallo") -> Delivery:
    return outbox.enqueue(key=key, channel="sms", to=str(cast.alice.mobile), body=body, person=cast.alice)


def _worker_died(row: Delivery) -> None:
    """It had leased the row, and its lease ran out."""
    long_ago = clock.real() - timedelta(seconds=settings.DELIVERY_LEASE_SECONDS + settings.DELIVERY_UNKNOWN_SECONDS)
    Delivery.objects.filter(pk=row.pk).update(
        state="leased", attempts=1, attempted_at=long_ago, lease_until=long_ago + timedelta(seconds=1)
    )


def test_many_workers_send_each_message_once(cast: Cast) -> None:
    for number in range(30):
        _sms(cast, f"key {number}", f"Bericht {number}")
    in_parallel(6, lambda _n: [delivery.send_due(3) for _ in range(10)])
    assert sorted(letter.body for letter in letters(cast.alice.mobile)) == sorted(f"Bericht {n}" for n in range(30))


def test_the_same_key_is_one_message(cast: Cast) -> None:
    in_parallel(8, lambda _n: _sms(cast))
    assert Delivery.objects.count() == 1


def test_an_sms_that_the_provider_took_before_the_worker_died_is_not_sent_again(cast: Cast) -> None:
    from notifications.channels import sms

    row = _sms(cast)
    sms.send(row)  # taken by the provider; its answer died with the worker
    _worker_died(row)
    delivery.send_due()
    outcomes.resolve_unknown()
    delivery.send_due()
    row.refresh_from_db()
    assert row.state == "sent"
    assert row.provider_id == Letter.objects.get(address=cast.alice.mobile).provider_id


def test_an_sms_that_the_provider_never_saw_is_sent(cast: Cast) -> None:
    row = _sms(cast)
    _worker_died(row)
    delivery.send_due()
    row.refresh_from_db()
    assert row.state == "unknown"
    assert letters(cast.alice.mobile) == []
    outcomes.resolve_unknown()
    delivery.send_due()
    assert len(letters(cast.alice.mobile)) == 1


def test_an_older_message_with_the_same_words_is_not_mistaken_for_the_lost_one(cast: Cast) -> None:
    first, second = _sms(cast, "one"), _sms(cast, "two")
    Delivery.objects.filter(pk=second.pk).update(due_at=clock.real() + timedelta(hours=1))
    delivery.send_due()
    first.refresh_from_db()
    assert first.state == "sent"
    _worker_died(second)
    delivery.send_due()
    outcomes.resolve_unknown()
    delivery.send_due()
    assert len(letters(cast.alice.mobile)) == 2


def test_a_mail_is_sent_again_under_the_same_message_id(cast: Cast) -> None:
    from notifications.channels import email

    row = outbox.enqueue(key="mail", channel="email", to=str(cast.bob.email), subject="S", body="B", person=cast.bob)
    email.send(row)
    _worker_died(row)
    delivery.send_due()
    letter = Letter.objects.get(address=cast.bob.email)
    assert letter.copies == 2
    assert letter.provider_id == email.message_id(row)


def test_a_worker_that_wakes_up_late_changes_nothing(cast: Cast) -> None:
    row = _sms(cast)
    [taken] = delivery.claim(1)
    Delivery.objects.filter(pk=row.pk).update(attempts=2)  # the lease ran out and somebody else has it
    outcomes.finish(taken, "failed", error="late")
    row.refresh_from_db()
    assert row.state == "leased"


def test_a_dead_number_falls_back_and_without_a_channel_the_desk_sees_it(cast: Cast) -> None:
    from notifications.notify import notify

    cast.alice.mobile = "+05"
    cast.alice.save()
    notify(cast.alice, key="k", event="e", title="t", body="b", sms="s")
    delivery.send_due()
    assert Delivery.objects.get().state == "failed"
    assert Notification.objects.get().state == "exhausted"


def test_a_provider_that_is_down_is_tried_again_later(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend import embedded

    monkeypatch.setattr(settings, "TWILIO_BASE_URL", f"http://127.0.0.1:{embedded.free_port()}")
    row = _sms(cast)
    delivery.send_due()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("due", 1)
    assert row.due_at > clock.real()


def test_a_code_is_wiped_once_it_is_sent(cast: Cast) -> None:
    row = outbox.enqueue(key="c", channel="sms", to=str(cast.alice.mobile), body="123456", is_secret=True)
    delivery.send_due()
    row.refresh_from_db()
    assert (row.state, row.body) == ("sent", "")


def test_what_is_too_old_is_not_sent(cast: Cast) -> None:
    row = _sms(cast)
    Delivery.objects.filter(pk=row.pk).update(expires_at=clock.real() - timedelta(seconds=1))
    delivery.send_due()
    row.refresh_from_db()
    assert row.state == "expired"
    assert letters(cast.alice.mobile) == []


def test_a_worker_that_stood_still_after_claiming_does_not_send_on_a_lease_that_runs_out(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        _sms(cast, f"key {number}", f"Bericht {number}")
    claim = delivery.claim

    def slowly(limit: int) -> list[Delivery]:
        taken, woke_at = claim(limit), clock.real() + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS / 2)
        monkeypatch.setattr(clock, "real", lambda: woke_at)
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "claim", slowly)
        delivery.send_due()
    assert [(row.state, row.attempts) for row in Delivery.objects.all()] == [("due", 0)] * 3
    assert letters(cast.alice.mobile) == []
    delivery.send_due()
    assert len(letters(cast.alice.mobile)) == 3


def test_a_worker_killed_between_sending_and_noting_leaves_nothing_lost_and_nothing_twice(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        _sms(cast, f"key {number}", f"Bericht {number}")
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "note", lambda finished: None)  # all of one statement is lost
        delivery.send_due()
    long_ago = clock.real() - timedelta(seconds=settings.DELIVERY_LEASE_SECONDS + settings.DELIVERY_UNKNOWN_SECONDS)
    assert Delivery.objects.filter(state="leased").update(attempted_at=long_ago, lease_until=clock.real()) == 12
    delivery.drain()
    assert {row.state for row in Delivery.objects.all()} == {"unknown"}
    while outcomes.resolve_unknown():
        pass
    delivery.drain()
    assert {row.state for row in Delivery.objects.all()} == {"sent"}
    assert sorted(letter.body for letter in letters(cast.alice.mobile)) == sorted(f"Bericht {n}" for n in range(12))


def test_what_was_acted_upon_while_its_worker_was_dead_is_not_sent_any_more(cast: Cast) -> None:
    from notifications.notify import notify, settle

    notify(cast.alice, key="k", event="e", title="t", body="b", sms="s", subject_key="s:1")
    [row] = delivery.claim(1)
    settle(cast.alice, "s:1")
    _worker_died(row)
    delivery.drain()
    outcomes.resolve_unknown()
    delivery.drain()
    row.refresh_from_db()
    assert row.state == "cancelled"
    assert letters(cast.alice.mobile) == []


def test_one_result_that_cannot_be_noted_takes_no_other_along(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that gives two messages one id breaks a rule of the database; the third of the batch is fine."""
    rows = [_sms(cast, f"key {number}", f"Bericht {number}") for number in range(3)]
    monkeypatch.setitem(providers.SEND, "sms", lambda row: "SM-3" if row.pk == rows[2].pk else "SM-twice")
    delivery.send_due()
    assert sorted(row.state for row in Delivery.objects.all()) == ["leased", "sent", "sent"]
    assert Delivery.objects.get(pk=rows[2].pk).provider_id == "SM-3"


def test_what_is_urgent_leaves_though_all_other_places_are_held_by_a_provider_that_hangs(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, send = threading.Event(), providers.SEND["sms"]
    for number in range(6):
        _sms(cast, f"key {number}", f"Bericht {number}")
    Delivery.objects.update(is_urgent=False)

    def hanging(row: Delivery) -> str:
        if not row.is_urgent:
            held.wait(20)
        return send(row)

    monkeypatch.setitem(providers.SEND, "sms", hanging)
    monkeypatch.setitem(delivery.AT_ONCE, ("sms", False), 2)

    def drain() -> None:
        delivery.drain()
        connections.close_all()

    worker = threading.Thread(target=drain)
    worker.start()
    try:
        _until(lambda: Delivery.objects.filter(state="leased").count() == 2)
        urgent = outbox.enqueue(key="code", channel="sms", to=str(cast.bob.mobile), body="Spoed")
        _until(lambda: Delivery.objects.get(pk=urgent.pk).state == "sent")
        assert [letter.body for letter in letters(cast.bob.mobile)] == ["Spoed"]
    finally:
        held.set()
        worker.join()
    assert len(letters(cast.alice.mobile)) == 6


def test_sending_an_sms_asks_the_database_nothing_in_its_thread(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a hundred at once need one connection."""
    _sms(cast)
    monkeypatch.setattr(delivery, "_outcome", _without_database(delivery._outcome))
    delivery.send_due()
    assert len(letters(cast.alice.mobile)) == 1


def _without_database(work: Callable[..., Any]) -> Callable[..., Any]:
    def refused(*_: Any) -> None:
        raise AssertionError("the database was asked")

    def run(*arguments: Any) -> Any:
        with connection.execute_wrapper(refused):
            return work(*arguments)

    return run


def _until(look: Callable[[], bool]) -> None:
    for _ in range(400):
        if look():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")
