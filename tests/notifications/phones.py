"""Phones with the app: put on them, signed in, registered, and broken in all ways that Firebase knows."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client

from backend import clock
from notifications.models import Delivery, Device, Notification
from notifications.notify import notify
from people.models import Person
from sandbox import fcm
from sandbox.models import App, Letter, Switch
from tests.conftest import api


@dataclass
class Phone:
    """The app of `who`, signed in and registered."""

    who: Person
    client: Client
    token: str
    id: uuid.UUID

    def register(self, **changes: Any) -> Any:
        return put(self.client, self.id, **{"token": self.token, **changes})

    @property
    def row(self) -> Device:
        return Device.objects.get(pk=self.id)

    @property
    def pushes(self) -> list[Letter]:
        """What this phone shows, oldest first."""
        return list(Letter.objects.filter(channel="push", other=self.token).exclude(status="replaced").order_by("id"))

    def remove_app(self) -> None:
        App.objects.filter(token=self.token).update(removed_at=clock.real())


def put(client: Client, device_id: uuid.UUID, **body: Any) -> Any:
    whole = {"platform": "android", "app_version": "1.0", "locale": "nl-NL", **body}
    return client.put(f"/api/v1/devices/{device_id}", whole, "application/json")


def phone(who: Person, *, client: Client | None = None, platform: str = "android") -> Phone:
    token = f"{uuid.uuid4().hex}:APA91b{uuid.uuid4().hex}"
    App.objects.create(token=token, number=who.mobile or who.employee_number, installed_at=clock.real())
    made = Phone(who, client or api(who), token, uuid.uuid4())
    assert made.register(platform=platform).status_code == 200
    return made


def trouble(kind: str) -> None:
    """What is wrong with Firebase from now on; empty for nothing."""
    assert kind in {"", *fcm.TROUBLES}
    Switch.objects.update_or_create(provider="fcm", defaults={"trouble": kind})


def tell(who: Person, key: str = "k", **fields: Any) -> Notification:
    words = {"title": "Vraag Q-7F3K: Rekening", "body": "De hele tekst", "sms": "Korte tekst"}
    return notify(who, key=key, event="test", **{**words, **fields})


def deliveries(told: Notification) -> dict[str, str]:
    """State by channel."""
    return dict(Delivery.objects.filter(notification=told).values_list("channel", "state"))


def due_now() -> None:
    """The pauses before another attempt are over."""
    Delivery.objects.filter(state="due").update(due_at=clock.real() - timedelta(seconds=1))
