"""A question is received: question, promise and first event in one statement, so that all of it is there or nothing."""

from functools import cache
from typing import Any

from backend import prepared, rows
from backend.ids import clear_code
from questions import expectation, rounds
from questions.models import Event, Question, Round

REFERENCE_LENGTH = 4
REFERENCE_TRIES = 8


def receive(question: Question) -> Question | None:
    """Write it, with its first round and its first event, under a reference that nobody has.

    None when it was written; the question of this id when there is one already, whoever is faster.
    """
    round_ = rounds.new_round(question, 1, question.received_at)
    question.current_round = round_
    question.expected_at = expectation.of_topic(question.topic, question.received_at)
    event = Event(question=question, at=question.received_at, kind="received", actor=question.asker)
    event.data = {"source": question.source}
    for attempt in range(REFERENCE_TRIES):
        question.reference = "Q-" + clear_code(REFERENCE_LENGTH + attempt // 3)
        if _written(question, round_, event):
            return None
        known = Question.objects.select_related("current_round", "topic").filter(pk=question.pk).first()
        if known is not None:
            return known
    raise RuntimeError("no free reference found")


def _written(question: Question, round_: Round, event: Event) -> bool:
    """False when its id or its reference is taken. Parallel with another of the same id it waits for that one's end."""
    fresh = question.received_at - expectation.FRESH
    with prepared.cursor() as cursor:
        cursor.execute(_receive(), {**rows.values(question, round_, event), "fresh": fresh})
        written: tuple[Any] | None = cursor.fetchone()
    if written is None:
        return False
    question.expected_at = written[0]
    question._state.adding = round_._state.adding = False
    return True


@cache
def _receive() -> str:
    while_unknown = (
        f"CASE WHEN %(question_topic_id)s::uuid IS NULL THEN {expectation.WHILE_UNKNOWN}"
        " ELSE %(question_expected_at)s::timestamptz END"
    )
    return f"""
WITH question AS (
    {rows.inserting(Question, "", expected_at=while_unknown)}
    ON CONFLICT DO NOTHING RETURNING expected_at
), round AS (
    {rows.inserting(Round, "FROM question")}
), event AS (
    {rows.inserting(Event, "FROM question")}
)
SELECT expected_at FROM question
"""  # noqa: S608 — our own words
