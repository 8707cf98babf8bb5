"""A push first; what has no effect goes on by SMS or mail, and what was acted on does not."""

import pytest

from notifications import item_codes, outcomes, planning
from notifications.models import Notification
from notifications.notify import settle
from people import lifecycle
from people.models import Person
from questions.models import Assignment
from tests.conftest import Cast, api, ask, in_parallel, later, mails, offer_of, post, text, texts, work
from tests.notifications.phones import Phone, deliveries, phone, tell, trouble


def _tap(of: Phone, action: str) -> int:
    """Press a button of the newest push, as the app does: everything it needs came with it."""
    data = of.pushes[-1].data["data"]
    assert action in data["actions"].split(",")
    assignment = data["item"].removeprefix("assignment:")
    body = {"reason": "no_time"} if action == "decline" else {}
    return int(post(of.client, f"/assignments/{assignment}/{action}", body).status_code)


def test_registering_a_phone_is_all_it_takes(cast: Cast) -> None:
    bobs = phone(cast.bob)
    told = tell(cast.bob)
    work()
    assert deliveries(told) == {"push": "sent"}
    assert (len(bobs.pushes), mails(cast.bob), texts(cast.bob)) == (1, [], [])


def test_accepting_on_the_push_cancels_what_would_follow(cast: Cast) -> None:
    bobs = phone(cast.bob)
    question = ask(cast.alice)
    assert _tap(bobs, "accept") == 200
    later(hours=1)
    work()
    assert offer_of(question).state == "accepted"
    offered = Notification.objects.get(event="question_offered")
    assert (offered.state, offered.read_at is not None) == ("acted", True)
    assert deliveries(offered) == {"push": "sent"}
    assert (mails(cast.bob), texts(cast.bob)) == ([], [])


def test_declining_on_the_push_passes_the_question_on(cast: Cast) -> None:
    bobs = phone(cast.bob)
    question = ask(cast.alice)
    assert _tap(bobs, "decline") == 200
    later(hours=1)
    work()
    assert Assignment.objects.get(expert=cast.bob, question=question).state == "declined"
    assert offer_of(question).expert == cast.charlie
    assert mails(cast.bob) == []


def test_an_offer_nobody_acts_on_follows_by_mail_although_the_push_came_in(cast: Cast) -> None:
    bobs = phone(cast.bob)
    ask(cast.alice)
    data = bobs.pushes[0].data["data"]
    assert post(bobs.client, f"/inbox/{data['notification']}/received", {"device": str(bobs.id)}).status_code == 204
    later(minutes=planning.MINUTES["push"] - 1)
    work()
    assert mails(cast.bob) == []
    later(minutes=1)
    work()
    assert len(mails(cast.bob)) == 1
    assert deliveries(Notification.objects.get(event="question_offered")) == {"push": "delivered", "email": "sent"}


def test_the_fallback_comes_once_however_many_look(cast: Cast) -> None:
    phone(cast.bob)
    told = [tell(cast.bob, f"k{number}", urgent=True, subject_key=f"thing:{number}") for number in range(10)]
    work()
    later(minutes=planning.URGENT_MINUTES["push"])
    in_parallel(6, lambda _n: planning.run_due())
    work()
    assert [set(deliveries(one)) for one in told] == [{"push", "sms"}] * 10
    assert len(texts(cast.bob)) == 10


def test_news_that_came_in_is_not_sent_again(cast: Cast) -> None:
    bobs = phone(cast.bob)
    told = tell(cast.bob)
    work()
    assert post(bobs.client, f"/inbox/{told.pk}/received", {"device": str(bobs.id)}).status_code == 204
    later(hours=1)
    work()
    assert deliveries(told) == {"push": "delivered"}


def test_news_that_was_read_in_the_inbox_is_not_sent_again(cast: Cast) -> None:
    phone(cast.bob)
    told = tell(cast.bob)
    work()
    post(api(cast.bob), f"/inbox/{told.pk}/read")
    later(hours=1)
    work()
    assert deliveries(told) == {"push": "sent"}


def test_news_that_was_read_before_it_left_does_not_leave(cast: Cast) -> None:
    told = tell(cast.bob)
    asks = tell(cast.bob, "asks", item="thing:1")
    for one in (told, asks):
        post(api(cast.bob), f"/inbox/{one.pk}/read")
    work()
    assert (deliveries(told), deliveries(asks)) == ({"email": "cancelled"}, {"email": "sent"})
    assert len(mails(cast.bob)) == 1


def test_a_receipt_is_for_ones_own_messages_and_phones(cast: Cast) -> None:
    bobs, hers = phone(cast.bob), phone(cast.mallory)
    told = tell(cast.bob)
    work()
    path = f"/inbox/{told.pk}/received"
    assert post(hers.client, path, {"device": str(bobs.id)}).status_code == 404
    assert post(bobs.client, path, {"device": str(hers.id)}).status_code == 204
    assert deliveries(told) == {"push": "sent"}


def test_urgent_goes_push_then_sms_then_mail_each_after_its_minutes(cast: Cast) -> None:
    phone(cast.bob)
    told = tell(cast.bob, urgent=True, item="thing:1")
    work()
    seen = [set(deliveries(told))]
    for minutes in (planning.URGENT_MINUTES["push"], planning.URGENT_MINUTES["sms"]):
        later(minutes=minutes - 1)
        work()
        seen.append(set(deliveries(told)))
        later(minutes=1)
        work()
        seen.append(set(deliveries(told)))
    assert seen == [{"push"}, {"push"}, {"push", "sms"}, {"push", "sms"}, {"push", "sms", "email"}]


def test_an_urgent_sms_that_was_delivered_ends_the_plan_of_mere_news(cast: Cast) -> None:
    phone(cast.bob)
    told = tell(cast.bob, urgent=True)
    work()
    later(minutes=10)
    work()
    sms = told.deliveries.get(channel="sms")
    outcomes.note_status(sms.pk, sms.provider_id, "delivered")
    later(hours=2)
    work()
    assert deliveries(told) == {"push": "sent", "sms": "delivered"}


def test_without_work_mail_the_fallback_is_sms(cast: Cast) -> None:
    phone(cast.alice)
    told = tell(cast.alice)
    work()
    assert texts(cast.alice) == []
    later(minutes=planning.MINUTES["push"])
    work()
    assert deliveries(told) == {"push": "sent", "sms": "sent"}


def test_a_push_that_has_not_left_when_its_minutes_are_over_does_not_come_late(cast: Cast) -> None:
    bobs = phone(cast.bob)
    trouble("unavailable")
    told = tell(cast.bob)
    work()
    later(minutes=planning.MINUTES["push"])
    work()
    trouble("")
    told.deliveries.filter(state="due").update(due_at=told.created_at)
    work()
    assert deliveries(told) == {"push": "cancelled", "email": "sent"}
    assert bobs.pushes == []


def test_acting_takes_back_what_is_not_on_its_way_yet(cast: Cast) -> None:
    told = tell(cast.bob, urgent=True, subject_key="thing:1")
    other = tell(cast.bob, "other", subject_key="thing:2")
    settle(cast.bob, "thing:1")
    assert deliveries(told) == {"email": "cancelled", "sms": "cancelled"}
    work()
    assert deliveries(other) == {"email": "sent"}


def test_who_acts_while_the_worker_has_the_message_gets_nothing_more(cast: Cast) -> None:
    told = tell(cast.bob, subject_key="thing:1")
    told.deliveries.update(state="unknown")  # a worker died with it
    settle(cast.bob, "thing:1")
    told.deliveries.update(state="due")
    work()
    assert (deliveries(told), mails(cast.bob)) == ({"email": "cancelled"}, [])


def test_what_was_asked_by_sms_is_answered_by_sms_also_with_the_app(cast: Cast) -> None:
    phone(cast.alice)
    assert set(deliveries(tell(cast.alice, via="sms"))) == {"sms"}


def test_with_every_channel_dead_the_desk_sees_it(cast: Cast) -> None:
    phone(cast.alice)
    Person.objects.filter(pk=cast.alice.pk).update(mobile=None)
    cast.alice.addresses.all().delete()
    trouble("unregistered")
    told = tell(cast.alice)
    work()
    told.refresh_from_db()
    assert (deliveries(told), told.state) == ({"push": "failed"}, "exhausted")


def test_a_lapsed_offer_is_not_mailed_afterwards(cast: Cast) -> None:
    phone(cast.bob)
    question = ask(cast.alice)
    item_codes.close(offer_of(question).item)
    later(minutes=planning.MINUTES["push"])
    planning.run_due()
    assert deliveries(Notification.objects.get(event="question_offered")) == {"push": "sent"}


def test_stop_is_honoured_by_the_fallback(cast: Cast) -> None:
    phone(cast.alice)
    told = tell(cast.alice)
    work()
    text(cast.alice, "STOP")
    work()
    later(minutes=planning.MINUTES["push"])
    work()
    assert set(deliveries(told)) == {"push"}
    assert [body for body in texts(cast.alice) if body == "Korte tekst"] == []


def test_nothing_follows_somebody_who_has_left(cast: Cast) -> None:
    phone(cast.bob)
    told = tell(cast.bob)
    work()
    lifecycle.left(cast.bob)
    later(hours=1)
    work()
    assert deliveries(told) == {"push": "sent"}
    assert mails(cast.bob) == []


@pytest.mark.parametrize("urgent", [False, True])
def test_without_a_phone_all_is_as_before(cast: Cast, urgent: bool) -> None:
    told = tell(cast.bob, urgent=urgent)
    assert set(deliveries(told)) == ({"email", "sms"} if urgent else {"email"})
    assert Notification.objects.get(pk=told.pk).next_link_at is None
