"""The question and everything that happens to it. States change only through the named moves below.

A move is one UPDATE that names the states it leaves; it returns False when somebody else was first. The CheckConstraints
are its pair: what no move may produce, the database refuses.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField, HnswIndex

from backend import clock
from backend.ids import uuid7
from people.models import check_time_zone

TEXT_CHARACTERS = 4000
ANSWER_CHARACTERS = 8000
DEFAULT_CAPACITY = 5
EMBEDDING = 512  # numbers that the sentence encoder makes of a text
HOPS_MAX = 5  # offers one after another until the desk gets it


class Calendar(models.Model):
    """When the company works, for promises that count working hours."""

    name = models.CharField(max_length=80, unique=True)
    time_zone = models.CharField(max_length=40, default="Europe/Amsterdam", validators=[check_time_zone])
    country = models.CharField(max_length=2, default="NL", blank=True)  # whose national holidays are closed; "" for none
    subdivision = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return self.name


class CalendarSlot(models.Model):
    """Opening time on one weekday, in minutes from its local midnight; past 1440 it runs into the next day."""

    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="slots")
    weekday = models.PositiveSmallIntegerField()  # 0 is Monday
    starts_minute = models.PositiveSmallIntegerField()
    ends_minute = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar = ["weekday", "starts_minute"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(weekday__lte=6)
                & Q(starts_minute__lt=1440)
                & Q(ends_minute__gt=F("starts_minute"))
                & Q(ends_minute__lte=F("starts_minute") + 1440),
                name="calendarslot_slot",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.starts_minute}-{self.ends_minute}"


class Closure(models.Model):
    """Local days on which the company is closed, the last one included."""

    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="closures")
    first_day = models.DateField()
    last_day = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="closure_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.first_day}–{self.last_day}"


class Topic(models.Model):
    """What questions are about: who knows it, who leads it, what it promises."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    mail_key = models.SlugField(max_length=40, unique=True)  # <mail_key>@MAIL_DOMAIN asks a question on this topic
    name_nl = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    description_nl = models.TextField(blank=True)
    description_en = models.TextField(blank=True)
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="leads")
    promise_hours = models.PositiveSmallIntegerField(default=24, validators=[MinValueValidator(1)])
    calendar = models.ForeignKey(
        Calendar, models.PROTECT, null=True, blank=True, related_name="topics", verbose_name=_("working hours of")
    )  # the hours are its working hours; without one they are elapsed hours
    needs_approval = models.BooleanField(default=False)  # a second pair of eyes before an answer leaves
    expected_at = models.DateTimeField(null=True, blank=True)  # when somebody who asks at `forecast_at` has an answer …
    expected_by_desk_at = models.DateTimeField(null=True, blank=True)  # … and when the desk must find the topic first
    forecast_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(promise_hours__gte=1), name="topic_promise_hours")]

    def __str__(self) -> str:
        return self.name_nl

    def name(self, language: str) -> str:
        return self.name_en if language == "en" else self.name_nl


class TopicExample(models.Model):
    """A question that belongs to a topic: what the choice of a topic learns from."""

    class Source(models.TextChoices):
        GIVEN = "given"  # written by the topic's lead
        DESK = "desk"  # the duty desk's choice in triage
        ANSWERED = "answered"  # an expert of the topic answered it
        DECLINED = "declined"  # an expert said: not my topic

    topic = models.ForeignKey(Topic, models.CASCADE, related_name="examples")
    language = models.CharField(max_length=2)
    text = models.TextField()
    source = models.CharField(max_length=10, choices=Source, default=Source.GIVEN)
    is_counter_example = models.BooleanField(default=False)  # "this is not about the topic" counts against it

    def __str__(self) -> str:
        return self.text[:60]


class TopicModel(models.Model):
    """One trained version of what chooses topics. The newest active one is used; the one before is kept to fall back on."""

    version = models.BigAutoField(primary_key=True)
    trained_at = models.DateTimeField()
    labels_key = models.CharField(max_length=64)  # digest of what it learned from: unchanged labels train nothing
    data = models.BinaryField()
    examples = models.PositiveIntegerField()
    newest_example = models.BigIntegerField(default=0)  # examples up to this id are what the next run is compared on
    accuracy = models.FloatField()  # on held-out examples, 0 to 1
    previous_accuracy = models.FloatField(null=True, blank=True)  # of the model before, on the same held-out examples
    is_active = models.BooleanField(default=False)  # False: trained, but worse than the one before

    def __str__(self) -> str:
        return f"version {self.version}"


class Expertise(models.Model):
    """A person knows a topic. Level 1 can answer, 2 knows it well, 3 is who the others ask."""

    topic = models.ForeignKey(Topic, models.CASCADE, related_name="expertise")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="expertise")
    level = models.PositiveSmallIntegerField(default=1)

    class Meta:
        verbose_name_plural = "expertise"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["topic", "person"], name="expertise_once"),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=3), name="expertise_level"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.topic} · {self.level}"


class Workload(models.Model):
    """How much an expert holds. The CHECK is what keeps capacity under parallel workers."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="workload")
    open_count = models.PositiveSmallIntegerField(default=0)  # offered + accepted, waiting included
    capacity = models.PositiveSmallIntegerField(default=DEFAULT_CAPACITY)
    lower_to = models.PositiveSmallIntegerField(null=True, blank=True)  # capacity still to come down as places become free
    look_at = models.DateTimeField(null=True, blank=True)  # due row: there may be room, who waits for it?

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["look_at"], condition=Q(look_at__isnull=False), name="workload_look_due"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(open_count__gte=0, open_count__lte=F("capacity")), name="workload_within_capacity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.open_count} of {self.capacity}"

    @classmethod
    def set_capacity(cls, person: Any, capacity: int) -> None:
        """How much the person may hold. Less than they hold now takes effect as places become free."""
        cls.objects.get_or_create(person=person)
        lower_to = Case(When(open_count__gt=capacity, then=Value(capacity)), default=None)
        now = clock.now()
        cls.objects.filter(person=person).update(
            capacity=Greatest(F("open_count"), capacity), lower_to=lower_to, look_at=now
        )


class AnswerMode(models.TextChoices):
    VIA_ME = "via_me"
    DIRECT = "direct"


class Source(models.TextChoices):
    API = "api"
    SMS = "sms"
    EMAIL = "email"
    LINK = "link"  # the magic-link page
    DESK = "desk"


class Question(models.Model):
    """A friend's question, passed on by an employee (the asker)."""

    class State(models.TextChoices):
        RECEIVED = "received"
        ROUTING = "routing"
        TRIAGE = "triage"
        UNSTAFFED = "unstaffed"
        OFFERED = "offered"
        ACCEPTED = "accepted"
        WAITING_FOR_ASKER = "waiting_for_asker"
        PENDING_APPROVAL = "pending_approval"
        ANSWERED = "answered"
        RELAYED = "relayed"
        DELIVERED = "delivered"
        CLOSED = "closed"
        WITHDRAWN = "withdrawn"

    class CloseReason(models.TextChoices):
        HELPED = "helped"
        REUSED = "reused"
        NOT_A_QUESTION = "not_a_question"
        DUPLICATE = "duplicate"
        NO_REPLY = "no_reply"
        TIME_OUT = "time_out"

    class TopicChosenBy(models.TextChoices):
        NOBODY = ""
        EXAMPLES = "examples"
        ADDRESS = "address"  # the asker wrote to the topic's own address
        ASKER = "asker"
        DESK = "desk"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reference = models.CharField(max_length=12, unique=True)  # Q-7F3K
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="questions")
    text = models.TextField(max_length=TEXT_CHARACTERS)
    language = models.CharField(max_length=2)
    source = models.CharField(max_length=8, choices=Source)
    answer_mode = models.CharField(max_length=8, choices=AnswerMode, default=AnswerMode.VIA_ME)
    is_confidential = models.BooleanField(default=False)
    topic = models.ForeignKey(Topic, models.PROTECT, null=True, blank=True, related_name="questions")
    topic_confidence = models.FloatField(null=True, blank=True)  # 0 to 1
    topic_chosen_by = models.CharField(max_length=10, choices=TopicChosenBy, default="", blank=True)
    topic_guesses = ArrayField(models.UUIDField(), default=list, blank=True)  # the best three, for triage
    state = models.CharField(max_length=20, choices=State, default=State.RECEIVED)
    close_reason = models.CharField(max_length=20, choices=CloseReason, default="", blank=True)
    not_to = ArrayField(models.UUIDField(), default=list, blank=True)  # colleagues whom the asker excluded
    expected_at = models.DateTimeField(null=True, blank=True)  # the honest guess the asker was told at submission
    # The friend's page. Readable here on purpose: who reads this table reads the answer itself beside it.
    friend_key = models.CharField(max_length=32, unique=True)
    received_at = models.DateTimeField()  # when the message that carried it reached us, not when it was handled
    route_at = models.DateTimeField(null=True, blank=True)  # due row of routing; null when nothing is to be routed
    queued_at = models.DateTimeField(null=True, blank=True)  # since when it waits for a place: nobody overtakes it
    desk_due_at = models.DateTimeField(null=True, blank=True)  # due row: when the desk is told what waits for it
    desk_holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="desk_items"
    )  # who of the duty desk took it
    follow_up_at = models.DateTimeField(null=True, blank=True)  # due row: no reply to an ask-back, unrelayed answer
    follow_ups = models.PositiveSmallIntegerField(default=0)  # reminders sent for what `follow_up_at` waits for
    current_round = models.OneToOneField("Round", models.PROTECT, related_name="+")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["asker", "-received_at", "-id"], name="question_mine"),
            models.Index(fields=["route_at"], condition=Q(route_at__isnull=False), name="question_route_due"),
            models.Index(fields=["follow_up_at"], condition=Q(follow_up_at__isnull=False), name="question_follow_up_due"),
            models.Index(fields=["desk_due_at"], condition=Q(desk_due_at__isnull=False), name="question_desk_due"),
            models.Index(fields=["topic", "state"], condition=Q(route_at__isnull=False), name="question_waits"),
            models.Index(fields=["state", "-received_at"], name="question_state"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        *("received", "routing", "triage", "unstaffed", "offered", "accepted", "waiting_for_asker"),
                        *("pending_approval", "answered", "relayed", "delivered", "closed", "withdrawn"),
                    ]
                ),
                name="question_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="closed", close_reason__gt="") | (~Q(state="closed") & Q(close_reason="")),
                name="question_closed_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(topic__isnull=False) | ~Q(state__in=["offered", "accepted", "unstaffed"]),
                name="question_routed_has_a_topic",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    UNANSWERED: ClassVar = frozenset(
        {
            State.RECEIVED,
            State.ROUTING,
            State.TRIAGE,
            State.UNSTAFFED,
            State.OFFERED,
            State.ACCEPTED,
            State.WAITING_FOR_ASKER,
            State.PENDING_APPROVAL,
        }
    )
    WITH_AN_EXPERT: ClassVar = frozenset({State.OFFERED, State.ACCEPTED, State.WAITING_FOR_ASKER})
    ANSWER_OUT: ClassVar = frozenset({State.ANSWERED, State.RELAYED, State.DELIVERED})

    @property
    def is_unanswered(self) -> bool:
        return self.state in self.UNANSWERED

    @property
    def subject_key(self) -> str:
        return f"question:{self.pk}"

    @classmethod
    def locked(cls, pk: Any) -> "Question":
        """The question with its round, topic and people, locked: every move of it begins here. Raises DoesNotExist.

        Two statements: who waited for the lock in one with joins would see the joined rows as they were before.
        """
        cls.objects.select_for_update().only("pk").get(pk=pk)
        return cls.objects.select_related("current_round", "topic", "asker", "desk_holder").get(pk=pk)

    def _move(self, to: str, leaving: "frozenset[Question.State]", **fields: Any) -> bool:
        fields["state"] = to
        moved = type(self).objects.filter(pk=self.pk, state__in=leaving).update(**fields)
        if moved:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(moved)

    def mark_routing(self, topic: Topic | None, *, confidence: float | None, chosen_by: str, at: datetime) -> bool:
        leaving = frozenset({self.State.RECEIVED, self.State.ROUTING, self.State.TRIAGE, self.State.UNSTAFFED})
        return self._move(
            self.State.ROUTING,
            leaving,
            topic=topic,
            topic_confidence=confidence,
            topic_chosen_by=chosen_by,
            route_at=at,
            queued_at=None,
            desk_holder=None,
            desk_due_at=None,
        )

    def mark_triage(self, guesses: list[Any], desk_due_at: datetime) -> bool:
        leaving = frozenset({self.State.RECEIVED, self.State.ROUTING, self.State.UNSTAFFED})
        return self._move(
            self.State.TRIAGE, leaving, topic_guesses=guesses, route_at=None, queued_at=None, desk_due_at=desk_due_at
        )

    def mark_unstaffed(self, try_again_at: datetime | None) -> bool:
        """Nobody may or can have it; without a time only the desk moves it on."""
        leaving = frozenset({self.State.ROUTING, self.State.UNSTAFFED})
        return self._move(self.State.UNSTAFFED, leaving, route_at=try_again_at, queued_at=None)

    def mark_queued(self, since: datetime, try_again_at: datetime) -> bool:
        """Every expert is full: it stays in routing, keeps its place in the queue and is tried again."""
        leaving = frozenset({self.State.ROUTING, self.State.UNSTAFFED})
        return self._move(self.State.ROUTING, leaving, route_at=try_again_at, queued_at=self.queued_at or since)

    def mark_offered(self) -> bool:
        leaving = self.UNANSWERED - {self.State.PENDING_APPROVAL}
        return self._move(self.State.OFFERED, leaving, route_at=None, queued_at=None, desk_holder=None, desk_due_at=None)

    def mark_back_in_routing(self, at: datetime) -> bool:
        """The expert said no, handed it back, is gone, or let it lapse, and nobody else holds it."""
        return self._move(self.State.ROUTING, self.WITH_AN_EXPERT, route_at=at, queued_at=None, follow_up_at=None)

    def mark_with_others(self, to: str) -> bool:
        """One of several let go of it: it is as far as the furthest of the others, and nobody waits for the asker."""
        return self._move(to, self.WITH_AN_EXPERT, follow_up_at=None)

    def mark_back_in_triage(self, desk_due_at: datetime) -> bool:
        """The expert said that it is another topic."""
        return self._move(self.State.TRIAGE, self.WITH_AN_EXPERT, route_at=None, follow_up_at=None, desk_due_at=desk_due_at)

    def mark_accepted(self) -> bool:
        return self._move(self.State.ACCEPTED, frozenset({self.State.OFFERED, self.State.ACCEPTED}))

    def mark_waiting_for_asker(self, until: datetime) -> bool:
        leaving = frozenset({self.State.OFFERED, self.State.ACCEPTED})
        return self._move(self.State.WAITING_FOR_ASKER, leaving, follow_up_at=until)

    def mark_in_hands(self, state: str) -> bool:
        """Waited for the asker or for approval, and does so no longer: back to what its holders make of it."""
        leaving = frozenset({self.State.WAITING_FOR_ASKER, self.State.PENDING_APPROVAL})
        return self._move(state, leaving, follow_up_at=None)

    def mark_pending_approval(self) -> bool:
        leaving = self.UNANSWERED - {self.State.PENDING_APPROVAL}
        return self._move(self.State.PENDING_APPROVAL, leaving, route_at=None, queued_at=None, follow_up_at=None)

    def mark_answered(self, remind_at: datetime | None) -> bool:
        """`remind_at`: when the asker is reminded to pass the answer on; None when it goes straight to the friend."""
        return self._move(
            self.State.ANSWERED,
            self.UNANSWERED,
            route_at=None,
            queued_at=None,
            desk_due_at=None,
            follow_up_at=remind_at,
            follow_ups=0,
        )

    def mark_relayed(self, close_at: datetime) -> bool:
        return self._move(self.State.RELAYED, frozenset({self.State.ANSWERED}), follow_up_at=close_at)

    def mark_delivered(self, close_at: datetime) -> bool:
        return self._move(self.State.DELIVERED, frozenset({self.State.ANSWERED}), follow_up_at=close_at)

    def mark_closed(self, reason: str) -> bool:
        return self._move(self.State.CLOSED, self.ANSWER_OUT, close_reason=reason, follow_up_at=None)

    def mark_closed_unanswered(self, reason: str) -> bool:
        """Not a question, a duplicate, no reply to an ask-back: there is nothing to answer."""
        return self._move(
            self.State.CLOSED,
            self.UNANSWERED,
            close_reason=reason,
            route_at=None,
            queued_at=None,
            desk_due_at=None,
            follow_up_at=None,
        )

    def mark_withdrawn(self) -> bool:
        return self._move(
            self.State.WITHDRAWN, self.UNANSWERED, route_at=None, queued_at=None, desk_due_at=None, follow_up_at=None
        )

    def mark_reopened(self, new_round: "Round", at: datetime) -> bool:
        leaving = self.ANSWER_OUT | {self.State.CLOSED}
        return self._move(
            self.State.ROUTING,
            frozenset(leaving),
            close_reason="",
            current_round=new_round,
            route_at=at,
            follow_up_at=None,
            desk_holder=None,
        )

    def mark_taken(self, person: Any, *, instead_of: Any = None) -> bool:
        """One of the desk takes it, from nobody or from this colleague: two at once, one gets it."""
        free = type(self).objects.filter(pk=self.pk, state__in=self.UNANSWERED, desk_holder=instead_of)
        if not free.update(desk_holder=person, desk_due_at=None):
            return False
        self.desk_holder, self.desk_due_at = person, None
        return True

    def mark_put_back(self) -> bool:
        """Who of the desk had it lets go of it."""
        freed = type(self).objects.filter(pk=self.pk, desk_holder__isnull=False).update(desk_holder=None)
        self.desk_holder = None
        return bool(freed)


class Round(models.Model):
    """One promise. Reopening a question opens a new round and leaves the old verdict for ever."""

    class Verdict(models.TextChoices):
        RUNNING = ""
        KEPT = "kept"
        BREACHED = "breached"
        VOID = "void"  # withdrawn before it was due

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField(default=1)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    hours = models.PositiveSmallIntegerField(default=24)  # the policy it runs under
    calendar = models.ForeignKey(Calendar, models.PROTECT, null=True, blank=True, related_name="+")
    policy_key = models.CharField(max_length=32, default="", blank=True)  # calendars.key_of: differs from what the topic
    # promises now while a change of policy or calendar has not reached this round
    unpaused_due_at = models.DateTimeField(null=True, blank=True)  # when it would be due had nobody waited for the asker
    steps_at = ArrayField(models.DateTimeField(), size=3, default=list)  # ½, ¾ and 9⁄10 of the promised time
    paused_at = models.DateTimeField(null=True, blank=True)  # waits for the asker since then; the pauses stand in Events
    verdict = models.CharField(max_length=8, choices=Verdict, default="", blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)  # when the answer's message came in, or due_at for a breach
    is_answered = models.BooleanField(default=False)
    steps_done = models.PositiveSmallIntegerField(default=0)  # of rounds.STEPS
    next_step_at = models.DateTimeField(null=True, blank=True)  # due row of the promise; null when it rests

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_step_at"], condition=Q(next_step_at__isnull=False), name="round_step_due"),
            models.Index(fields=["due_at"], condition=Q(verdict__in=["kept", "breached"]), name="round_settled"),
            models.Index(fields=["steps_done"], condition=Q(steps_done__gte=3, is_answered=False), name="round_nearly_due"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["question", "number"], name="round_number_once"),
            models.CheckConstraint(condition=Q(due_at__gt=F("started_at")), name="round_due_after_start"),
            models.CheckConstraint(
                condition=Q(verdict="", settled_at__isnull=True) | (~Q(verdict="") & Q(settled_at__isnull=False)),
                name="round_verdict_has_a_time",
            ),
            models.CheckConstraint(condition=Q(verdict__in=["", "kept", "breached", "void"]), name="round_verdict"),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} round {self.number}"

    def status(self, at: datetime) -> str:
        """running, paused, overdue, kept, breached or void. True at `at` also when no worker has run since `due_at`."""
        if self.verdict:
            return self.verdict
        if self.paused_at:
            return "paused"
        return "overdue" if at > self.due_at else "running"


class Assignment(models.Model):
    """A question offered to one expert, and what came of it."""

    class State(models.TextChoices):
        OFFERED = "offered"
        ACCEPTED = "accepted"
        ANSWERED = "answered"
        DECLINED = "declined"
        EXPIRED = "expired"
        HANDED_BACK = "handed_back"
        SUPERSEDED = "superseded"
        MOVED = "moved"

    class DeclineReason(models.TextChoices):
        NOT_MY_TOPIC = "not_my_topic"
        NO_TIME = "no_time"
        CONFLICT = "conflict"
        OTHER = "other"

    OPEN: ClassVar = frozenset({State.OFFERED, State.ACCEPTED})

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="assignments")
    round = models.ForeignKey(Round, models.CASCADE, related_name="assignments")
    expert = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="assignments")
    state = models.CharField(max_length=12, choices=State, default=State.OFFERED)
    is_swarm = models.BooleanField(default=False)  # one of the extra experts of the ¾ step
    by_hand = models.BooleanField(default=False)  # the desk or a colleague chose this person, not routing
    leg = models.PositiveSmallIntegerField(default=0)  # counts how often the desk sent the round on its way again
    hop = models.PositiveSmallIntegerField(null=True, blank=True)  # 1 to 5 within a leg; null for swarm and by hand
    reasons = models.JSONField(default=list)  # why this person: [{"code": "knows", "topic": "roaming"}, …]
    score = models.FloatField(default=0)
    decline_reason = models.CharField(max_length=16, choices=DeclineReason, default="", blank=True)
    offered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["expert", "-offered_at", "-id"], name="assignment_mine"),
            models.Index(fields=["expires_at"], condition=Q(state="offered"), name="assignment_expiry"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["question"],
                condition=Q(state__in=["offered", "accepted"], is_swarm=False),
                name="assignment_one_open_offer",
            ),
            models.UniqueConstraint(
                fields=["question", "expert"],
                condition=Q(state__in=["offered", "accepted"]),
                name="assignment_once_a_person",
            ),
            models.UniqueConstraint(
                fields=["round", "expert"], condition=Q(by_hand=False), name="assignment_never_again_in_a_round"
            ),
            models.UniqueConstraint(fields=["round", "leg", "hop"], name="assignment_hop_once"),
            models.CheckConstraint(
                condition=Q(hop__gte=1, hop__lte=HOPS_MAX) | Q(hop__isnull=True), name="assignment_hop_limit"
            ),
            models.CheckConstraint(
                condition=Q(hop__isnull=False, is_swarm=False, by_hand=False)
                | (Q(hop__isnull=True) & (Q(is_swarm=True) | Q(by_hand=True))),
                name="assignment_hop_when_routed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["offered", "accepted"], ended_at__isnull=True)
                | (~Q(state__in=["offered", "accepted"]) & Q(ended_at__isnull=False)),
                name="assignment_ended_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} → {self.expert_id} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def item(self) -> str:
        return f"assignment:{self.pk}"

    def mark_accepted(self, at: datetime) -> bool:
        """Expiry against accept: whoever's UPDATE comes first."""
        return self._move(self.State.ACCEPTED, {self.State.OFFERED}, accepted_at=at)

    def mark_ended(self, state: str, at: datetime, *, decline_reason: str = "") -> bool:
        return self._move(state, set(self.OPEN), ended_at=at, decline_reason=decline_reason)

    def mark_expired(self, at: datetime) -> bool:
        return self._move(self.State.EXPIRED, {self.State.OFFERED}, ended_at=at)

    def _move(self, to: str, leaving: "set[Assignment.State]", **fields: Any) -> bool:
        fields["state"] = to
        moved = type(self).objects.filter(pk=self.pk, state__in=leaving).update(**fields)
        if moved:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(moved)


class Answer(models.Model):
    """An expert's text. At most one is released in a round; a late one is kept and refused with a word."""

    class State(models.TextChoices):
        DRAFT = "draft"
        HELD = "held"  # straight to the friend: leaves by itself at `leaves_at`; without one its author said WAIT
        RELEASED = "released"
        REFUSED = "refused"  # came too late, was written anew before it left, or the second pair of eyes said no
        CORRECTED = "corrected"  # replaced by a newer one

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="answers")
    round = models.ForeignKey(Round, models.CASCADE, related_name="answers")
    assignment = models.ForeignKey(Assignment, models.SET_NULL, null=True, blank=True, related_name="answers")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="answers")
    text = models.TextField(max_length=ANSWER_CHARACTERS)
    internal_note = models.TextField(max_length=ANSWER_CHARACTERS, blank=True)
    source = models.CharField(max_length=8, choices=Source)
    state = models.CharField(max_length=10, choices=State)
    received_at = models.DateTimeField()  # what the promise is judged by
    leaves_at = models.DateTimeField(null=True, blank=True)  # due row: when a held one is released by itself
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    corrects = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="corrections")
    valid_until = models.DateTimeField(null=True, blank=True)
    is_expiry_told = models.BooleanField(default=False)  # whoever passed it on knows that `valid_until` is past
    helped = models.BooleanField(null=True, blank=True)  # the friend's one rating
    rated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["question", "-received_at"], name="answer_question"),
            models.Index(fields=["leaves_at"], condition=Q(leaves_at__isnull=False), name="answer_leaves"),
            models.Index(fields=["state"], condition=Q(state="draft"), name="answer_drafts"),
            models.Index(
                fields=["valid_until"],
                condition=Q(state="released", is_expiry_told=False, valid_until__isnull=False),
                name="answer_expiry_due",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["round"], condition=Q(state="released"), name="answer_one_released"),
            models.UniqueConstraint(fields=["round"], condition=Q(state__in=["draft", "held"]), name="answer_one_draft"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "held", "released", "refused", "corrected"]), name="answer_state"
            ),
            models.CheckConstraint(
                condition=Q(leaves_at__isnull=True) | Q(state="held"), name="answer_only_a_held_one_leaves"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("author")), name="answer_approved_by_another"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    def mark_rated(self, *, helped: bool, at: datetime) -> bool:
        """One rating an answer: the second press finds no row to change."""
        return bool(type(self).objects.filter(pk=self.pk, helped__isnull=True).update(helped=helped, rated_at=at))


class KnowledgeEntry(models.Model):
    """An answered question as others find it. Made without its vector when the answer is released; the worker fills it in.

    What is shown is read from the answer itself, so that a correction counts at once: only the order may lag behind.
    """

    question = models.OneToOneField(Question, models.CASCADE, primary_key=True, related_name="knowledge")
    answer = models.ForeignKey(Answer, models.CASCADE, related_name="+")
    text = models.TextField(blank=True)  # the question, masked; empty until learned
    embedding = HalfVectorField(dimensions=EMBEDDING, null=True, blank=True)  # of length 1; half precision fits a page
    words = SearchVectorField(null=True, blank=True)  # of question (A) and answer (B), in the question's language
    learn_at = models.DateTimeField(null=True, blank=True)  # due row; null when learned

    class Meta:
        verbose_name_plural = "knowledge entries"
        indexes: ClassVar = [
            HnswIndex(
                name="knowledge_meaning",
                fields=["embedding"],
                m=16,
                ef_construction=64,
                opclasses=["halfvec_cosine_ops"],
            ),
            GinIndex(fields=["words"], name="knowledge_words"),
            models.Index(fields=["learn_at"], condition=Q(learn_at__isnull=False), name="knowledge_learn_due"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Reuse(models.Model):
    """A question that was closed with the answer to an earlier one. What its asker passed on stands here."""

    question = models.OneToOneField(Question, models.CASCADE, related_name="reuse")
    source = models.ForeignKey(Question, models.CASCADE, related_name="reuses")  # whose answer it is
    answer = models.ForeignKey(Answer, models.CASCADE, related_name="reuses")  # the text as it was when it was taken
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    used_at = models.DateTimeField()
    is_counted = models.BooleanField(
        default=True
    )  # a second use by the same person, or the author's own, counts for nobody
    is_told = models.BooleanField(default=False)  # its author has heard of it
    helped = models.BooleanField(null=True, blank=True)  # this friend's one rating
    rated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["used_at"], condition=Q(is_counted=True, is_told=False), name="reuse_untold"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "person"], condition=Q(is_counted=True), name="reuse_counts_once_a_person"
            ),
            models.CheckConstraint(condition=~Q(question=F("source")), name="reuse_of_another_question"),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} ← {self.source_id}"

    def mark_rated(self, *, helped: bool, at: datetime) -> bool:
        """One rating a use, like an answer's."""
        return bool(type(self).objects.filter(pk=self.pk, helped__isnull=True).update(helped=helped, rated_at=at))


class AskedWeek(models.Model):
    """A week whose questions were grouped: by topic, and in a topic by what they ask."""

    starts_on = models.DateField(primary_key=True)  # its Monday, in the company's time
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.starts_on.isoformat()


class AskedGroup(models.Model):
    """What several people asked in a week about one topic."""

    week = models.ForeignKey(AskedWeek, models.CASCADE, related_name="groups")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="+")
    rank = models.PositiveSmallIntegerField()  # 1 is the largest of its topic
    text = models.TextField()  # the question that stands for the others, masked
    count = models.PositiveIntegerField()
    total = models.PositiveIntegerField()  # questions on the topic in this week
    previous_count = models.PositiveIntegerField()  # questions like this one the week before

    class Meta:
        ordering: ClassVar = ["-week", "-count", "topic", "rank"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["week", "topic", "rank"], name="askedgroup_rank_once")]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def share(self) -> float:
        """Of the topic's questions in the week, 0 to 1."""
        return self.count / self.total

    @property
    def change(self) -> int:
        return self.count - self.previous_count


class Clarification(models.Model):
    """What an expert wants to know from the asker before answering, and the reply."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    question = models.ForeignKey(Question, models.CASCADE, related_name="clarifications")
    assignment = models.ForeignKey(Assignment, models.CASCADE, related_name="clarifications")
    text = models.TextField(max_length=TEXT_CHARACTERS)
    asked_at = models.DateTimeField()
    reply = models.TextField(max_length=TEXT_CHARACTERS, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["question"], condition=Q(replied_at__isnull=True), name="clarification_one_open"
            )
        ]

    def __str__(self) -> str:
        return self.text[:60]


class DutyShift(models.Model):
    """Who of the duty desk is on duty when."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="duty_shifts")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["starts_at"]
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="dutyshift_ends")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="dutyshift_ends_after_start"),
            models.UniqueConstraint(fields=["person", "starts_at"], name="dutyshift_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.starts_at:%Y-%m-%d %H:%M}–{self.ends_at:%Y-%m-%d %H:%M}"


class FriendAddress(models.Model):
    """The friend's own address for one `direct` question, kept only after the friend confirmed a code."""

    CODE_MINUTES: ClassVar = 15
    TRIES: ClassVar = 3

    question = models.OneToOneField(Question, models.CASCADE, related_name="friend_address")
    channel = models.CharField(max_length=8)
    value = models.CharField(max_length=254)
    code_digest = models.BinaryField()
    codes_sent = models.PositiveSmallIntegerField(default=1)
    tries_left = models.PositiveSmallIntegerField(default=3)
    asked_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "friend addresses"

    def __str__(self) -> str:
        return f"{self.channel} of {self.question_id}"

    def is_fresh(self, at: datetime) -> bool:
        return at < self.asked_at + timedelta(minutes=self.CODE_MINUTES)


class Event(models.Model):
    """Every move with who, when and why. Append-only (a trigger sees to it): ids, codes and times, never texts."""

    id = models.BigAutoField(primary_key=True)
    question = models.ForeignKey(Question, models.DO_NOTHING, related_name="events")
    at = models.DateTimeField(default=clock.now)
    kind = models.CharField(max_length=30)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, blank=True, related_name="+")
    data = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["question", "id"], name="event_thread")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"


def record(question: Question, kind: str, *, actor: Any = None, at: datetime | None = None, **data: Any) -> Event:
    """Append one event. `at` is the time it counts from (an answer's receipt), by default now."""
    return Event.objects.create(question=question, kind=kind, actor=actor, at=at or clock.now(), data=data)
