"""SMS through Twilio.

`messages.create` has no idempotency key, the client's default time-out is none at all, and a read time-out says nothing
about the outcome. So: our own time-outs, the delivery's id in the StatusCallback address, and `look_up` before resending.
"""

from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from django.conf import settings
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Delivery

TIMEOUT_SECONDS = 10.0
VALIDITY_SECONDS = 36_000  # the longest that Twilio queues a message
BODY_CHARACTERS = 1600
LOOK_BACK = timedelta(minutes=2)

# https://www.twilio.com/docs/api/errors
ADDRESS_IS_DEAD = frozenset({21211, 21610, 21614, 30005, 30006})
OURS_TO_FIX = frozenset({20003, 21408, 21606, 21608, 21612, 21617, 30007})  # the address is fine; an operator must look
TRANSIENT = frozenset({20429, 20503, 21611, 30001, 30003, 30008, 30036})


class _Http(TwilioHttpClient):
    """Twilio's own client; TWILIO_BASE_URL sends the same requests to a look-alike."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if settings.TWILIO_BASE_URL:
            base, parts = urlsplit(settings.TWILIO_BASE_URL), urlsplit(url)
            url = urlunsplit((base.scheme, base.netloc, parts.path, parts.query, ""))
        return super().request(method, url, *args, **kwargs)


@cache
def _client() -> Client:
    http = _Http(timeout=TIMEOUT_SECONDS, pool_connections=True)
    return Client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=http)


def status_url(delivery: Delivery) -> str:
    """Where Twilio tells what became of this very delivery, even when its answer to us was lost."""
    return f"{settings.PUBLIC_BASE_URL}/webhooks/twilio/status/{delivery.pk}"


def send(delivery: Delivery) -> str:
    """Hand the message to Twilio; returns its MessageSid. Raises TryLater, Undeliverable or Unknown."""
    try:
        message = _client().messages.create(
            to=delivery.to,
            from_=settings.SMS_FROM,
            body=delivery.body[:BODY_CHARACTERS],
            status_callback=status_url(delivery),
            validity_period=VALIDITY_SECONDS,
        )
    except TwilioRestException as error:
        raise _outcome(error) from error
    except requests.ConnectTimeout as error:
        raise TryLater("connect time-out") from error
    except requests.ReadTimeout as error:
        raise Unknown("read time-out") from error
    except requests.ConnectionError as error:
        # Refused before a byte was sent is certain; a connection that broke later is not.
        raise (TryLater("refused") if "refused" in str(error) else Unknown("connection broke")) from error
    except (requests.RequestException, TwilioException) as error:
        raise Unknown(type(error).__name__) from error
    return str(message.sid)


def _outcome(error: TwilioRestException) -> Exception:
    name = f"twilio {error.code or error.status}"
    if error.code in ADDRESS_IS_DEAD:
        return Undeliverable(name, address_is_dead=True)
    if error.code in OURS_TO_FIX:
        return Undeliverable(name, is_ours=True)
    if error.code in TRANSIENT or error.status == 429:
        return TryLater(name)
    if error.status >= 500:
        return Unknown(name)  # a gateway's 5xx may come after the message was taken
    return Undeliverable(name)


def look_up(delivery: Delivery) -> str | None:
    """The MessageSid under which Twilio has this message; None when it does not know it. Raises TryLater.

    Matched by recipient, text and time; a sid that another delivery owns already is not this one.
    """
    since = (delivery.attempted_at or delivery.created_at) - LOOK_BACK
    try:
        found = _client().messages.list(to=delivery.to, date_sent_after=since, limit=100)
    except (TwilioException, requests.RequestException) as error:
        raise TryLater(type(error).__name__) from error
    sids = [str(row.sid) for row in found if row.body == delivery.body[:BODY_CHARACTERS]]
    taken = set(Delivery.objects.filter(channel="sms", provider_id__in=sids).values_list("provider_id", flat=True))
    return next((sid for sid in reversed(sids) if sid not in taken), None)
