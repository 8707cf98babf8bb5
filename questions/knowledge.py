"""Answered questions that may answer the next one: found by meaning (vectors) and by wording (full text), fused by rank.

The entry's vector is made by the worker, after the answer is out. What may be shown is decided when it is read, in one
place: `_ELIGIBLE`. Who reads sees numbers and addresses as dots, unless it is their own question or they are the duty desk.
"""

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.postgres.search import SearchVector
from django.db import connection
from django.db.models import Value
from pgvector import HalfVector

from backend import clock
from backend.ring import ring
from people.models import Person
from questions import duty
from questions.embedding import Floats, Views
from questions.masking import masked, repeats_private
from questions.models import Answer, KnowledgeEntry, Question

log = logging.getLogger(__name__)

PUT_ASIDE = timedelta(hours=1)
CONFIGURATIONS = {"nl": "dutch", "en": "english"}
RESULTS = 5
# Cosines, read off pairs of questions with known intents: of two about other things 5 % reach the first line; of nearest
# neighbours above the second nine in ten ask the same.
ALIKE = 0.45
THE_SAME = 0.85
NOT_FAR = 0.25  # what a found word must still have in common with the question
CANDIDATES = 40  # of each way of finding
FUSION = 60  # reciprocal rank fusion: 1 / (60 + rank), the constant of its authors
COMMON_ROWS = 1000  # a word in more answers than this tells too little for what ranking them costs
RANKED_ROWS = 2000
PREFIX = re.compile(r"(\w{4,})$")  # the word that is being typed


@dataclass(frozen=True)
class Found:
    """An answer that may be passed on. `similarity` of the questions, 0 to 1; None until the encoder is loaded."""

    question_id: UUID
    answer_id: UUID
    question: str
    answer: str
    author: str
    language: str
    topic_slug: str | None
    topic_nl: str | None
    topic_en: str | None
    received_at: datetime
    valid_until: datetime | None
    helped: bool | None
    reused: int
    similarity: float | None


# --- learning --------------------------------------------------------------------------------------------------------


def note(question: Question, given: Answer) -> None:
    """This answer is out, or took the place of an older one: the worker learns it. Two statements, no embedding."""
    if question.is_confidential:
        return
    KnowledgeEntry.objects.bulk_create(
        [KnowledgeEntry(question=question, answer=given, learn_at=clock.now())],
        update_conflicts=True,
        unique_fields=["question"],
        update_fields=["answer", "learn_at"],
    )
    ring("questions.tasks.learn_answer", str(question.pk))


def due_ids(limit: int) -> list[UUID]:
    rows = KnowledgeEntry.objects.filter(learn_at__lte=clock.now()).order_by("learn_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def learn(question_id: UUID) -> None:
    """Fill in the entry. Nothing is locked meanwhile: when the answer changed under our hands, the row stays due.

    An answer that repeats a number or an address of its question is about one friend and not for others: it leaves.
    """
    entry = KnowledgeEntry.objects.select_related("question", "answer").filter(pk=question_id).first()
    if entry is None or entry.learn_at is None:
        return
    same = KnowledgeEntry.objects.filter(pk=entry.pk, answer=entry.answer_id)
    question, answer = entry.question, entry.answer
    if repeats_private(answer.text, question.text):
        same.delete()
        return
    text = masked(question.text)
    config = CONFIGURATIONS.get(question.language, "simple")
    words = SearchVector(Value(text), config=config, weight="A") + SearchVector(
        Value(answer.text), config=config, weight="B"
    )
    [vector] = vectors([text])
    same.update(text=text, embedding=HalfVector(vector), words=words, learn_at=None)


def put_aside(question_id: UUID) -> None:
    """Learning it failed: not again before an hour has passed."""
    KnowledgeEntry.objects.filter(pk=question_id).update(learn_at=clock.now() + PUT_ASIDE)


def forget(question: Question) -> None:
    KnowledgeEntry.objects.filter(pk=question.pk).delete()


# --- vectors ---------------------------------------------------------------------------------------------------------

_warm = threading.Event()
_warming = threading.Lock()


def vectors(texts: Sequence[str]) -> Floats:
    """n × 512, rows of length 1, Dutch and English in one place. Loads the encoder when it is not there yet."""
    rows = Views.of(texts).output
    _warm.set()
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def warm_up() -> None:
    """Load the encoder."""
    vectors(["?"])


def _vector_now(text: str) -> HalfVector | None:
    """None while the encoder is not loaded: a process nobody searches in never spends its 200 MB and its seconds; the first
    search starts the loading beside it and is answered by wording alone, so that nobody waits."""
    if not _warm.is_set():
        if _warming.acquire(blocking=False):
            threading.Thread(target=_warm_up_beside, name="encoder", daemon=True).start()
        return None
    return HalfVector(vectors([text])[0])


def _warm_up_beside() -> None:
    try:
        warm_up()
    except Exception:
        log.exception("the encoder cannot be loaded: search goes by wording alone")
    finally:
        _warming.release()


# --- finding ---------------------------------------------------------------------------------------------------------

# The one place that says what may be shown: an answer that is out, valid, and not found wanting by its friend.
_ELIGIBLE = """
    NOT q.is_confidential AND q.state IN ('answered', 'relayed', 'delivered', 'closed')
    AND a.state = 'released' AND a.helped IS NOT FALSE
    AND (a.valid_until IS NULL OR a.valid_until > %(at)s) AND e.text > ''
"""

# Rarer words find better and cost less: PostgreSQL's own statistics tell which are common (none where rows are few).
_ASKED = r"""
    common AS MATERIALIZED (
        SELECT word FROM pg_class c, pg_stats s,
            unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) AS m(word, share)
        WHERE c.oid = 'questions_knowledgeentry'::regclass AND s.schemaname = c.relnamespace::regnamespace::text
        AND s.tablename = c.relname AND s.attname = 'words' AND word IS NOT NULL AND share * c.reltuples > %(common)s
    ), asked AS MATERIALIZED (
        SELECT concat_ws(' | ',
            (SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')
             FROM (SELECT lexeme FROM unnest(to_tsvector('dutch', %(text)s))
                   UNION SELECT lexeme FROM unnest(to_tsvector('english', %(text)s))) AS l
             WHERE NOT EXISTS (SELECT FROM common WHERE word = lexeme)),
            (SELECT '''' || %(prefix)s || ''':*' WHERE NOT EXISTS (SELECT FROM common WHERE starts_with(word, %(prefix)s)))
        )::tsquery AS query
    )
"""

_SEARCH = f"""
    WITH {_ASKED}, meaning AS (
        SELECT question_id, row_number() OVER (ORDER BY distance, question_id) AS place FROM (
            SELECT question_id, embedding <=> %(vector)s::halfvec AS distance FROM questions_knowledgeentry
            ORDER BY embedding <=> %(vector)s::halfvec LIMIT %(candidates)s
        ) AS nearest WHERE distance <= 1 - %(alike)s
    ), wording AS (
        SELECT question_id, row_number() OVER (ORDER BY rank DESC, question_id) AS place FROM (
            SELECT question_id, ts_rank(words, query) AS rank FROM (
                SELECT question_id, words, query FROM asked, questions_knowledgeentry WHERE words @@ query LIMIT %(ranked)s
            ) AS hits ORDER BY rank DESC, question_id LIMIT %(candidates)s
        ) AS best
    ), fused AS (
        SELECT question_id, sum(1.0 / (%(fusion)s + place)) AS score
        FROM (SELECT * FROM meaning UNION ALL SELECT * FROM wording) AS both_ways GROUP BY question_id
    )
    SELECT q.id, a.id, CASE WHEN q.asker_id = %(reader)s OR %(is_desk)s THEN q.text ELSE e.text END, a.text, author.name,
        q.language, t.slug, t.name_nl, t.name_en, a.received_at, a.valid_until, a.helped,
        (SELECT count(*) FROM questions_reuse r WHERE r.source_id = q.id AND r.is_counted),
        1 - (e.embedding <=> %(vector)s::halfvec)
    FROM fused JOIN questions_knowledgeentry e USING (question_id)
    JOIN questions_question q ON q.id = question_id JOIN questions_answer a ON a.id = e.answer_id
    JOIN people_person author ON author.id = a.author_id LEFT JOIN questions_topic t ON t.id = q.topic_id
    WHERE {_ELIGIBLE} AND (%(vector)s::halfvec IS NULL OR e.embedding <=> %(vector)s::halfvec <= 1 - %(not_far)s)
    ORDER BY score DESC, q.id LIMIT %(results)s
"""  # noqa: S608 — constants of this module, values are parameters


def search(reader: Person, text: str, *, limit: int = RESULTS) -> list[Found]:
    """The answered questions nearest to `text`, best first, as this reader may see them. One query."""
    prefix = PREFIX.search(text)
    rows = _run(
        _SEARCH,
        vector=_vector_now(text),
        text=text,
        prefix=prefix.group(1).lower() if prefix else None,
        reader=reader.pk,
        is_desk=duty.is_desk(reader),
        results=limit,
    )
    return [Found(*row) for row in rows]


def the_same(question: Question) -> Found | None:
    """An answer to (almost) the same question, for who just asked it; None while the encoder is not loaded."""
    found = [one for one in search(question.asker, masked(question.text)) if (one.similarity or 0) >= THE_SAME]
    return max(found, key=lambda one: one.similarity or 0, default=None)


def _run(sql: str, **values: Any) -> list[tuple[Any, ...]]:
    vector = values.pop("vector")
    constants = {"alike": ALIKE, "not_far": NOT_FAR, "fusion": FUSION, "common": COMMON_ROWS}
    sizes = {"candidates": CANDIDATES, "ranked": RANKED_ROWS}
    shown = vector.to_text() if vector is not None else None
    with connection.cursor() as cursor:
        cursor.execute(sql, {**constants, **sizes, **values, "vector": shown, "at": clock.now()})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def current(answer_id: UUID) -> Answer | None:
    """The answer with its question when others may use it now, by the same rule as `search`."""
    rows = Answer.objects.raw(
        f"SELECT a.* FROM questions_answer a JOIN questions_knowledgeentry e ON e.answer_id = a.id"  # noqa: S608 — constant
        f" JOIN questions_question q ON q.id = a.question_id WHERE a.id = %(id)s AND {_ELIGIBLE}",
        {"id": answer_id, "at": clock.now()},
    )
    return next(iter(rows.prefetch_related("question__topic", "author")), None)
