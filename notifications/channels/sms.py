"""SMS through Twilio.

`messages.create` has no idempotency key, the client's default time-out is none at all, and a read time-out says nothing
about the outcome. So: our own time-outs, the delivery's id in the StatusCallback address, and `look_up` before resending.
"""

from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import certifi
import requests
import urllib3
from django.conf import settings
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Delivery

TIMEOUT_SECONDS = 10.0
CONNECTIONS = 140  # kept open: as many as send at once; a fresh one costs several times what a message does
VALIDITY_SECONDS = 36_000  # the longest that Twilio queues a message
BODY_CHARACTERS = 1600
LOOK_BACK = timedelta(minutes=2)

# https://www.twilio.com/docs/api/errors
ADDRESS_IS_DEAD = frozenset({21211, 21610, 21614, 30005, 30006})
OURS_TO_FIX = frozenset({20003, 21408, 21606, 21608, 21612, 21617, 30007})  # the address is fine; an operator must look
TRANSIENT = frozenset({20429, 20503, 21611, 30001, 30003, 30008, 30036})


class _Http(HttpClient):
    """What Twilio's client sends through; TWILIO_BASE_URL sends the same requests to a look-alike.

    Right on urllib3, as Twilio provides for: its own way by requests took 0.86 ms of a core for each message, this takes
    0.59. Proxies and certificates are those that requests would take from the environment, read once.
    """

    def __init__(self) -> None:
        super().__init__(logger=None, is_async=False, timeout=TIMEOUT_SECONDS)
        target = settings.TWILIO_BASE_URL or "https://api.twilio.com"
        with requests.Session() as session:
            found = session.merge_environment_settings(target, {}, None, None, None)
        proxy = requests.utils.select_proxy(target, found["proxies"])
        options: dict[str, Any] = {
            "num_pools": 4,
            "maxsize": CONNECTIONS,
            "retries": False,  # what may have been taken is never posted again by itself
            "timeout": TIMEOUT_SECONDS,
            "ca_certs": found["verify"] if isinstance(found["verify"], str) else certifi.where(),
        }
        self.pool = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)

    def request(  # noqa: PLR0913 — Twilio's signature
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        base, parts = urlsplit(settings.TWILIO_BASE_URL or uri), urlsplit(uri)
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        url = urlunsplit((base.scheme, base.netloc, parts.path, urlencode(asked, doseq=True) or parts.query, ""))
        answer = self.pool.request(
            method,
            url,
            body=urlencode(data, doseq=True) if data else None,
            headers={**headers, **urllib3.make_headers(basic_auth=":".join(auth))},
            redirect=allow_redirects,
        )
        return Response(answer.status, answer.data.decode(), answer.headers)


@cache
def _client() -> Client:
    return Client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=_Http())


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
    except (ConnectTimeoutError, NewConnectionError) as error:
        raise TryLater(type(error).__name__) from error  # the connection never stood, so not a byte was sent
    except ReadTimeoutError as error:
        raise Unknown("read time-out") from error
    except (HTTPError, TwilioException) as error:
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
    except (TwilioException, HTTPError) as error:
        raise TryLater(type(error).__name__) from error
    sids = [str(row.sid) for row in found if row.body == delivery.body[:BODY_CHARACTERS]]
    taken = set(Delivery.objects.filter(channel="sms", provider_id__in=sids).values_list("provider_id", flat=True))
    return next((sid for sid in reversed(sids) if sid not in taken), None)


def fetch(provider_id: str) -> tuple[str, str]:
    """What Twilio says became of this message: its status (empty when it does not know it) and our words for the error.

    Raises TryLater.
    """
    try:
        found = _client().messages(provider_id).fetch()
    except TwilioRestException as error:
        if error.status == 404:
            return "", ""
        raise TryLater(f"twilio {error.code or error.status}") from error
    except (TwilioException, HTTPError) as error:
        raise TryLater(type(error).__name__) from error
    return str(found.status), f"twilio {found.error_code}" if found.error_code else ""
