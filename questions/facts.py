"""What rewards is told about questions: facts with their keys, each once. What they earn is decided there."""

from uuid import UUID

from people.models import Person
from questions.models import Answer, Question, Round
from rewards import earning


def answered(question: Question, given: Answer, *, in_time: bool) -> None:
    """An answer is out. The asker's fact is the question's, so opening it again earns nothing twice."""
    key = f"round:{given.round_id}"  # and not the answer's: a correction is no second answer
    earning.record(question.asker, "question_answered", question.subject_key)
    earning.record(given.author, "answered", key)
    if in_time:
        earning.record(given.author, "answered_in_time", key)


def reused(source: Question, asker: Person, given: Answer) -> None:
    """Somebody used the answer to an earlier question again, which pays its author once for each such person."""
    earning.record(given.author, "answer_reused", _reuse_key(source.pk, asker.pk), other=asker)


def _reuse_key(source_id: UUID, asker_id: UUID) -> str:
    return f"question:{source_id}:reuse:{asker_id}"


def rated(question: Question, given: Answer, *, helped: bool) -> None:
    """The friend says that it helped, which pays the author alone; or not yet, and then the answer did not count."""
    is_reused = given.question_id != question.pk  # another question's: its own rating stands
    key = question.subject_key if is_reused else f"round:{given.round_id}"
    if helped:
        earning.record(given.author, "helped", key, other=question.asker)
        return
    if is_reused:
        earning.withdraw(given.author, "answer_reused", _reuse_key(given.question_id, question.asker_id))
        return
    for kind in ("answered", "answered_in_time"):
        earning.withdraw(given.author, kind, key)


def breached(question: Question, round_: Round) -> None:
    """We were late: something to make up for it."""
    earning.record(question.asker, "breach_goodwill", f"round:{round_.pk}")
