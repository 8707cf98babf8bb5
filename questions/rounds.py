"""One promise: when its steps are due (pure arithmetic), opening it, and taking over what its topic promises."""

from datetime import datetime, timedelta

from backend.ids import uuid7
from questions.models import Question, Round, Topic, record

USUAL_HOURS = 24  # until a topic that promises something else is known
STEPS = (0.5, 0.75, 0.9, 1.0)  # share of the time that has passed
REMIND, SWARM, DESK, BREACH = 1, 2, 3, 4  # `steps_done` after each
NAMES = {REMIND: "reminded", SWARM: "swarmed", DESK: "desk_told", BREACH: "breached"}


def step_at(started_at: datetime, due_at: datetime, step: int) -> datetime:
    """When step 1–4 is reached."""
    return due_at if step == BREACH else started_at + (due_at - started_at) * STEPS[step - 1]


def next_step(started_at: datetime, due_at: datetime, steps_done: int, now: datetime) -> tuple[int, datetime | None]:
    """The highest step reached by `now` (0 for none beyond `steps_done`), and when to look again (None after the last).

    Answered exactly at `due_at` is kept, so the breach is reached only after it.
    """
    reached = max((step for step in NAMES if _passed(step_at(started_at, due_at, step), step, now)), default=0)
    after = max(reached, steps_done)
    following = step_at(started_at, due_at, after + 1) if after < BREACH else None
    return (reached if reached > steps_done else 0), following


def _passed(at: datetime, step: int, now: datetime) -> bool:
    return now > at if step == BREACH else now >= at


def new_round(question: Question, number: int, started_at: datetime) -> Round:
    """A promise that starts at `started_at`, not saved yet."""
    due_at = started_at + timedelta(hours=question.topic.promise_hours if question.topic else USUAL_HOURS)
    return Round(
        id=uuid7(),
        question=question,
        number=number,
        started_at=started_at,
        due_at=due_at,
        next_step_at=step_at(started_at, due_at, REMIND),
    )


def adopt_promise(question: Question, topic: Topic) -> None:
    """The topic is known now: the running promise becomes the topic's. A breach that happened stays. Needs the lock."""
    round_ = question.current_round
    due_at = round_.started_at + timedelta(hours=topic.promise_hours)
    if round_.verdict or due_at == round_.due_at:
        return
    record(question, "promise_changed", before=round_.due_at.isoformat(), after=due_at.isoformat(), topic=topic.slug)
    # A step that lies in the past now is due at once: the sweep speaks the highest and records the others.
    round_.due_at, round_.next_step_at = due_at, step_at(round_.started_at, due_at, round_.steps_done + 1)
    round_.save(update_fields=["due_at", "next_step_at"])
