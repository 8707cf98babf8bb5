"""One promise: when its steps are due, its pauses, and taking over what its topic promises.

`next_step` is a pure function. The times are worked out once, when the round opens or its policy changes, and stored: the
sweep compares and does not calculate.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from backend import clock
from backend.ids import uuid7
from questions import calendars
from questions.calendars import Policy, Span, Week
from questions.models import Calendar, Event, Question, Round, Topic, record

log = logging.getLogger(__name__)

USUAL_HOURS = 24  # until a topic that promises something else is known
USUAL_WORK = timedelta(hours=4)  # of working time, until there is history: eight of ten answers take less
SHARES = (Fraction(1, 2), Fraction(3, 4), Fraction(9, 10))  # of the promised time that has passed; the last step is its end
REMIND, SWARM, DESK, BREACH = 1, 2, 3, 4  # `steps_done` after each
NAMES = {REMIND: "reminded", SWARM: "swarmed", DESK: "desk_told", BREACH: "breached"}
POLICY_FIELDS = ("hours", "calendar", "policy_key")
LAST_HOUR = timedelta(hours=1)  # a change of policy leaves this much of a running promise, if there was as much
PAUSED, RESUMED = "paused", "resumed"  # the Events that pauses are derived from


def next_step(
    steps_at: Sequence[datetime], due_at: datetime, steps_done: int, now: datetime
) -> tuple[int, datetime | None]:
    """The highest step reached by `now` (0 for none beyond `steps_done`), and when to look again (None after the last).

    `steps_at` are the times of ½, ¾ and 9⁄10. Answered exactly at `due_at` is kept, so the breach is reached only after it.
    """
    times = (*steps_at, due_at)
    reached = max((step for step in NAMES if _passed(times[step - 1], step, now)), default=0)
    after = max(reached, steps_done)
    following = times[after] if after < BREACH else None
    return (reached if reached > steps_done else 0), following


def _passed(at: datetime, step: int, now: datetime) -> bool:
    return now > at if step == BREACH else now >= at


def plan(policy: Policy, started_at: datetime, pauses: Sequence[Span] = ()) -> tuple[list[datetime], datetime]:
    """(times of ½, ¾ and 9⁄10, the due time) of a promise."""
    steps = [calendars.moment_at_share(policy, started_at, share, pauses) for share in SHARES]
    return steps, calendars.due_at(policy, started_at, pauses)


def step_at(round_: Round, step: int) -> datetime:
    """When step 1–4 of this round is reached."""
    return (*round_.steps_at, round_.due_at)[step - 1]


def policy_of(round_: Round) -> Policy:
    """The policy it runs under."""
    return _policy(round_.hours, round_.calendar)


def promised_by(topic: Topic | None) -> Policy:
    """What a question on this topic is promised; the usual hours while its topic is unknown."""
    return _policy(topic.promise_hours, topic.calendar) if topic else _policy(USUAL_HOURS, None)


def _policy(hours: int, calendar: Calendar | None) -> Policy:
    return Policy(timedelta(hours=hours), week_of(calendar) if calendar else None)


def week_of(calendar: Calendar) -> Week:
    """The company's working time, from its rows."""
    return Week(
        ZoneInfo(calendar.time_zone),
        tuple(calendar.slots.order_by("weekday", "starts_minute").values_list("weekday", "starts_minute", "ends_minute")),
        closed=tuple(calendar.closures.order_by("first_day", "last_day").values_list("first_day", "last_day")),
        country=calendar.country,
        subdivision=calendar.subdivision,
    )


def new_round(question: Question, number: int, started_at: datetime) -> Round:
    """A promise that starts at `started_at`, not saved yet."""
    topic = question.topic
    policy = promised_by(topic)
    round_ = Round(
        id=uuid7(),
        question=question,
        number=number,
        started_at=started_at,
        hours=topic.promise_hours if topic else USUAL_HOURS,
        calendar=topic.calendar if topic else None,
        policy_key=calendars.key_of(policy, started_at),
    )
    round_.steps_at, round_.due_at = _plan(policy, started_at)
    round_.unpaused_due_at = round_.due_at
    round_.next_step_at = step_at(round_, REMIND)
    return round_


def _plan(policy: Policy, started_at: datetime, pauses: Sequence[Span] = ()) -> tuple[list[datetime], datetime]:
    """As `plan`; under a calendar that never opens elapsed hours count. The back office refuses such a calendar, and when
    one comes about all the same no question may be lost for it."""
    try:
        return plan(policy, started_at, pauses)
    except ValueError:
        log.error("the calendar of a promise never opens: elapsed hours count instead")  # noqa: TRY400 — no trace needed
        return plan(replace(policy, week=None), started_at, pauses)


def pauses_of(round_: Round) -> list[Span]:
    """The round's finished pauses, from its Events."""
    rows = Event.objects.filter(question=round_.question_id, kind__in=[PAUSED, RESUMED], data__round=round_.number)
    pauses: list[Span] = []
    since: datetime | None = None
    for kind, at in rows.order_by("id").values_list("kind", "at"):
        if kind == PAUSED:
            since = at
        elif since is not None:
            pauses.append((since, at))
            since = None
    return pauses


def _running(question: Question) -> Round:
    """The question's round as it is now. Read again although the question is locked: what came joined with a row that was
    waited for is as old as the wait."""
    question.current_round = Round.objects.select_related("calendar").get(pk=question.current_round_id)
    return question.current_round


def pause(question: Question, at: datetime) -> bool:
    """Stop the clock while the asker is asked: once a round, and never after a breach. Needs the lock."""
    round_ = _running(question)
    had_one = Event.objects.filter(question=question, kind=PAUSED, data__round=round_.number).exists()
    if had_one or round_.verdict or at > round_.due_at:
        return False
    record(question, PAUSED, at=at, round=round_.number)
    round_.paused_at, round_.next_step_at = at, None
    round_.save(update_fields=["paused_at", "next_step_at"])
    return True


def resume(question: Question, at: datetime) -> None:
    """The clock runs on; the due time moves by as much promised time as the pause held. Needs the lock."""
    round_ = _running(question)
    if round_.paused_at is None:
        return
    at = max(at, round_.paused_at)  # a message may be handled after one that came later
    record(question, RESUMED, at=at, round=round_.number)
    since, round_.paused_at = round_.paused_at, None
    _replan(round_, policy_of(round_), since=since, at=at)


def _replan(round_: Round, policy: Policy, *, since: datetime, at: datetime) -> None:
    """Work the times out anew; what stood between `since` and the due time, or an hour of it, is still there from `at` on.

    A step that lies in the past now is due at once: the sweep records it, and speaks the highest.
    """
    pauses = pauses_of(round_)
    steps, due_at = _plan(policy, round_.started_at, pauses)
    left = min(LAST_HOUR, calendars.counted_between(policy, since, round_.due_at))
    _steps, earliest = _plan(Policy(left, policy.week), at)
    round_.steps_at, round_.due_at = steps, max(due_at, earliest)
    round_.unpaused_due_at = _plan(policy, round_.started_at)[1] if pauses else round_.due_at
    if not round_.paused_at:
        round_.next_step_at = step_at(round_, round_.steps_done + 1)
    round_.save(update_fields=[*POLICY_FIELDS, "steps_at", "due_at", "unpaused_due_at", "paused_at", "next_step_at"])


def adopt_promise(question: Question, topic: Topic) -> None:
    """The running promise becomes the topic's: the topic is known now, or its policy or calendar changed.

    Pauses stay. A breach that happened stays, also one that no sweep has recorded yet, and a change breaks no promise by
    itself: at least an hour is left of it, unless less was left before. Needs the lock.
    """
    round_, policy = _running(question), promised_by(topic)
    now = clock.now()
    since = round_.paused_at or now
    key = calendars.key_of(policy, now)
    if round_.verdict or round_.is_answered or since > round_.due_at or round_.policy_key == key:
        return
    before, steps_before = round_.due_at, list(round_.steps_at)
    round_.hours, round_.calendar, round_.policy_key = topic.promise_hours, topic.calendar, key
    _replan(round_, policy, since=since, at=since)
    if (before, steps_before) != (round_.due_at, round_.steps_at):
        record(question, "promise_changed", before=before.isoformat(), after=round_.due_at.isoformat(), topic=topic.slug)


def behind(topic: Topic) -> list[UUID]:
    """Questions of this topic whose running promise is not the one the topic makes now: its policy or calendar changed."""
    key = calendars.key_of(promised_by(topic), clock.now())
    rows = Question.objects.filter(topic=topic, state__in=Question.UNANSWERED, current_round__verdict="")
    return list(rows.exclude(current_round__policy_key=key).values_list("pk", flat=True))


@transaction.atomic
def follow_topic(question_id: UUID) -> None:
    """The topic's policy or calendar changed: this question's running promise follows."""
    question = Question.locked(question_id)
    if question.topic is not None and question.is_unanswered:
        adopt_promise(question, question.topic)
