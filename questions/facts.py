"""What rewards is told about questions: facts with their keys, each once. What they earn is decided there."""

from questions.models import Answer, Question, Round
from rewards import earning


def answered(question: Question, given: Answer, *, in_time: bool) -> None:
    """An answer is out. The asker's fact is the question's, so opening it again earns nothing twice."""
    key = f"round:{given.round_id}"  # and not the answer's: a correction is no second answer
    earning.record(question.asker, "question_answered", question.subject_key)
    earning.record(given.author, "answered", key)
    if in_time:
        earning.record(given.author, "answered_in_time", key)


def rated(question: Question, given: Answer, *, helped: bool) -> None:
    """The friend says that it helped, which pays the author alone; or not yet, and then the answer did not count."""
    is_reused = given.question_id != question.pk  # another question's: its own rating stands
    key = question.subject_key if is_reused else f"round:{given.round_id}"
    if helped:
        earning.record(given.author, "helped", key, other=question.asker)
        return
    for kind in () if is_reused else ("answered", "answered_in_time"):
        earning.withdraw(given.author, kind, key)


def breached(question: Question, round_: Round) -> None:
    """We were late: something to make up for it."""
    earning.record(question.asker, "breach_goodwill", f"round:{round_.pk}")
