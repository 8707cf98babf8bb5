"""Who works here, when they work and when they are away. People come from HR; nobody signs up."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from backend import clock, rows
from backend.ids import uuid7
from notifications import addresses

DAY_MINUTES = 24 * 60


class Role(models.TextChoices):
    EMPLOYEE = "employee"
    EXPERT = "expert"
    DUTY_DESK = "duty_desk"
    TOPIC_LEAD = "topic_lead"
    PROGRAMME_MANAGER = "programme_manager"
    ADMINISTRATOR = "administrator"


BACK_OFFICE = frozenset({Role.DUTY_DESK, Role.PROGRAMME_MANAGER, Role.ADMINISTRATOR})


class Language(models.TextChoices):
    NL = "nl", "Nederlands"
    EN = "en", "English"


def check_time_zone(value: str) -> None:
    """Raises ValidationError unless `value` is an IANA time zone."""
    if value not in available_timezones():
        raise ValidationError(f"{value!r} is not an IANA time zone")


class Team(models.Model):
    name = models.CharField(max_length=80, unique=True)

    def __str__(self) -> str:
        return self.name


class PersonManager(BaseUserManager["Person"]):
    def present(self, on: date | None = None) -> "models.QuerySet[Person]":
        """Those who have not left."""
        on = on or timezone.localtime(clock.now()).date()  # the company's day, not Greenwich's
        return self.filter(Q(left_on__isnull=True) | Q(left_on__gt=on))

    def here(self, at: datetime) -> "models.QuerySet[Person]":
        """Those who have not left and are not away at this moment."""
        away = Absence.objects.filter(starts_at__lte=at, ends_at__gt=at)
        return self.present(timezone.localtime(at).date()).exclude(pk__in=away.values("person"))


class Person(AbstractBaseUser):
    """An employee or contractor known from HR. Signs in with a one-time code, never with a password."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    employee_number = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=120)
    email = models.EmailField(null=True, blank=True)
    mobile = models.CharField(max_length=16, null=True, blank=True)  # E.164
    language = models.CharField(max_length=2, choices=Language, default=Language.NL)
    time_zone = models.CharField(max_length=40, default="Europe/Amsterdam", validators=[check_time_zone])
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="people")
    roles = ArrayField(models.CharField(max_length=20, choices=Role), default=list, blank=True)
    joined_on = models.DateField(null=True, blank=True)
    left_on = models.DateField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True, editable=False)  # when their access and their work ended
    # What colleagues see of me beside name, team and topics: nothing unless I say so myself.
    # What HR's file said last. A number, mail address or language that the person changed since then stays theirs until
    # HR's file says something else than it did.
    in_hr = models.JSONField(default=dict, blank=True, editable=False)
    shows_contact = models.BooleanField(default=False)
    shows_badges = models.BooleanField(default=False)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "employee_number"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        verbose_name_plural = "people"
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="person_email"),
            models.UniqueConstraint(fields=["mobile"], name="person_mobile"),
            models.CheckConstraint(condition=Q(roles__contained_by=Role.values), name="person_roles"),
            models.CheckConstraint(condition=Q(language__in=Language.values), name="person_language"),
        ]
        indexes: ClassVar = [models.Index(Lower("name"), "id", name="person_by_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Contact points follow HR's record at once, whoever changed it (import, back office, a test)."""
        self.email, self.mobile = (self.email or "").lower() or None, self.mobile or None
        super().save(*args, **kwargs)
        if not {"email", "mobile"}.isdisjoint(kwargs.get("update_fields") or {"email"}):
            addresses.register(self.pk, email=self.email, sms=self.mobile)

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.first_name

    @property
    def first_name(self) -> str:
        return self.name.split(" ")[0]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """False from the day they leave; Django and allauth refuse the sign-in then."""
        return self.left_on is None or self.left_on > clock.now().astimezone(self.zone).date()

    def has_role(self, *roles: str) -> bool:
        return not set(self.roles).isdisjoint(roles)

    # What Django's back office asks of a user:
    @property
    def is_staff(self) -> bool:
        return self.is_active and self.has_role(*BACK_OFFICE)

    @property
    def is_superuser(self) -> bool:
        return self.is_active and self.has_role(Role.ADMINISTRATOR)

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Administrators may everything; the rest of the back office may look."""
        return self.is_superuser or (self.is_staff and ".view_" in perm)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff


class WorkingHours(models.Model):
    """One slot of a person's week, in minutes from the weekday's local midnight. Past 1440 it runs into the next day."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="working_hours")
    weekday = models.PositiveSmallIntegerField()  # 0 is Monday
    starts_minute = models.PositiveSmallIntegerField()
    ends_minute = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name_plural = "working hours"
        ordering: ClassVar = ["weekday", "starts_minute"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "weekday", "starts_minute"], name="workinghours_once"),
            models.CheckConstraint(
                condition=Q(weekday__lte=6)
                & Q(starts_minute__lt=DAY_MINUTES)
                & Q(ends_minute__gt=F("starts_minute"))
                & Q(ends_minute__lte=F("starts_minute") + DAY_MINUTES),
                name="workinghours_slot",
            ),
        ]

    def __str__(self) -> str:
        clock_time = "{:02}:{:02}-{:02}:{:02}"
        return f"{self.weekday} " + clock_time.format(*divmod(self.starts_minute, 60), *divmod(self.ends_minute, 60))


class Absence(models.Model):
    """Away from `starts_at` up to `ends_at`. Why is nobody's business and not stored."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="absences")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    stand_in = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="stands_in_for")
    begun_at = models.DateTimeField(null=True, blank=True, editable=False)  # when what the person held was moved
    over_at = models.DateTimeField(null=True, blank=True, editable=False)  # when they were looked for after it

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["person", "ends_at"], name="absence_person"),
            models.Index(fields=["starts_at"], condition=Q(begun_at__isnull=True), name="absence_to_begin"),
            models.Index(fields=["ends_at"], condition=Q(over_at__isnull=True), name="absence_to_end"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="absence_ends_after_start"),
            models.CheckConstraint(
                condition=Q(stand_in__isnull=True) | ~Q(stand_in=F("person")), name="absence_stand_in_is_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.starts_at:%Y-%m-%d}–{self.ends_at:%Y-%m-%d}"


class JoinCode(models.Model):
    """What HR hands to somebody on paper: who texts it from a phone has shown whose phone that is. Once, for 30 days.

    Only a keyed hash is kept. Used and expired codes stay, so that the same file again does not wake them.
    """

    person = models.ForeignKey(Person, models.CASCADE, related_name="join_codes")
    digest = models.BinaryField(unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)  # or taken back, because a newer one was made

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person"], condition=Q(used_at__isnull=True), name="joincode_one_each")
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.created_at:%Y-%m-%d}"


class AddressClaim(models.Model):
    """Somebody wrote from a new number or address that they are this person: true once the person says so elsewhere."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(Person, models.CASCADE, related_name="address_claims")
    channel = models.CharField(max_length=8)
    value = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    is_confirmed = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["person", "-created_at"], name="addressclaim_person"),
            models.Index(fields=["expires_at"], condition=Q(decided_at__isnull=True), name="addressclaim_open"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(channel__in=["email", "sms"]), name="addressclaim_channel"),
            models.UniqueConstraint(
                fields=["person", "channel", "value"],
                condition=Q(decided_at__isnull=True),
                name="addressclaim_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.channel}"

    @property
    def item(self) -> str:
        return f"address:{self.pk}"


class AccessToken(models.Model):
    """One sign-in of an app, which shows it as `Authorization: Bearer …`. Only the token's SHA-256 is kept: reading this
    table opens nothing."""

    USE_NOTED_EVERY = timedelta(hours=1)

    person = models.ForeignKey(Person, models.CASCADE, related_name="access_tokens")
    public_id = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)  # what the API calls the session
    digest = models.BinaryField(unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)  # to the hour: a write at each request would be dear
    proved_at = models.DateTimeField(null=True, blank=True)  # last time that who holds the app proved to be the person

    def __str__(self) -> str:
        return f"{self.person} {self.created_at:%Y-%m-%d}"

    @classmethod
    def issue(cls, person: Person, user_agent: str = "") -> str:
        """A fresh token for `person`, valid for ACCESS_TOKEN_DAYS. Shown once, never again."""
        return cls.issue_row(person, user_agent)[1]

    @classmethod
    def issue_row(cls, person: Person, user_agent: str = "") -> tuple[Self, str]:
        """The row of a fresh token, and the token."""
        token = secrets.token_urlsafe(32)
        at = clock.real()
        row = cls.objects.create(
            person=person,
            digest=cls.digest_of(token),
            created_at=at,
            expires_at=at + timedelta(days=settings.ACCESS_TOKEN_DAYS),
            user_agent=user_agent[:200],
            used_at=at,
            proved_at=at,
        )
        return row, token

    def note_use(self, at: datetime) -> None:
        """It was used at `at`. Writes once an hour at most."""
        if self.used_at is None or self.used_at <= at - self.USE_NOTED_EVERY:
            AccessToken.objects.filter(pk=self.pk).update(used_at=at)

    @staticmethod
    def digest_of(token: str) -> bytes:
        """SHA-256 and not a password hash: the token is random already, and this runs in every request."""
        return hashlib.sha256(token.encode()).digest()

    @classmethod
    def living(cls, pks: Sequence[int], at: datetime) -> set[int]:
        """Those of these tokens that still work, in one query."""
        here = Person.objects.present(timezone.localtime(at).date())
        rows = cls.objects.filter(pk__in=pks, expires_at__gt=at, revoked_at__isnull=True, person__in=here)
        return set(rows.values_list("pk", flat=True))

    @classmethod
    def find(cls, token: str, at: datetime) -> "AccessToken | None":
        """The live token with its person, in one query; None when unknown, expired, revoked or its person has left."""
        found = rows.first(TOKEN, LIVE_TOKEN, [cls.digest_of(token), at], person=PERSON)
        return found if found and found.person.is_active else None


TOKEN, PERSON = rows.part(AccessToken), rows.part(Person)
LIVE_TOKEN = f"""
SELECT {TOKEN.columns}, {PERSON.columns} FROM people_accesstoken
JOIN people_person ON people_person.id = people_accesstoken.person_id
WHERE digest = %s AND expires_at > %s AND revoked_at IS NULL
"""  # noqa: S608 — our own columns


class StepUpCode(models.Model):
    """A code with which somebody who is signed in proves anew who they are; one for each sign-in, the newest.

    Only a keyed hash is kept: who reads the table cannot try all codes.
    """

    TRIES_MAX = 3

    token = models.OneToOneField(AccessToken, models.CASCADE, related_name="step_up_code")
    digest = models.BinaryField()
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(tries__lte=3), name="stepupcode_tries")]

    def __str__(self) -> str:
        return str(self.token)


class GroundRules(models.Model):
    """One version of "what may I say". A version that somebody has read is not changed: a new one takes its place."""

    version = models.PositiveIntegerField(primary_key=True)
    text_nl = models.TextField(max_length=20_000)
    text_en = models.TextField(max_length=20_000)
    published_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ground rules"
        ordering: ClassVar = ["-version"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(version__gte=1), name="ground_rules_version")]

    def __str__(self) -> str:
        return f"version {self.version}"

    def text(self, language: str) -> str:
        return self.text_en if language == "en" else self.text_nl


class GroundRulesAcceptance(models.Model):
    """This person has read this version."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="+")
    rules = models.ForeignKey(GroundRules, models.PROTECT, related_name="acceptances")
    accepted_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "rules"], name="ground_rules_accepted_once")]

    def __str__(self) -> str:
        return f"{self.person} {self.rules}"
