"""Push through Firebase (FCM), with the traps of its client cured.

The client repeats requests by itself: a 429 with Retry-After holds its thread for minutes, and a read time-out is posted
again. So: no hidden retries and our own time-out; the queue tries again. What is sent again carries the same collapse key
and tag, so a phone shows it once. A push holds ids and a title, never what somebody wrote: it crosses Google and Apple
and lies on a lock screen.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any
from uuid import uuid4

import firebase_admin
import requests
from django.conf import settings
from firebase_admin import credentials, exceptions, messaging
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from requests.adapters import HTTPAdapter

from notifications import devices, troubles
from notifications.channels import TryLater, Undeliverable, Unknown
from notifications.models import Channel, Delivery, Device, Notification

TIMEOUT_SECONDS = 10.0
CONNECTIONS = 32
PAYLOAD_BYTES = 4096
TITLE_CHARACTERS = 160
LIFETIME = timedelta(hours=12)  # how long a phone without network may still get it; by then the plan has gone on
SANDBOX_PROJECT = "sandbox"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ACTIONS = {"offer": "accept,decline"}  # by category; an iOS app registers the category with these buttons


@cache
def _app() -> firebase_admin.App:
    """Our Firebase app; FCM_BASE_URL sends the same requests to a look-alike."""
    options: dict[str, Any] = {"httpTimeout": TIMEOUT_SECONDS}
    if not settings.FIREBASE_IS_REAL:
        options["projectId"] = SANDBOX_PROJECT
    app = firebase_admin.initialize_app(_credential(), options, name=f"push-{uuid4()}")
    service = messaging._get_messaging_service(app)
    if settings.FCM_BASE_URL:
        service._fcm_url = f"{settings.FCM_BASE_URL}/v1/projects/{app.project_id}/messages:send"
    session = service._client.session
    for part in (session, session._auth_request.session):  # the second one fetches Google's access token
        # The longer prefix is what the client mounted its own retries under.
        for prefix in ("https://fcm.googleapis.com", "https://", "http://"):
            part.mount(prefix, HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0))
    return app


def _credential() -> Any:
    if settings.FIREBASE_CREDENTIALS:
        return credentials.Certificate(settings.FIREBASE_CREDENTIALS)
    if settings.GOOGLE_APPLICATION_CREDENTIALS:
        return credentials.ApplicationDefault()
    return AnonymousCredentials()  # type: ignore[no-untyped-call]


def send(delivery: Delivery) -> str:
    """Hand the push to Firebase; returns its message name. Raises TryLater, Undeliverable or Unknown."""
    return prepare(delivery)()


def prepare(delivery: Delivery) -> Callable[[], str]:
    """What the database has to say first: the phone and the words. The rest asks Firebase only. Raises Undeliverable."""
    device = Device.objects.filter(pk=delivery.to, dead_at__isnull=True).first()
    if device is None or device.person_id != delivery.person_id:
        raise Undeliverable("device gone")  # signed out, in other hands, or dead since
    if troubles.is_blocked(Channel.PUSH):
        raise Undeliverable("push paused")
    return partial(_hand_over, compose(delivery, device), delivery, device)


def _hand_over(message: messaging.Message, delivery: Delivery, device: Device) -> str:
    try:
        return str(messaging.send(message, app=_app()))
    except exceptions.FirebaseError as error:
        raise _outcome(error, delivery, device) from error
    except TransportError as error:  # Google's access token could not be fetched, so nothing was sent
        raise TryLater("google unreachable") from error
    except GoogleAuthError as error:
        raise Undeliverable("our credentials", then=_tell("push:credentials", error)) from error


def _tell(key: str, error: Exception) -> Callable[[], None]:
    return partial(troubles.report, Channel.PUSH, key, str(error))


# --- what is sent ----------------------------------------------------------------------------------------------------


def compose(delivery: Delivery, device: Device) -> messaging.Message:
    """The message as it leaves. Every value of `data` is a string: one that is not fails at Firebase."""
    told = delivery.notification
    if told is None:
        raise Undeliverable("nothing to tell")
    badge = unread(told.person_id)
    message = messaging.Message(
        notification=messaging.Notification(title=delivery.subject[:TITLE_CHARACTERS]),
        data={**_data(told), "badge": str(badge), "delivery": str(delivery.pk)},
        android=_android(told, badge),
        apns=_apns(told, delivery, badge),
    )
    # Set afterwards: as an argument a token warns, and silencing warnings is not safe in threads.
    setattr(message, device.kind, device.address)
    if len(json.dumps(messaging._MessagingService.encode_message(message), ensure_ascii=False).encode()) > PAYLOAD_BYTES:
        raise Undeliverable("too large")
    return message


def unread(person_id: Any) -> int:
    """What the app's icon shows: how much of the inbox is unread."""
    return Notification.objects.filter(person_id=person_id, read_at__isnull=True).count()


def collapse_key(told: Notification) -> str:
    """One visible message per subject: a reminder takes the offer's place, and the same sent twice is seen once.

    At most 64 bytes (Apple). For a phone that is off Firebase keeps four keys; the inbox and the next link hold the rest.
    """
    return (told.subject_key or str(told.pk))[:64]


def deep_link(told: Notification) -> str:
    """Where the app goes: `ceo-app://assignment/<id>`, what it is about, or the line in the inbox."""
    return f"ceo-app://{(told.item or told.subject_key or f'inbox:{told.pk}').replace(':', '/', 1)}"


def _data(told: Notification) -> dict[str, str]:
    values = {
        "notification": str(told.pk),
        "event": told.event,
        "subject": told.subject_key,
        "item": told.item,
        "link": deep_link(told),
        "category": told.category,
        "actions": ACTIONS.get(told.category, ""),
    }
    return {name: value for name, value in values.items() if value}


def _android(told: Notification, badge: int) -> messaging.AndroidConfig:
    key = collapse_key(told)
    return messaging.AndroidConfig(
        collapse_key=key,
        priority="high" if told.is_urgent or told.item else "normal",
        ttl=LIFETIME,
        notification=messaging.AndroidNotification(tag=key, notification_count=badge, visibility="private"),
    )


def _apns(told: Notification, delivery: Delivery, badge: int) -> messaging.APNSConfig:
    key = collapse_key(told)
    headers = {
        "apns-collapse-id": key,
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(int((delivery.created_at + LIFETIME).timestamp())),
    }
    aps = messaging.Aps(badge=badge, sound="default", category=told.category or None, thread_id=key)
    return messaging.APNSConfig(headers=headers, payload=messaging.APNSPayload(aps=aps))


# --- what came back --------------------------------------------------------------------------------------------------


def _is_dead(error: exceptions.FirebaseError) -> bool:
    """Whether Firebase says that this address will never work. A plain 404 or 403 is our project's error, not a phone's."""
    if isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError):
        return True
    if not isinstance(error, exceptions.InvalidArgumentError):
        return False
    details = _details(error)
    named = any(detail.get("@type") == FCM_ERROR for detail in details)
    return named and not any(detail.get("@type") == BAD_REQUEST and detail.get("fieldViolations") for detail in details)


def _details(error: exceptions.FirebaseError) -> list[dict[str, Any]]:
    if error.http_response is None:
        return []
    try:
        found = error.http_response.json()["error"]["details"]
    except (ValueError, KeyError, TypeError):
        return []
    return [detail for detail in found if isinstance(detail, dict)] if isinstance(found, list) else []


def _outcome(error: exceptions.FirebaseError, delivery: Delivery, device: Device) -> Exception:
    name = type(error).__name__.removesuffix("Error")
    if _is_dead(error):
        return Undeliverable(f"{devices.DEAD_ERROR}: {name}", then=partial(devices.died, delivery.pk, device))
    if isinstance(error, messaging.ThirdPartyAuthError):
        return Undeliverable(name, then=_tell(f"push:third_party_auth:{device.platform}", error))
    if isinstance(error, exceptions.ResourceExhaustedError):  # QuotaExceededError is one
        return TryLater(name, wait_seconds=_retry_after(error))
    if isinstance(error, exceptions.UnavailableError | exceptions.InternalError | exceptions.DeadlineExceededError):
        return _transient(error, name)
    if isinstance(error, exceptions.UnknownError):
        return Unknown(name)
    # Our project, our key or our message: the phone is fine.
    return Undeliverable(name, then=_tell(f"push:{name}", error))


def _transient(error: exceptions.FirebaseError, name: str) -> Exception:
    """Nothing was taken when the connection never stood, or when Firebase says 503."""
    never_stood = isinstance(error.cause, requests.ConnectTimeout) or "refused" in str(error.cause)
    if never_stood or (error.http_response is not None and error.http_response.status_code == 503):
        return TryLater(name, wait_seconds=_retry_after(error))
    return Unknown(name)


def _retry_after(error: exceptions.FirebaseError) -> float:
    """Seconds that Firebase asks to wait; 0 when it names none, or a date."""
    value = error.http_response.headers.get("Retry-After", "") if error.http_response is not None else ""
    return float(value) if value.isdecimal() and len(value) <= 5 else 0.0
