"""Where people can be reached: addresses and phones, what they chose, and what they stopped."""

from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from backend import clock

NUMBER_KEPT = timedelta(days=42)  # Dutch carriers give no number to somebody else before


class Channel(models.TextChoices):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Address(models.Model):
    """Where a person can be reached, and from where a message counts as theirs. One owner at a time."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="addresses")
    channel = models.CharField(max_length=8, choices=Channel)
    value = models.CharField(max_length=254)  # lower-case mail address, or E.164
    stopped_at = models.DateTimeField(null=True, blank=True)  # STOP received, or the provider said it is dead
    # Whose it is since when: what was written before was written by whoever had it then. Null: for as long as we know.
    since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("channel", Lower("value"), name="address_has_one_owner"),
            models.UniqueConstraint(fields=["person", "channel"], name="address_one_per_channel"),
            models.CheckConstraint(condition=Q(channel__in=["email", "sms"]), name="address_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}:{self.value}"

    @property
    def is_doubtful(self) -> bool:
        """Silent for so long that the carrier may have given the number to somebody else: its texts prove nothing."""
        is_number = self.channel == Channel.SMS
        return is_number and self.stopped_at is not None and self.stopped_at <= clock.now() - NUMBER_KEPT


class StopRecord(models.Model):
    """One STOP or START of an address, as it came: proof of what somebody asked for. Append-only (a trigger)."""

    class Source(models.TextChoices):
        WEBHOOK = "webhook"  # the person texted it to us
        PROVIDER = "provider"  # the provider refused to send: it knows a STOP, or that the address is dead

    channel = models.CharField(max_length=8, choices=Channel)
    address = models.CharField(max_length=254)
    person_id = models.UUIDField(null=True, blank=True)  # whose it was then; no foreign key: the proof outlives them
    word = models.CharField(max_length=40)  # "STOP", "START", or the provider's error: "twilio 21610"
    source = models.CharField(max_length=8, choices=Source)
    starts = models.BooleanField(default=False)  # True: messages may go there again
    under_way = models.PositiveSmallIntegerField(default=0)  # taken by a worker at that moment: these may still arrive
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["channel", "address", "-at"], name="stoprecord_address")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(source__in=["webhook", "provider"]), name="stoprecord_source")
        ]

    def __str__(self) -> str:
        return f"{self.word} {self.address}"


class Preference(models.Model):
    """What a person chose about being told things. No row: everything as the company has it."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preference")
    has_own_quiet = models.BooleanField(default=False)  # False: the company's quiet hours
    quiet_starts = models.TimeField(null=True, blank=True)  # wall clock in the person's zone; both empty: no quiet hours
    quiet_ends = models.TimeField(null=True, blank=True)
    silent_until = models.DateTimeField(null=True, blank=True)  # once, besides the quiet hours
    chains = models.JSONField(default=dict, blank=True)  # {event, or "" for all: [channels in the order wished]}
    events_off = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    mails_off = ArrayField(models.CharField(max_length=60), default=list, blank=True)  # these events send no mail
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(quiet_starts__isnull=True, quiet_ends__isnull=True)
                | (Q(quiet_starts__isnull=False, quiet_ends__isnull=False) & ~Q(quiet_starts=F("quiet_ends"))),
                name="preference_quiet_hours",
            )
        ]

    def __str__(self) -> str:
        return str(self.person_id)


class Device(models.Model):
    """An app on somebody's phone. Firebase's address of it has one owner: whoever used the app last."""

    class Kind(models.TextChoices):
        TOKEN = "token"  # noqa: S105 — a kind, not a secret
        FID = "fid"  # what Firebase wants instead of tokens since its 7.5

    class Platform(models.TextChoices):
        IOS = "ios"
        ANDROID = "android"

    id = models.UUIDField(primary_key=True, editable=False)  # made by the app, once for each installation
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="devices")
    kind = models.CharField(max_length=5, choices=Kind)
    address = models.CharField(max_length=1024)
    platform = models.CharField(max_length=7, choices=Platform)
    app_version = models.CharField(max_length=40)
    locale = models.CharField(max_length=35)
    session_key = models.CharField(max_length=40, blank=True)  # the sign-in that registered it and takes it along
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    dead_at = models.DateTimeField(null=True, blank=True)  # Firebase said that nothing reaches it any more

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["person", "-last_seen_at"], name="device_person"),
            models.Index(fields=["session_key"], name="device_session"),
            models.Index(fields=["last_seen_at"], name="device_unseen"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "address"], name="device_address_has_one_owner"),
            models.CheckConstraint(condition=Q(kind__in=["token", "fid"]) & ~Q(address=""), name="device_kind"),
            models.CheckConstraint(condition=Q(platform__in=["ios", "android"]), name="device_platform"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} {self.app_version}"
