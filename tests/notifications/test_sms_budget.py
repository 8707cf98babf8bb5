"""SMS costs what was decided, in segments, however many workers send; what must arrive has a reserve."""

from typing import Any

from notifications import budget, delivery, outbox
from notifications.models import ChannelTrouble, Delivery, Notification, SmsSpending
from people.models import Person
from tests.conftest import Cast, in_parallel, later, letters, mails, text, texts, work
from tests.notifications.phones import deliveries
from tests.notifications.test_preferences import tell_of

NEWS, MUST = "answer_expired", "question_closed"


def spent(scope: str = "total") -> int:
    return sum(SmsSpending.objects.filter(scope__startswith=scope).values_list("segments", flat=True))


def many(who: Person, event: str, count: int, prefix: str = "") -> list[Notification]:
    return [tell_of(who, event, f"{prefix}{event}:{number}") for number in range(count)]


def states(told: list[Notification]) -> list[str]:
    return sorted(deliveries(one)["sms"] for one in told)


def test_segments_are_counted_once_for_each_message(cast: Cast) -> None:
    row = outbox.enqueue(key="long", channel="sms", to=str(cast.alice.mobile), body="x" * 161, person=cast.alice)
    delivery.send_due()
    row.refresh_from_db()
    assert (row.segments, spent("total"), spent(f"person:{cast.alice.pk}")) == (2, 2, 4)  # a day's and a month's
    assert budget.charge([row]) == set()  # tried again: paid already
    assert spent("total") == 2


def test_over_a_persons_day_news_goes_another_way(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_PERSON_DAY = 3
    told = many(cast.alice, NEWS, 5)
    work()
    assert states(told) == ["sent"] * 3 + ["suppressed"] * 2
    assert len(texts(cast.alice)) == 3
    assert Notification.objects.filter(state="exhausted").count() == 2  # she has no mail: the desk sees it
    assert Delivery.objects.filter(error="budget").count() == 2


def test_the_next_channel_takes_over(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_PERSON_DAY = 1
    from notifications.models import Preference

    Preference.objects.create(person=cast.bob, chains={"": ["sms"]}, changed_at="2026-01-01T00:00Z")
    told = many(cast.bob, NEWS, 2)
    work()
    assert sorted(map(str, map(deliveries, told))) == ["{'sms': 'sent'}", "{'sms': 'suppressed', 'email': 'sent'}"]
    assert len(mails(cast.bob)) == 1


def test_what_must_arrive_does_not_mind_a_persons_limit(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_PERSON_DAY = 1
    told = many(cast.alice, MUST, 4)
    work()
    assert states(told) == ["sent"] * 4


def test_the_next_day_counts_anew_and_the_month_does_not(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_PERSON_DAY, settings.SMS_SEGMENTS_PERSON_MONTH = 2, 3
    first = many(cast.alice, NEWS, 3, "a")
    work()
    day = budget.today_here()
    later(days=1 if day.day < 28 else -1)  # another day of the same month
    second = many(cast.alice, NEWS, 2, "b")
    work()
    assert (states(first), states(second)) == (["sent", "sent", "suppressed"], ["sent", "suppressed"])


def test_the_reserve_is_for_what_must_arrive(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_MONTH, settings.SMS_RESERVE_PERCENT = 10, 40
    news = many(cast.alice, NEWS, 8)
    work()
    assert states(news).count("sent") == 6
    must = many(cast.alice, MUST, 5)
    work()
    assert states(must) == ["sent"] * 4 + ["suppressed"]
    assert spent("total") == 10


def test_ten_workers_do_not_send_the_one_too_many(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_MONTH, settings.SMS_RESERVE_PERCENT = 7, 0
    told = many(cast.alice, NEWS, 20)
    in_parallel(10, lambda _n: delivery.send_due(2))
    work()
    assert states(told) == ["sent"] * 7 + ["suppressed"] * 13
    assert (len(letters(cast.alice.mobile)), spent("total")) == (7, 7)


def test_a_message_that_does_not_fit_takes_nothing(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_PERSON_DAY = 1
    settings.SMS_SEGMENTS_MONTH, settings.SMS_RESERVE_PERCENT = 100, 0
    many(cast.alice, NEWS, 3)
    work()
    assert (spent("total"), spent(f"person:{cast.alice.pk}")) == (1, 2)
    assert Delivery.objects.filter(state="suppressed", segments=0).count() == 2


def test_one_alert_a_month(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_MONTH, settings.SMS_ALERT_PERCENT, settings.OPERATOR_EMAIL = 10, 50, "ops@example.org"
    many(cast.alice, MUST, 4)
    work()
    assert not ChannelTrouble.objects.exists()
    many(cast.alice, MUST, 4, "more")
    in_parallel(4, lambda _n: delivery.send_due(1))
    work()
    trouble = ChannelTrouble.objects.get()
    assert (trouble.count, trouble.channel, trouble.blocked_until) == (1, "sms", None)
    assert "10 SMS segments" in trouble.reason


def test_the_operator_hears_of_it_by_mail(cast: Cast, settings: Any) -> None:
    settings.OPERATOR_EMAIL = "ops@example.org"
    budget.tell_operator("8 of 10")
    assert "8 of 10" in letters("ops@example.org")[0].body


def test_what_somebody_asked_for_is_answered(cast: Cast, settings: Any) -> None:
    settings.SMS_SEGMENTS_PERSON_DAY = 1
    for _word in range(3):
        text(cast.alice, "STATUS")
    work()
    assert len(texts(cast.alice)) == 3
