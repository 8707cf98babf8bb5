"""Many small news within minutes become one message on each channel: nothing lost, nothing twice, nothing stale."""

from datetime import time
from typing import Any

from notifications import bundles, delivery, item_codes, outcomes, planning, preferences
from notifications.models import Delivery, Notification
from notifications.notify import notify, settle
from people.models import Person
from tests.conftest import Cast, api, in_parallel, later, mails, text, texts, work
from tests.notifications.phones import deliveries, phone
from tests.notifications.test_quiet_hours import at

WINDOW_MINUTES = bundles.WINDOW.total_seconds() / 60


def news(who: Person, number: int, event: str = "kudos_received", **fields: str) -> Notification:
    words: dict[str, Any] = {"title": f"Nieuws {number}", "body": f"Tekst {number}.", "sms": f"Kort {number}."}
    return notify(who, key=f"news:{number}:{who.pk}", event=event, subject_key=f"news:{number}", **{**words, **fields})


def states(told: list[Notification], channel: str = "sms") -> list[str]:
    return [deliveries(one)[channel] for one in told]


def test_the_first_leaves_at_once_and_the_rest_together(cast: Cast) -> None:
    told = [news(cast.alice, number) for number in range(5)]
    work()
    assert texts(cast.alice) == ["Kort 0."]
    assert states(told) == ["sent", *["due"] * 4]
    later(minutes=WINDOW_MINUTES)
    work()
    assert texts(cast.alice) == ["Kort 0.", "Kort 1.\nKort 2.\nKort 3.\nKort 4."]
    assert states(told) == ["sent", *["bundled"] * 4]
    bundle = Delivery.objects.get(is_bundle=True)
    assert (bundle.state, bundle.members.count(), bundle.segments) == ("sent", 4, 1)


def test_a_mail_bundle_says_how_many_and_holds_every_word(cast: Cast) -> None:
    for number in range(3):
        news(cast.bob, number, link=f"https://example.org/{number}", link_text="Lees")
    work()
    later(minutes=WINDOW_MINUTES)
    work()
    first, second = mails(cast.bob)
    assert first.startswith("Nieuws 0")
    assert second.startswith("2 berichten voor je")
    for number in (1, 2):
        for word in (f"Nieuws {number}", f"Tekst {number}.", f"https://example.org/{number}"):
            assert word in second


def test_six_workers_make_one_bundle(cast: Cast) -> None:
    told = [news(cast.alice, number) for number in range(12)]
    work()
    later(minutes=WINDOW_MINUTES)
    in_parallel(6, lambda _n: [planning.run_due() for _ in range(3)])
    in_parallel(6, lambda _n: delivery.send_due(3))
    work()
    assert states(told) == ["sent", *["bundled"] * 11]
    lines = "\n".join(texts(cast.alice)).split("\n")
    assert sorted(lines) == sorted(f"Kort {number}." for number in range(12))
    assert Delivery.objects.filter(is_bundle=True).count() == 1


def test_a_bundle_does_not_travel_in_the_next_one(cast: Cast) -> None:
    for round_ in range(3):
        for number in range(3):
            news(cast.alice, round_ * 10 + number)
        work()
        later(minutes=WINDOW_MINUTES)
    work()
    lines = "\n".join(texts(cast.alice)).split("\n")
    assert sorted(lines) == sorted(f"Kort {r * 10 + n}." for r in range(3) for n in range(3))
    assert not Delivery.objects.filter(is_bundle=True, state="bundled").exists()
    assert not Delivery.objects.filter(bundle__bundle__isnull=False).exists()


def test_what_is_read_before_it_leaves_is_not_in_it(cast: Cast) -> None:
    told = [news(cast.alice, number) for number in range(4)]
    delivery.send_due()
    later(minutes=WINDOW_MINUTES)
    planning.run_due()
    assert states(told)[1:] == ["bundled"] * 3
    api(cast.alice).post(f"/api/v1/inbox/{told[1].pk}/read")
    settle(cast.alice, "news:2")
    delivery.send_due()
    assert texts(cast.alice) == ["Kort 0.", "Kort 3."]
    assert states(told) == ["sent", "cancelled", "cancelled", "bundled"]


def test_a_bundle_of_nothing_is_not_sent(cast: Cast) -> None:
    told = [news(cast.alice, number) for number in range(3)]
    delivery.send_due()
    later(minutes=WINDOW_MINUTES)
    planning.run_due()
    for number in (1, 2):
        settle(cast.alice, f"news:{number}")
    work()
    assert (texts(cast.alice), states(told)) == (["Kort 0."], ["sent", "cancelled", "cancelled"])
    assert Delivery.objects.get(is_bundle=True).state == "cancelled"


def test_what_a_worker_has_leased_goes_as_it_is(cast: Cast) -> None:
    told = [news(cast.alice, number) for number in range(3)]
    delivery.send_due()
    later(minutes=WINDOW_MINUTES)
    planning.run_due()
    [taken] = delivery.claim(5)
    settle(cast.alice, "news:1")
    delivery.send([taken])
    assert texts(cast.alice) == ["Kort 0.", "Kort 1.\nKort 2."]
    assert states(told) == ["sent", "bundled", "bundled"]


def test_each_member_ends_as_its_bundle_did(cast: Cast) -> None:
    told = [news(cast.alice, number) for number in range(3)]
    work()
    later(minutes=WINDOW_MINUTES)
    work()
    bundle = Delivery.objects.get(is_bundle=True)
    assert outcomes.note_status(bundle.pk, bundle.provider_id, "delivered")
    assert states(told) == ["sent", "delivered", "delivered"]


def test_when_a_bundle_fails_each_member_goes_its_own_next_way(cast: Cast) -> None:
    preferences.update(
        cast.bob, quiet="", hours=None, silent=None, channels=["sms", "email"], event_channels=None,
        events_off=None, mails_off=None,
    )  # fmt: skip
    told = [news(cast.bob, number) for number in range(3)]
    work()
    later(minutes=WINDOW_MINUTES)
    work()
    bundle = Delivery.objects.get(is_bundle=True)
    outcomes.note_status(bundle.pk, bundle.provider_id, "failed", "twilio 30003")
    assert [deliveries(one) for one in told[1:]] == [{"sms": "failed", "email": "due"}] * 2
    later(minutes=WINDOW_MINUTES)
    work()
    heard = "\n".join(mails(cast.bob))
    assert "Tekst 1." in heard
    assert "Tekst 2." in heard


def test_stop_before_it_leaves_reroutes_every_member(cast: Cast) -> None:
    phone(cast.alice)
    told = [news(cast.alice, number, via="sms") for number in range(3)]
    delivery.send_due()
    later(minutes=WINDOW_MINUTES)
    planning.run_due()
    text(cast.alice, "STOP")
    work()
    assert [deliveries(one) for one in told[1:]] == [{"sms": "suppressed", "push": "sent"}] * 2
    assert texts(cast.alice) == ["Kort 0."]


def test_a_night_of_news_is_one_message_in_the_morning(cast: Cast) -> None:
    preferences.set_quiet(cast.alice, preferences.Hours(time(22), time(7)))
    at("22:30")
    for number in range(4):
        news(cast.alice, number)
        later(minutes=30)
    work()
    assert texts(cast.alice) == []
    at("07:01")
    work()
    assert texts(cast.alice) == ["Kort 0.\nKort 1.\nKort 2.\nKort 3."]


def test_a_window_that_ends_at_night_waits_for_the_morning(cast: Cast) -> None:
    preferences.set_quiet(cast.alice, preferences.Hours(time(22), time(7)))
    at("21:55")
    for number in range(3):
        news(cast.alice, number)
    work()
    later(minutes=WINDOW_MINUTES)
    work()
    assert texts(cast.alice) == ["Kort 0."]
    at("07:01")
    work()
    assert texts(cast.alice) == ["Kort 0.", "Kort 1.\nKort 2."]


def test_what_asks_for_an_answer_is_never_bundled_and_its_code_stays_readable(cast: Cast) -> None:
    codes = [item_codes.open_for(cast.alice, f"assignment:{number}", "x").code for number in range(3)]
    told = [
        news(cast.alice, n, "question_offered", sms=f"{code}: vraag", item=f"assignment:{n}")
        for n, code in enumerate(codes)
    ]
    work()
    assert texts(cast.alice) == [f"{code}: vraag" for code in codes]
    assert states(told) == ["sent"] * 3


def test_a_long_bundle_is_cut_into_messages_that_a_phone_takes(cast: Cast) -> None:
    for number in range(12):
        news(cast.alice, number, sms=f"{number:02} " + "x" * 140)
    work()
    later(minutes=WINDOW_MINUTES)
    work()
    heard = texts(cast.alice)
    assert sorted(line[:2] for body in heard for line in body.split("\n")) == [f"{number:02}" for number in range(12)]
    assert all(len(body) <= bundles.SMS_CHARACTERS for body in heard)
    assert len(heard) == 4
