"""The question and everything that happens to it. States change only through the named moves below.

A move is one UPDATE that names the states it leaves; it returns False when somebody else was first. The CheckConstraints
are its pair: what no move may produce, the database refuses.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest
from pgvector.django import VectorField

from backend import clock
from backend.ids import uuid7

EMBEDDING_DIMENSIONS = 512
TEXT_CHARACTERS = 4000
ANSWER_CHARACTERS = 8000
DEFAULT_CAPACITY = 5


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
    promise_hours = models.PositiveSmallIntegerField(default=24)
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

    topic = models.ForeignKey(Topic, models.CASCADE, related_name="examples")
    language = models.CharField(max_length=2)
    text = models.TextField()
    source = models.CharField(max_length=10, choices=Source, default=Source.GIVEN)
    embedding = VectorField(dimensions=EMBEDDING_DIMENSIONS, null=True, blank=True)  # filled by the worker

    def __str__(self) -> str:
        return self.text[:60]


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

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(open_count__gte=0, open_count__lte=F("capacity")), name="workload_within_capacity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.open_count} of {self.capacity}"

    @classmethod
    def set_capacity(cls, person: Any, capacity: int) -> None:
        """How much the person may hold. Less than they hold now takes effect as far as it can; say it again later."""
        cls.objects.get_or_create(person=person)
        cls.objects.filter(person=person).update(capacity=Greatest(F("open_count"), capacity))


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
    # The friend's page. Readable here on purpose: who reads this table reads the answer itself beside it.
    friend_key = models.CharField(max_length=32, unique=True)
    received_at = models.DateTimeField()  # when the message that carried it reached us, not when it was handled
    route_at = models.DateTimeField(null=True, blank=True)  # due row of routing; null when nothing is to be routed
    current_round = models.OneToOneField("Round", models.PROTECT, related_name="+")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["asker", "-received_at", "-id"], name="question_mine"),
            models.Index(fields=["route_at"], condition=Q(route_at__isnull=False), name="question_route_due"),
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
        )

    def mark_triage(self, guesses: list[Any]) -> bool:
        leaving = frozenset({self.State.RECEIVED, self.State.ROUTING})
        return self._move(self.State.TRIAGE, leaving, topic_guesses=guesses, route_at=None)

    def mark_unstaffed(self, try_again_at: datetime) -> bool:
        leaving = frozenset({self.State.ROUTING, self.State.UNSTAFFED})
        return self._move(self.State.UNSTAFFED, leaving, route_at=try_again_at)

    def mark_queued(self, try_again_at: datetime) -> bool:
        """Every expert is full: it stays in routing and is tried again."""
        return self._move(self.State.ROUTING, frozenset({self.State.ROUTING}), route_at=try_again_at)

    def mark_offered(self) -> bool:
        leaving = frozenset({self.State.ROUTING, self.State.UNSTAFFED})
        return self._move(self.State.OFFERED, leaving, route_at=None)

    def mark_back_in_routing(self, at: datetime) -> bool:
        """The expert said no, handed it back or let it lapse, and nobody else holds it."""
        leaving = frozenset({self.State.OFFERED, self.State.ACCEPTED})
        return self._move(self.State.ROUTING, leaving, route_at=at)

    def mark_back_in_triage(self) -> bool:
        """The expert said that it is another topic."""
        leaving = frozenset({self.State.OFFERED, self.State.ACCEPTED})
        return self._move(self.State.TRIAGE, leaving, route_at=None)

    def mark_accepted(self) -> bool:
        return self._move(self.State.ACCEPTED, frozenset({self.State.OFFERED, self.State.ACCEPTED}))

    def mark_answered(self) -> bool:
        return self._move(self.State.ANSWERED, self.UNANSWERED, route_at=None)

    def mark_relayed(self) -> bool:
        return self._move(self.State.RELAYED, frozenset({self.State.ANSWERED}))

    def mark_delivered(self) -> bool:
        return self._move(self.State.DELIVERED, frozenset({self.State.ANSWERED}))

    def mark_closed(self, reason: str) -> bool:
        return self._move(self.State.CLOSED, self.ANSWER_OUT, close_reason=reason)

    def mark_withdrawn(self) -> bool:
        return self._move(self.State.WITHDRAWN, self.UNANSWERED, route_at=None)

    def mark_reopened(self, new_round: "Round", at: datetime) -> bool:
        leaving = self.ANSWER_OUT | {self.State.CLOSED}
        return self._move(self.State.ROUTING, frozenset(leaving), close_reason="", current_round=new_round, route_at=at)


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
    verdict = models.CharField(max_length=8, choices=Verdict, default="", blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)  # when the answer's message came in, or due_at for a breach
    is_answered = models.BooleanField(default=False)
    steps_done = models.PositiveSmallIntegerField(default=0)  # of rounds.STEPS
    next_step_at = models.DateTimeField(null=True, blank=True)  # due row of the promise; null when it rests

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_step_at"], condition=Q(next_step_at__isnull=False), name="round_step_due")
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
        """running, overdue, kept, breached or void. True at `at` also when no worker has run since `due_at`."""
        if self.verdict:
            return self.verdict
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
        RELEASED = "released"
        REFUSED = "refused"
        CORRECTED = "corrected"

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
    helped = models.BooleanField(null=True, blank=True)  # the friend's one rating
    rated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["question", "-received_at"], name="answer_question")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["round"], condition=Q(state="released"), name="answer_one_released"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "released", "refused", "corrected"]), name="answer_state"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    def mark_rated(self, *, helped: bool, at: datetime) -> bool:
        """One rating an answer: the second press finds no row to change."""
        return bool(type(self).objects.filter(pk=self.pk, helped__isnull=True).update(helped=helped, rated_at=at))


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
