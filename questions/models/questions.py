"""The question. Its state changes only through the named moves below.

A move is one UPDATE that names the states it leaves; it returns False when somebody else was first. The CheckConstraints
are its pair: what no move may produce, the database refuses.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from backend.ids import uuid7
from questions.models.topics import Topic

if TYPE_CHECKING:
    from questions.models.rounds import Round

TEXT_CHARACTERS = 4000


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
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="questions", db_index=False)
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
            models.Index(fields=["asker", "id"], name="question_copies"),  # a phone's full read walks by id
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
    def asked_via(self) -> str:
        """The channel on which its asker is told: what was asked by SMS is answered by SMS; "" for their usual one."""
        return self.source if self.source in {Source.SMS, Source.EMAIL} else ""

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

    def mark_back_in_triage(self, guesses: list[Any], desk_due_at: datetime) -> bool:
        """The expert said that it is another topic."""
        return self._move(
            self.State.TRIAGE,
            self.WITH_AN_EXPERT,
            topic_guesses=guesses,
            route_at=None,
            follow_up_at=None,
            desk_due_at=desk_due_at,
        )

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
