"""An asker's questions, newest first, by SQL that was written once: the list that an open app asks for most."""

from backend import rows
from backend.manners import NEWEST, decode_cursor
from people.models import Person
from questions.models import Question, Round, Topic

# What `QuestionOut` shows, and no more: each time that is not read saves its parsing, twenty times a page.
QUESTION = rows.part(
    Question,
    *("id", "reference", "text", "language", "state", "close_reason", "answer_mode", "is_confidential", "topic_id"),
    *("current_round_id", "expected_at", "friend_key", "received_at"),
)
ROUND = rows.part(Round, "id", "number", "started_at", "due_at", "verdict", "paused_at")
TOPIC = rows.part(Topic, "id", "slug", "name_nl", "name_en")
OF_ASKER = f"""
SELECT {QUESTION.columns}, {ROUND.columns}, {TOPIC.columns} FROM questions_question
JOIN questions_round ON questions_round.id = questions_question.current_round_id
LEFT JOIN questions_topic ON questions_topic.id = questions_question.topic_id
WHERE asker_id = %s AND (received_at, questions_question.id) < (%s, %s)
ORDER BY received_at DESC, questions_question.id DESC LIMIT %s
"""  # noqa: S608 — our own columns


def of_asker(asker: Person, cursor: str | None, limit: int) -> list[Question]:
    """At most `limit` of those before the page's `cursor`, each with its round and topic. Raises BadRequest."""
    at, pk = decode_cursor(cursor) if cursor else NEWEST
    return rows.every(QUESTION, OF_ASKER, [asker.pk, at, pk, limit], current_round=ROUND, topic=TOPIC)
