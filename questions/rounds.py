"""One promise: when its steps are due, its pauses, and taking over what its topic promises.

`next_step` is a pure function. The times are worked out once, when the round opens or its policy changes, and stored: the
sweep compares and does not calculate.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from backend.ids import uuid7
from questions import calendars
from questions.calendars import Policy, Span, Week
from questions.models import Calendar, Event, Question, Round, Topic, record

USUAL_HOURS = 24  # until a topic that promises something else is known
SHARES = (Fraction(1, 2), Fraction(3, 4), Fraction(9, 10))  # of the promised time that has passed; the last step is its end
REMIND, SWARM, DESK, BREACH = 1, 2, 3, 4  # `steps_done` after each
NAMES = {REMIND: "reminded", SWARM: "swarmed", DESK: "desk_told", BREACH: "breached"}
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
    return Policy(timedelta(hours=round_.hours), week_of(round_.calendar) if round_.calendar else None)


def week_of(calendar: Calendar) -> Week:
    """The company's working time, from its rows."""
    slots = calendar.slots.values_list("weekday", "starts_minute", "ends_minute")
    return Week(
        ZoneInfo(calendar.time_zone),
        tuple(slots),
        closed=tuple(calendar.closures.values_list("first_day", "last_day")),
        country=calendar.country,
        subdivision=calendar.subdivision,
    )


def new_round(question: Question, number: int, started_at: datetime) -> Round:
    """A promise that starts at `started_at`, not saved yet."""
    topic = question.topic
    round_ = Round(
        id=uuid7(),
        question=question,
        number=number,
        started_at=started_at,
        hours=topic.promise_hours if topic else USUAL_HOURS,
        calendar=topic.calendar if topic else None,
    )
    round_.steps_at, round_.due_at = plan(policy_of(round_), started_at)
    round_.next_step_at = step_at(round_, REMIND)
    return round_


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


def pause(question: Question, at: datetime) -> bool:
    """Stop the clock while the asker is asked: once a round, and never after a breach. Needs the lock."""
    round_ = question.current_round
    had_one = Event.objects.filter(question=question, kind=PAUSED, data__round=round_.number).exists()
    if had_one or round_.verdict or at > round_.due_at:
        return False
    record(question, PAUSED, at=at, round=round_.number)
    round_.paused_at, round_.next_step_at = at, None
    round_.save(update_fields=["paused_at", "next_step_at"])
    return True


def resume(question: Question, at: datetime) -> None:
    """The clock runs on; the due time moves by as much promised time as the pause held. Needs the lock."""
    round_ = question.current_round
    if round_.paused_at is None:
        return
    record(question, RESUMED, at=at, round=round_.number)
    round_.paused_at = None
    _replan(round_)


def _replan(round_: Round) -> None:
    """Work the times out anew. A step that lies in the past now is due at once: the sweep records or speaks it."""
    round_.steps_at, round_.due_at = plan(policy_of(round_), round_.started_at, pauses_of(round_))
    if not round_.paused_at:
        round_.next_step_at = step_at(round_, round_.steps_done + 1)
    round_.save(update_fields=["hours", "calendar", "steps_at", "due_at", "paused_at", "next_step_at"])


def adopt_promise(question: Question, topic: Topic) -> None:
    """The running promise becomes the topic's: the topic is known now, or its policy or calendar changed.

    Pauses stay; a breach that happened stays. Needs the lock.
    """
    round_ = question.current_round
    if round_.verdict or round_.is_answered:
        return
    before = round_.due_at
    round_.hours, round_.calendar = topic.promise_hours, topic.calendar
    steps, due_at = plan(policy_of(round_), round_.started_at, pauses_of(round_))
    if (due_at, steps) == (before, list(round_.steps_at)):
        return
    _replan(round_)
    record(question, "promise_changed", before=before.isoformat(), after=round_.due_at.isoformat(), topic=topic.slug)


def open_round_ids(topic: Topic) -> list[UUID]:
    """Questions of this topic whose promise runs: the ones a change of policy reaches."""
    rows = Question.objects.filter(topic=topic, state__in=Question.UNANSWERED, current_round__verdict="")
    return list(rows.values_list("pk", flat=True))


@transaction.atomic
def follow_topic(question_id: UUID, topic: Topic) -> None:
    """The topic's policy or calendar changed: this question's running promise follows."""
    rows = Question.objects.select_for_update(of=("self",)).select_related("current_round", "topic")
    question = rows.get(pk=question_id)
    if question.topic_id == topic.pk and question.is_unanswered:
        adopt_promise(question, topic)
