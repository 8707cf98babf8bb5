"""Sending, dying workers, lost callbacks, opt-outs, quiet hours and changing phones, in any order, against a plain model.

Everything goes through the look-alike providers over HTTP and SMTP, and through our own webhooks and API. After each step
what newly arrived is judged: was it wanted at this very moment? At the end nothing may be lost and nothing doubled.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any, ClassVar
from unittest.mock import patch
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from backend import clock
from notifications import delivery, inbound, outcomes, planning, providers
from notifications.channels import Unknown
from notifications.inbound import handling
from notifications.models import Delivery, Notification
from notifications.notify import notify, settle
from people.models import Person
from sandbox import courier, fcm
from sandbox.models import App, Letter, Switch
from tests.conftest import Cast, api, person, signed, text
from tests.notifications.phones import put

NEWS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), min_size=2, max_size=5)
TROUBLE = st.tuples(
    st.sampled_from(["", "", "cut", "cut", "rate_limit", "server_error", "server_error_taken"]),
    st.sampled_from(["", "", "unavailable", "internal", "quota", "forbidden"]),
)
SETTLING_ROUNDS = 30
SETTLING_STEP = timedelta(minutes=65)
FINAL = {"sent", "delivered", "undelivered", "failed", "cancelled", "suppressed", "expired"}


@dataclass
class Told:
    """One event of one person."""

    who: int
    key: str
    words: str
    urgent: bool
    acted: bool = False


@dataclass
class Model:
    told: list[Told] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    quiet: dict[int, tuple[time, time]] = field(default_factory=dict)  # on the clock on their wall
    owners: dict[str, int | None] = field(default_factory=dict)  # whose app has this token
    fates: dict[str, str] = field(default_factory=dict)  # how each SMS will end, by its id
    seen: int = 0  # the newest letter that was judged


class Company(RuleBasedStateMachine):
    """Three people: SMS alone; mail and SMS; mail, SMS and perhaps the app."""

    made: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.wall = clock.real
        self.passed = timedelta()
        self.patched = patch.object(clock, "real", lambda: self.wall() + self.passed)
        self.patched.start()
        self.model = Model(seen=Letter.objects.order_by("-id").values_list("id", flat=True).first() or 0)
        self.late: list[Any] = []  # outcomes that a worker still has to note
        self.phones: dict[int, uuid.UUID] = {}

    @initialize(at_first=NEWS, installs=st.booleans())
    def company(self, at_first: list[Any], installs: bool) -> None:
        self.people: list[Person] = []
        for mail in (False, True, True):
            Company.made += 1
            number = 5000 + Company.made
            self.people.append(person(f"E{number}", f"P{number} Person", mail=mail))
        self.clients = [api(who) for who in self.people]
        self._trouble("twilio", "")
        self._trouble("fcm", "")
        if installs:
            self.install_the_app(1)
        self.tell(at_first)

    # --- what is told, and who acts ---

    @rule(news=NEWS)
    def tell(self, news: list[Any]) -> None:
        for who, urgent, same_words in news:
            key = f"event-{uuid.uuid4().hex}"
            words = "Elke keer hetzelfde" if same_words else f"Bericht {key}"
            fields = {"event": "test", "title": key, "body": words, "sms": words, "subject_key": key, "urgent": urgent}
            for _twice in range(2):
                notify(self.people[who], key=key, **fields)
            self.model.told.append(Told(who, key, words, urgent))

    @rule(pick=st.integers(0, 50))
    def act(self, pick: int) -> None:
        told = self.model.told[pick % len(self.model.told)]
        settle(self.people[told.who], told.key)
        told.acted = True
        self._judge()

    # --- workers, and how they die ---

    # Each way is a rule of its own, because Hypothesis leaves about half of the rules out of each example.

    @rule(trouble=TROUBLE)
    def a_worker_sends(self, trouble: tuple[str, str]) -> None:
        with self._amid(trouble):
            delivery.drain()

    @rule()
    def a_worker_dies_before_sending(self) -> None:
        delivery.claim(3)

    @rule(trouble=TROUBLE, noted=st.integers(0, 1))
    def a_worker_dies_after_sending(self, trouble: tuple[str, str], noted: int) -> None:
        """It had come to note this many of what it had sent at once."""
        with self._amid(trouble), self._noting(lambda finished: finished[:noted]):
            delivery.send_due()

    @rule(trouble=TROUBLE)
    def a_worker_notes_late(self, trouble: tuple[str, str]) -> None:
        """It stands still after sending; what it knows comes when others may have taken over."""

        def keep(finished: list[Any]) -> list[Any]:
            self.late += finished
            return []

        with self._amid(trouble), self._noting(keep):
            delivery.send_due()

    @contextmanager
    def _noting(self, kept: Callable[[list[Any]], list[Any]]) -> Iterator[None]:
        note = delivery.note
        with patch.object(delivery, "note", lambda finished: note(kept(list(finished)))):
            yield

    @rule(trouble=TROUBLE)
    def a_worker_stands_still_before_sending(self, trouble: tuple[str, str]) -> None:
        taken = delivery.claim(3)
        self._pass(django_settings.DELIVERY_LEASE_SECONDS + 1)
        with self._amid(trouble):
            delivery.drain()
        with self._amid(trouble):
            delivery.send(taken)

    @rule(is_lost=st.booleans())
    def a_callback_is_faster_than_the_answer(self, is_lost: bool) -> None:
        """And the answer may be lost."""
        send = providers.SEND["sms"]

        def send_and_hear(row: Delivery) -> str:
            sid = send(row)
            self._callback(Letter.objects.get(provider_id=sid), "sent" if int(sid[2:], 16) % 2 else "fate")
            if is_lost:
                raise Unknown("the answer was lost")
            return sid

        with patch.dict(providers.SEND, {"sms": send_and_hear}):
            delivery.drain()
        self._judge()

    @contextmanager
    def _amid(self, trouble: tuple[str, str]) -> Iterator[None]:
        """While Twilio and Firebase have these troubles."""
        for provider, kind in zip(("twilio", "fcm"), trouble, strict=True):
            self._trouble(provider, kind)
        yield
        for provider in ("twilio", "fcm"):
            self._trouble(provider, "")
        self._judge()

    @precondition(lambda self: self.late)
    @rule()
    def it_wakes_up(self) -> None:
        delivery.note(self.late)
        self.late = []

    @rule()
    def the_provider_is_asked(self) -> None:
        outcomes.reclaim_lost()
        outcomes.resolve_unknown()
        outcomes.ask_for_receipts()
        self._judge()

    # --- the providers ---

    @rule(pick=st.integers(0, 50), status=st.sampled_from(["queued", "sent", "fate", "fate"]), times=st.integers(1, 2))
    def callbacks_come(self, pick: int, status: str, times: int) -> None:
        rows = list(self._sms().order_by("id"))
        for _time in range(times if rows else 0):
            self._callback(rows[pick % len(rows)], status)
        self._judge()

    def _callback(self, letter: Letter, status: str) -> None:
        if status == "fate":
            status = self._fate(letter)
            letter.data = {"error_code": courier.UNREACHABLE} if status == "undelivered" else {}
            Letter.objects.filter(pk=letter.pk).update(status=status, data=letter.data)
        fields = courier.status_fields(letter, status)
        answer = Client().post(
            urlsplit(letter.status_callback).path, fields, headers=signed(letter.status_callback, fields)
        )
        assert answer.status_code == 204

    def _fate(self, letter: Letter) -> str:
        sid = letter.provider_id
        return self.model.fates.setdefault(sid, "undelivered" if int(sid[2:], 16) % 4 == 0 else "delivered")

    def _trouble(self, provider: str, kind: str) -> None:
        Switch.objects.update_or_create(provider=provider, defaults={"trouble": kind})

    # --- people ---

    @rule(who=st.integers(0, 2), word=st.sampled_from(["STOP", "START", "stopall"]))
    def opt_out_or_in(self, who: int, word: str) -> None:
        self._judge()
        assert text(self.people[who], word).status_code == 200
        for message_id in inbound.due_ids(100):
            handling.handle(message_id)
        (self.model.stopped.discard if word == "START" else self.model.stopped.add)(who)
        self._judge()

    @rule(who=st.integers(0, 2), hours=st.sampled_from([0, 2, 9]))
    def wish_quiet(self, who: int, hours: int) -> None:
        """From a moment ago on, every day; 0: no quiet hours any more."""
        self._judge()
        here = clock.now().astimezone(self.people[who].zone)
        span = ((here - timedelta(minutes=1)).time(), (here + timedelta(hours=hours)).time())
        starts, ends = (at.replace(second=0, microsecond=0) for at in span)
        wish: dict[str, Any] = {"quiet": "none"}
        if hours:
            wish = {"quiet": "own", "quiet_hours": {"starts": f"{starts:%H:%M}", "ends": f"{ends:%H:%M}"}}
            self.model.quiet[who] = (starts, ends)
        else:
            self.model.quiet.pop(who, None)
        answer = self.clients[who].patch("/api/v1/me/preferences", wish, content_type="application/json")
        assert answer.status_code == 200

    @rule(who=st.integers(1, 2))
    def install_the_app(self, who: int) -> None:
        token = f"{uuid.uuid4().hex}:APA91b{uuid.uuid4().hex}"
        App.objects.create(token=token, number=str(self.people[who].mobile), installed_at=clock.real())
        old = self.phones.get(who)
        self.phones[who] = uuid.uuid4()
        assert put(self.clients[who], self.phones[who], token=token).status_code == 200
        if old:
            self.clients[who].delete(f"/api/v1/devices/{old}")
            self._forget(who)
        self.model.owners[token] = who

    @rule(to=st.integers(1, 2))
    def a_phone_changes_hands(self, to: int) -> None:
        giver = 3 - to
        token = next((known for known, owner in self.model.owners.items() if owner == giver), None)
        if token is None:
            return
        self.phones.pop(giver, None)
        old, self.phones[to] = self.phones.get(to), uuid.uuid4()
        assert put(self.clients[to], self.phones[to], token=token).status_code == 200
        if old:
            self.clients[to].delete(f"/api/v1/devices/{old}")
        self._forget(to)
        self.model.owners[token] = to

    @rule(who=st.integers(1, 2), politely=st.booleans())
    def the_app_goes(self, who: int, politely: bool) -> None:
        """Signed out, or removed from the phone without a word."""
        if politely and who in self.phones:
            self.clients[who].delete(f"/api/v1/devices/{self.phones.pop(who)}")
        else:
            fcm.uninstall(str(self.people[who].mobile))
        self._forget(who)

    def _forget(self, who: int) -> None:
        self.model.owners = {token: owner for token, owner in self.model.owners.items() if owner != who}

    @rule(seconds=st.sampled_from([1, 35, 65, 600, 2000]))
    def time_passes(self, seconds: int) -> None:
        self._pass(seconds)
        planning.run_due()

    def _pass(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)

    # --- what must be true of whatever arrives, at the moment it does ---

    def _judge(self) -> None:
        for letter in Letter.objects.filter(id__gt=self.model.seen, direction="to_person").order_by("id"):
            self.model.seen = letter.pk
            whose = [told for told in self.model.told if self._is_of(letter, told)]
            assert whose, f"nobody was told this: {letter.channel} {letter.subject} {letter.body}"
            assert any(not told.acted for told in whose), f"{letter} came after they had acted"
            assert any(self._is_wanted(letter, told) for told in whose), f"{letter} was not wanted"
            assert any(self._may_come_now(told) for told in whose), f"{letter} came in quiet hours"

    def _is_of(self, letter: Letter, told: Told) -> bool:
        if letter.channel == "sms":
            return letter.address == self.people[told.who].mobile and letter.body == told.words
        return bool(letter.subject == told.key)

    def _may_come_now(self, told: Told) -> bool:
        """What is urgent passes."""
        starts, ends = self.model.quiet.get(told.who, (time(), time()))
        here = clock.now().astimezone(self.people[told.who].zone).time()
        is_quiet = starts <= here < ends if starts <= ends else here >= starts or here < ends
        return told.urgent or not is_quiet

    def _is_wanted(self, letter: Letter, told: Told) -> bool:
        if letter.channel == "sms":
            return told.who not in self.model.stopped
        return letter.channel == "email" or self.model.owners.get(letter.other) == told.who

    def _sms(self) -> Any:
        return Letter.objects.filter(channel="sms", direction="to_person", address__in=[who.mobile for who in self.people])

    # --- and at the end ---

    def teardown(self) -> None:
        try:
            if hasattr(self, "people"):
                self._come_to_rest()
                self._nothing_is_doubled()
                self._nothing_is_lost()
                self._the_records_are_right()
        finally:
            self.patched.stop()

    def _come_to_rest(self) -> None:
        for provider in ("twilio", "fcm"):
            self._trouble(provider, "")
        settled_at = self.passed + outcomes.POLL_FIRST + SETTLING_STEP
        for _round in range(SETTLING_ROUNDS):
            delivery.drain()
            outcomes.resolve_unknown()
            outcomes.ask_for_receipts()
            self._judge()
            for letter in self._sms().exclude(status__in=["delivered", "undelivered"]):
                self._callback(letter, "fate")
            if not planning.run_due() and not self._rows().exclude(state__in=FINAL).exists():
                waiting = Notification.objects.filter(person__in=self.people, state="waiting", next_link_at__isnull=False)
                if not waiting.exists() and self.passed > settled_at:
                    return
            self.passed += SETTLING_STEP
        raise AssertionError(f"never at rest: {list(self._rows().exclude(state__in=FINAL).values())}")

    def _rows(self) -> Any:
        return Delivery.objects.filter(person__in=self.people)

    def _visible(self) -> list[Letter]:
        """What people saw: no SMS that never arrived, and of pushes with one collapse key the last."""
        addresses = [*(str(who.mobile) for who in self.people), *(str(who.email) for who in self.people if who.email)]
        rows = Letter.objects.filter(address__in=addresses, direction="to_person")
        return [row for row in rows if row.status not in {"undelivered", "replaced"}]

    def _nothing_is_doubled(self) -> None:
        seen, allowed = Counter[Any](), Counter[Any]()
        for letter in self._visible():
            seen[letter.channel, letter.address, self._subject(letter), letter.other] += 1
        for told in self.model.told:
            allowed[str(self.people[told.who].mobile), told.words] += 1
        for (channel, address, subject, _other), count in seen.items():
            assert count <= (allowed[address, subject] if channel == "sms" else 1), (
                f"{channel} {subject} came {count} times"
            )

    def _subject(self, letter: Letter) -> str:
        return letter.body if letter.channel == "sms" else letter.subject

    def _nothing_is_lost(self) -> None:
        visible = self._visible()
        replaced = set(Letter.objects.filter(status="replaced").values_list("subject", flat=True))
        for told in self.model.told:
            seen = [letter for letter in visible if self._is_of(letter, told)]
            state = Notification.objects.get(key=told.key).state
            assert seen or told.key in replaced or told.acted or state == "exhausted", f"{told} was lost"
        for who, words in {(told.who, told.words) for told in self.model.told}:
            self._each_has_its_own(who, words, visible)

    def _each_has_its_own(self, who: int, words: str, visible: list[Letter]) -> None:
        """The same words twice are two messages: as many came as deliveries say."""
        number = str(self.people[who].mobile)
        arrived = sum(letter.address == number and letter.body == words for letter in visible if letter.channel == "sms")
        said = self._rows().filter(channel="sms", to=number, body=words, state="delivered").count()
        assert arrived == said, f"{arrived} arrived of {said}: {words}"

    def _the_records_are_right(self) -> None:
        known = {row.provider_id: row.state for row in self._rows().filter(channel="sms").exclude(provider_id="")}
        for letter in self._sms():
            assert known.get(letter.provider_id) == self._fate(letter), f"{letter.provider_id} of {known}"


def test_whatever_happens_nothing_is_lost_doubled_or_unwanted(cast: Cast) -> None:
    run_state_machine_as_test(
        Company,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes; the steps are short already
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
