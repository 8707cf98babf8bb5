"""Left in peace at night: in everybody's own zone, also in the night the clock is moved. What is urgent still comes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from backend import clock
from notifications import delivery, preferences, quiet
from notifications.models import Delivery, Notification
from people.models import Person, WorkingHours
from questions.models import DutyShift
from tests.conftest import Cast, api, ask, in_parallel, later, mails, texts, work
from tests.notifications.phones import deliveries, phone, tell

NIGHT = preferences.Hours(time(22), time(7))


def at(local: str, zone: str = "Europe/Amsterdam") -> None:
    """Move the product's clock to the next time that a clock in `zone` shows this."""
    now = clock.now()
    hour, minute = map(int, local.split(":"))
    there = now.astimezone(ZoneInfo(zone)).replace(hour=hour, minute=minute, second=0, microsecond=0)
    clock.move((there if there > now else there + timedelta(days=1)) - now)


def nightly(who: Person, hours: preferences.Hours | None = NIGHT) -> None:
    preferences.set_quiet(who, hours)


def test_news_waits_for_the_morning_and_comes_once(cast: Cast) -> None:
    nightly(cast.bob)
    at("23:00")
    told = tell(cast.bob)
    work()
    later(hours=7, minutes=59)
    work()
    assert (deliveries(told), mails(cast.bob)) == ({"email": "due"}, [])
    later(minutes=2)
    in_parallel(4, lambda _n: work(sending=False))
    work()
    assert deliveries(told) == {"email": "sent"}
    assert len(mails(cast.bob)) == 1


def test_what_is_urgent_passes(cast: Cast) -> None:
    nightly(cast.bob)
    at("23:00")
    told = tell(cast.bob, urgent=True)
    work()
    assert deliveries(told) == {"email": "sent", "sms": "sent"}


def test_the_night_is_the_persons_own(cast: Cast) -> None:
    for who, zone in ((cast.bob, "Europe/Amsterdam"), (cast.charlie, "America/New_York")):
        who.time_zone = zone
        who.save()
        nightly(who)
    at("23:00")
    told = {who.name: tell(who, who.name) for who in (cast.bob, cast.charlie)}
    work()
    assert deliveries(told[cast.bob.name]) == {"email": "due"}
    assert deliveries(told[cast.charlie.name]) == {"email": "sent"}


def test_the_company_has_quiet_hours_and_a_person_may_have_none(cast: Cast, settings: object) -> None:
    settings.QUIET_HOURS = "21:00-07:30"  # type: ignore[attr-defined]
    nightly(cast.charlie, None)
    at("22:00")
    his, hers = tell(cast.bob, "his"), tell(cast.charlie, "hers")
    work()
    assert (deliveries(his), deliveries(hers)) == ({"email": "due"}, {"email": "sent"})
    later(hours=9, minutes=31)
    work()
    assert deliveries(his) == {"email": "sent"}


def test_a_message_caught_by_the_night_on_its_second_try_waits_too(cast: Cast) -> None:
    nightly(cast.alice)
    at("21:59")
    told = tell(cast.alice)
    later(minutes=2)  # the provider was down meanwhile
    work()
    assert (deliveries(told), texts(cast.alice)) == ({"sms": "due"}, [])
    row = told.deliveries.get()
    assert (row.attempts, row.held_until is not None) == (0, True)
    assert row.expires_at > clock.real() + timedelta(hours=40)
    later(hours=9)
    work()
    assert deliveries(told) == {"sms": "sent"}


def test_the_next_link_does_not_wake_anybody_and_has_its_minutes_in_the_morning(cast: Cast) -> None:
    nightly(cast.bob)
    phone(cast.bob)
    at("21:55")
    told = tell(cast.bob)
    work()
    assert deliveries(told) == {"push": "sent"}
    later(minutes=30)
    work()
    assert deliveries(told) == {"push": "sent", "email": "due"}
    assert mails(cast.bob) == []
    later(hours=9)
    work()
    assert len(mails(cast.bob)) == 1


def test_a_push_at_night_has_its_minutes_from_the_morning_on(cast: Cast) -> None:
    nightly(cast.bob)
    bobs = phone(cast.bob)
    at("23:00")
    told = tell(cast.bob)
    later(hours=8)
    work()
    assert (len(bobs.pushes), deliveries(told)) == (1, {"push": "sent"})
    later(minutes=31)
    work()
    assert deliveries(told) == {"push": "sent", "email": "sent"}


def test_acting_in_the_night_leaves_nothing_for_the_morning(cast: Cast) -> None:
    nightly(cast.bob)
    at("23:00")
    told = tell(cast.bob)
    api(cast.bob).post(f"/api/v1/inbox/{told.pk}/read")
    later(hours=9)
    work()
    assert (deliveries(told), mails(cast.bob)) == ({"email": "cancelled"}, [])


def test_who_works_at_night_gets_offers_at_night(cast: Cast) -> None:
    nightly(cast.bob)
    at("23:00")
    ask(cast.alice)
    assert Notification.objects.get(event="question_offered").passes_quiet
    assert len(mails(cast.bob)) == 1


def test_who_does_not_work_at_night_gets_an_offer_in_the_morning(cast: Cast) -> None:
    WorkingHours.objects.filter(person__in=[cast.bob, cast.charlie]).update(starts_minute=9 * 60, ends_minute=17 * 60)
    for expert in (cast.bob, cast.charlie):
        nightly(expert)
    at("23:00")
    ask(cast.alice)
    offered = Notification.objects.get(event="question_offered")
    assert (offered.passes_quiet, mails(cast.bob)) == (False, [])
    later(hours=8)
    work()
    assert len(mails(cast.bob)) == 1


def test_only_the_desk_person_on_duty_is_woken(cast: Cast) -> None:
    night_off = Person.objects.create(
        employee_number="E40", name="Otto Off", email="otto@vonkmobiel.example", roles=["employee", "duty_desk"]
    )
    for who in (cast.dana, night_off):
        nightly(who)
    at("23:00")
    now = clock.now()
    DutyShift.objects.create(person=cast.dana, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=8))
    ask(cast.alice, "Zomaar iets over niets dat nergens bij hoort, xyzzy?")
    assert Notification.objects.filter(person=cast.dana, passes_quiet=True).exists()
    assert len(mails(cast.dana)) >= 1
    assert mails(night_off) == []


def test_a_scheduled_message_does_not_leave_early_nor_at_night(cast: Cast) -> None:
    nightly(cast.bob)
    at("12:00")
    now = clock.now()
    told = tell(cast.bob, not_before=now + timedelta(hours=3))
    late = tell(cast.bob, "late", not_before=now + timedelta(hours=11))  # 23:00
    work()
    assert (deliveries(told), deliveries(late)) == ({"email": "due"}, {"email": "due"})
    later(hours=3)
    work()
    assert (deliveries(told), deliveries(late)) == ({"email": "sent"}, {"email": "due"})
    later(hours=8)
    work()
    assert deliveries(late) == {"email": "due"}
    later(hours=8)
    work()
    assert deliveries(late) == {"email": "sent"}


def test_a_held_message_is_no_standstill(cast: Cast) -> None:
    nightly(cast.bob)
    at("23:00")
    tell(cast.bob)
    Delivery.objects.update(due_at=clock.real() - timedelta(hours=5))
    assert delivery.send_due() == 0
    queues = {row["name"]: row for row in api(cast.bob).get("/api/v1/health").json()["queues"]}
    assert queues["deliveries"]["due"] == 0


@pytest.mark.parametrize(
    ("starts", "ends", "moment", "over"),
    [
        ("22:00", "07:00", "2026-03-28T22:30+01:00", "2026-03-29T07:00+02:00"),  # the short night
        ("22:00", "07:00", "2026-10-24T22:30+02:00", "2026-10-25T07:00+01:00"),  # the long night
        ("22:00", "07:00", "2026-11-25T06:59+01:00", "2026-11-25T07:00+01:00"),
        ("22:00", "07:00", "2026-11-25T07:00+01:00", None),
        ("22:00", "07:00", "2026-11-25T21:59+01:00", None),
        ("12:00", "13:00", "2026-11-25T12:00+01:00", "2026-11-25T13:00+01:00"),
        ("22:00", "02:30", "2026-03-29T01:59+01:00", "2026-03-29T03:30+02:00"),  # 02:30 is not on the clock
        ("22:00", "02:30", "2026-10-25T02:15+02:00", "2026-10-25T02:30+02:00"),  # 02:30 comes twice: the first
        ("22:00", "02:30", "2026-10-25T02:15+01:00", None),
    ],
)
def test_quiet_hours_end_on_the_wall_clock(starts: str, ends: str, moment: str, over: str | None) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    found = quiet.ends_at(
        time.fromisoformat(starts), time.fromisoformat(ends), zone, datetime.fromisoformat(moment).astimezone(UTC)
    )
    assert found == (datetime.fromisoformat(over) if over else None)


zones = st.sampled_from(["Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
moments = st.integers(0, 2 * 366 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
wall_times = st.times().map(lambda t: t.replace(microsecond=0))


@given(
    zones, st.times().map(lambda t: t.replace(microsecond=0)), st.times().map(lambda t: t.replace(microsecond=0)), moments
)
def test_after_quiet_hours_it_is_not_quiet(zone: str, starts: time, ends: time, moment: datetime) -> None:
    if starts == ends:
        return
    where = ZoneInfo(zone)
    over = quiet.ends_at(starts, ends, where, moment)
    if over is None:
        return
    assert moment < over <= moment + timedelta(hours=26)
    again = quiet.ends_at(starts, ends, where, over)
    # Only where the evening's end falls into the hour that the spring clock skips may the next span touch it.
    assert again is None or again - over < timedelta(hours=25)


def test_the_default_is_the_companys_outside_the_sandbox() -> None:
    assert settings.SANDBOX
    assert settings.QUIET_HOURS == ""
