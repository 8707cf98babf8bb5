"""When the first SMS provider is down the second one carries; who does not answer is left alone; nothing goes twice."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from backend import clock, embedded
from notifications import breakers, delivery, outbox, outcomes, providers
from notifications.channels import Unknown
from notifications.channels import sms as twilio
from notifications.models import ChannelTrouble, Delivery, InboundMessage
from people.models import Person
from questions.models import Question
from tests.conftest import Cast, letters, texts, work
from tests.notifications.phones import deliveries, due_now, tell

TOKEN = "second-token"  # noqa: S105 — a test's


class Gateway(ThreadingHTTPServer):
    """A gateway as `sms_http` describes it; `trouble`: the status it answers with instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: dict[str, dict[str, str]] = {}
        self.calls = 0
        self.trouble = 0
        self.takes_it_all_the_same = False


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def log_message(self, *args: Any) -> None: ...

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls += 1
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._say(401, {})
        if not self.server.trouble or self.server.takes_it_all_the_same:
            self.server.sent.setdefault(body["reference"], body)
        return self._say(self.server.trouble or 201, {"id": f"id-{body['reference']}"})

    def do_GET(self) -> None:  # noqa: N802
        reference = parse_qs(urlsplit(self.path).query)["reference"][0]
        return self._say(200, {"id": f"id-{reference}"}) if reference in self.server.sent else self._say(404, {})

    def _say(self, status: int, body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def gateway(settings: Any) -> Iterator[Gateway]:
    made = Gateway()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    settings.SMS_SECOND = "notifications.channels.sms_http.HttpSms"
    settings.SMS_SECOND_URL, settings.SMS_SECOND_TOKEN = f"http://127.0.0.1:{made.server_port}/sms", TOKEN
    settings.SMS_SECOND_FROM = "+3197009999999"
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def twilio_down(settings: Any) -> None:
    settings.TWILIO_BASE_URL = f"http://127.0.0.1:{embedded.free_port()}"


def sms(cast: Cast, number: int = 0) -> Delivery:
    return outbox.enqueue(key=f"k{number}", channel="sms", to=str(cast.alice.mobile), body=f"B{number}", person=cast.alice)


def signed_call(path: str, fields: dict[str, Any], token: str = TOKEN) -> Any:
    body = json.dumps(fields).encode()
    signature = hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    return Client().post(path, body, "application/json", headers={"X-Signature": signature})


def test_while_the_first_works_the_second_hears_nothing(cast: Cast, gateway: Gateway) -> None:
    sms(cast)
    work()
    assert (gateway.calls, texts(cast.alice)) == (0, ["B0"])


def test_the_second_carries_what_the_first_did_not_take(cast: Cast, gateway: Gateway, twilio_down: None) -> None:
    row = sms(cast)
    work()
    row.refresh_from_db()
    assert (row.state, row.provider_id) == ("sent", f"second:id-{row.pk}")
    assert gateway.sent[str(row.pk)]["text"] == "B0"
    assert gateway.sent[str(row.pk)]["from"] == "+3197009999999"


def test_an_unknown_outcome_never_goes_to_the_other_provider(cast: Cast, gateway: Gateway, monkeypatch: Any) -> None:
    def hangs(_row: Delivery) -> str:
        raise Unknown("read time-out")

    monkeypatch.setitem(providers.SEND, "sms", hangs)
    row = sms(cast)
    delivery.send_due()
    row.refresh_from_db()
    assert (row.state, gateway.calls) == ("unknown", 0)


def test_what_the_second_took_before_its_answer_was_lost_is_not_sent_again(
    cast: Cast, gateway: Gateway, twilio_down: None, settings: Any
) -> None:
    gateway.trouble, gateway.takes_it_all_the_same = 502, True
    row = sms(cast)
    delivery.send_due()
    row.refresh_from_db()
    assert row.state == "unknown"
    gateway.trouble = 0
    settings.TWILIO_BASE_URL = f"http://127.0.0.1:{settings.SANDBOX_TWILIO_PORT}"
    Delivery.objects.update(due_at=clock.real())
    outcomes.resolve_unknown()
    delivery.send_due()
    row.refresh_from_db()
    assert (row.state, row.provider_id, texts(cast.alice)) == ("sent", f"second:id-{row.pk}", [])


def test_after_five_failures_the_first_is_left_alone_and_tried_again_later(
    cast: Cast, gateway: Gateway, twilio_down: None, settings: Any
) -> None:
    for number in range(breakers.FAILURES + 3):
        sms(cast, number)
    work()
    assert len(gateway.sent) == breakers.FAILURES + 3
    trouble = ChannelTrouble.objects.get()
    assert (trouble.key, trouble.count) == ("sms:down:twilio", 1)  # it was not asked after that
    settings.TWILIO_BASE_URL = f"http://127.0.0.1:{settings.SANDBOX_TWILIO_PORT}"
    sms(cast, 100)
    work()
    assert texts(cast.alice) == []  # left alone although it is well again
    ChannelTrouble.objects.update(blocked_until=clock.real() - timedelta(seconds=1))
    breakers._seen.clear()
    sms(cast, 101)
    work()
    assert texts(cast.alice) == ["B101"]


def test_a_probe_that_fails_opens_it_again_at_once(cast: Cast, gateway: Gateway, twilio_down: None) -> None:
    for number in range(breakers.FAILURES):
        sms(cast, number)
    work()
    ChannelTrouble.objects.update(blocked_until=clock.real() - timedelta(seconds=1))
    breakers._seen.clear()
    sms(cast, 50)
    work()
    trouble = ChannelTrouble.objects.get()
    assert (trouble.count, trouble.blocked_until > clock.real()) == (2, True)  # type: ignore[operator]


def test_another_process_leaves_it_alone_too(cast: Cast, twilio_down: None) -> None:
    for number in range(breakers.FAILURES):
        sms(cast, number)
    delivery.send_due()
    breakers.forget()  # a process that has just started
    assert breakers.opens_at("sms", "twilio") is not None


def test_with_all_down_messages_wait_without_using_up_their_tries(cast: Cast, twilio_down: None, settings: Any) -> None:
    rows = [sms(cast, number) for number in range(breakers.FAILURES + 4)]
    delivery.send_due()
    tries = sorted(Delivery.objects.values_list("attempts", flat=True))
    assert tries == [0] * 4 + [1] * breakers.FAILURES
    for _round in range(10):
        due_now()
        delivery.send_due()
    assert max(Delivery.objects.values_list("attempts", flat=True)) == 1
    settings.TWILIO_BASE_URL = f"http://127.0.0.1:{settings.SANDBOX_TWILIO_PORT}"
    ChannelTrouble.objects.update(blocked_until=clock.real() - timedelta(seconds=1))
    breakers.forget()
    due_now()
    work()
    assert sorted(texts(cast.alice)) == sorted(row.body for row in rows)


def test_a_bad_number_is_no_failure_of_the_provider(cast: Cast, gateway: Gateway) -> None:
    for number in range(breakers.FAILURES + 1):
        outbox.enqueue(key=f"bad{number}", channel="sms", to="+05", body="x")
    work()
    assert not ChannelTrouble.objects.exists()
    assert gateway.calls == 0


def test_trouble_with_our_own_account_is_shown_and_the_second_carries(cast: Cast, gateway: Gateway, settings: Any) -> None:
    twilio._client()  # with the token that is about to be changed there
    settings.TWILIO_AUTH_TOKEN = "changed-at-twilio"  # noqa: S105 — a test's
    row = sms(cast)
    work()
    row.refresh_from_db()
    assert (row.state, row.provider_id) == ("sent", f"second:id-{row.pk}")
    assert (ChannelTrouble.objects.get().key, texts(cast.alice)) == ("sms:account:twilio", [])
    assert cast.alice.addresses.get(channel="sms").stopped_at is None


def test_a_mail_server_that_is_down_is_left_alone(cast: Cast, settings: Any) -> None:
    settings.EMAIL_PORT = embedded.free_port()
    told = [tell(cast.bob, str(number)) for number in range(breakers.FAILURES + 2)]
    work()
    assert ChannelTrouble.objects.get().key == "email:down:mail"
    assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, *[1] * breakers.FAILURES]
    settings.EMAIL_PORT = settings.SANDBOX_SMTP_PORT
    ChannelTrouble.objects.update(blocked_until=clock.real() - timedelta(seconds=1))
    breakers.forget()
    due_now()
    work()
    assert [deliveries(one) for one in told] == [{"email": "sent"}] * len(told)
    assert len(letters(cast.bob.email)) == len(told)


def test_its_callbacks_and_texts_are_taken_when_they_are_signed(cast: Cast, gateway: Gateway, twilio_down: None) -> None:
    row = sms(cast)
    work()
    status = {"id": f"id-{row.pk}", "reference": str(row.pk), "status": "delivered"}
    path = "/webhooks/second-sms/status"
    assert signed_call(path, status, "forged").status_code == 403
    row.refresh_from_db()
    assert row.state == "sent"
    assert signed_call(path, status).status_code == 204
    row.refresh_from_db()
    assert row.state == "delivered"
    for rubbish in ({"reference": "x"}, [1]):
        assert signed_call(path, rubbish).status_code == 400  # type: ignore[arg-type]


def test_a_question_by_the_second_provider_is_a_question(cast: Cast, gateway: Gateway) -> None:
    said = {
        "id": "in-1",
        "from": cast.alice.mobile,
        "to": "+3197009999999",
        "text": "VRAAG Waarom is mijn rekening zo hoog?",
    }
    for _twice in range(2):
        assert signed_call("/webhooks/second-sms/sms", said).status_code == 204
    assert signed_call("/webhooks/second-sms/sms", said, "forged").status_code == 403
    work()
    assert Question.objects.get().asker == cast.alice
    assert InboundMessage.objects.count() == 1


def test_stop_at_the_second_provider_stops_both(cast: Cast, gateway: Gateway) -> None:
    signed_call("/webhooks/second-sms/sms", {"id": "in-2", "from": cast.alice.mobile, "to": "+31", "text": "STOP"})
    work()
    assert Person.objects.get(pk=cast.alice.pk).addresses.get(channel="sms").stopped_at is not None
    sms(cast)
    work()
    assert (texts(cast.alice), gateway.calls) == ([], 0)


def test_without_a_second_provider_its_addresses_take_nothing(cast: Cast) -> None:
    assert signed_call("/webhooks/second-sms/sms", {"id": "x", "from": "+31612000001"}, "").status_code == 403
