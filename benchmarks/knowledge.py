"""How fast similar answered questions are found: the product's own search, a real PostgreSQL, real sentence embeddings.

Questions are made of templates (who asks, what, where, which device, which amount) in Dutch and English, so that a hundred
thousand differ and many are near each other, as in life; each is embedded. `p50_ms` and `p95_ms` hold the whole search: the
query's embedding (`embed_ms` of it), the one SQL statement (`sql_ms`), the rows. `recall_at_5` is the share of the exact
search's first five that the index finds too; `build_s` is what building the HNSW index takes, `embed_s` embedding it all.
"""

import argparse
import random
import time
from statistics import fmean, median, quantiles
from typing import Any

from benchmarks import report

SEED = 7
PART = 2_000
QUERIES = 300
WARM_UP = 30
COMPARED = 100  # queries that are also answered exactly

WHO = {
    "nl": ["Mijn zus", "Mijn buurman", "Een vriend", "Mijn oma", "Een collega van mijn vrouw", "Mijn neef", "Een klant"],
    "en": ["My sister", "My neighbour", "A friend", "My grandmother", "My wife's colleague", "My cousin", "A customer"],
}
WHAT = {
    "nl": [
        "vraagt waarom de rekening van {month} {amount} euro hoger is",
        "wil weten of de bundel in {place} werkt",
        "heeft sinds {month} geen bereik in {place}",
        "wil de eSIM overzetten naar een {device}",
        "vraagt wat een nieuw scherm voor een {device} kost",
        "kreeg een boete van {amount} euro voor te laat betalen",
        "wil het nummer meenemen voor {month}",
        "kan de wifi thuis in {place} niet meer vinden met een {device}",
        "vraagt hoe je de voicemail van een {device} uitzet",
        "wil opzeggen en vraagt of dat voor {month} {amount} euro kost",
        "is {amount} euro dubbel afgeschreven in {month}",
        "vraagt wanneer glasvezel naar {place} komt",
    ],
    "en": [
        "asks why the bill for {month} is {amount} euros higher",
        "wants to know whether the bundle works in {place}",
        "has had no signal in {place} since {month}",
        "wants to move the eSIM to a {device}",
        "asks what a new screen for a {device} costs",
        "was fined {amount} euros for paying late",
        "wants to bring the number along before {month}",
        "cannot find the wifi at home in {place} any more with a {device}",
        "asks how to turn off the voicemail of a {device}",
        "wants to cancel and asks whether that costs {amount} euros before {month}",
        "was charged {amount} euros twice in {month}",
        "asks when fibre comes to {place}",
    ],
}
MORE = {
    "nl": [
        "Het gaat om {amount} euro.",
        "Dit speelt al {amount} dagen.",
        "De winkel in {place} wist het niet.",
        "Het toestel is een {device}.",
        "Graag voor {month}.",
        "Aan de telefoon kreeg niemand het opgelost, ook niet na {amount} minuten wachten.",
    ],
    "en": [
        "It is about {amount} euros.",
        "It has been going on for {amount} days.",
        "The shop in {place} did not know.",
        "The phone is a {device}.",
        "Before {month}, please.",
        "Nobody on the phone could solve it, not even after waiting {amount} minutes.",
    ],
}
MONTHS = {
    "nl": ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober"],
    "en": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"],
}
PLACES = ["Spanje", "Turkije", "Haren", "Utrecht", "Lombok", "Marokko", "Parijs", "Breda", "Almere", "Londen", "Zwolle"]
DEVICES = ["iPhone 15", "Galaxy S24", "Fairphone 5", "Pixel 8", "oude Nokia", "tablet", "iPhone SE", "Moto G", "laptop"]


def _texts(count: int, draw: random.Random) -> list[tuple[str, str]]:
    """(language, question): `count` of them."""
    found = []
    for _number in range(count):
        language = draw.choice(["nl", "nl", "nl", "en"])
        sentence = f"{draw.choice(WHO[language])} {draw.choice(WHAT[language])}? {draw.choice(MORE[language])}"
        text = sentence.format(
            month=draw.choice(MONTHS[language]),
            amount=draw.randrange(3, 400),
            place=draw.choice(PLACES),
            device=draw.choice(DEVICES),
        )
        found.append((language, text))
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with report.own_database():
        return _measure(options.answers)


def _measure(answers: int) -> dict[str, Any]:
    from people.models import Person
    from questions import knowledge

    draw = random.Random(SEED)
    reader = Person.objects.create(employee_number="E1", name="Alice Reader", email="alice@vonkmobiel.example")
    began = time.perf_counter()
    fill(_texts(answers, draw), reader, draw)
    embed_s = time.perf_counter() - began
    build_s = build()
    asked = [text for _language, text in _texts(QUERIES, draw)]
    # Half of them unfinished, as while typing.
    asked = [text if number % 2 else text[: len(text) * 2 // 3] for number, text in enumerate(asked)]
    for text in asked[:WARM_UP]:
        knowledge.search(reader, text)
    taken, embedding, found = [], [], []
    for text in asked:
        began = time.perf_counter()
        knowledge.vectors([text])
        embedded = time.perf_counter()
        found.append(knowledge.search(reader, text))
        taken.append((time.perf_counter() - embedded) * 1000)
        embedding.append((embedded - began) * 1000)
    cuts = quantiles(taken, n=20)
    return {
        "answers": answers,
        "p50_ms": round(cuts[9], 1),
        "p95_ms": round(cuts[18], 1),
        "embed_ms": round(median(embedding), 1),
        "sql_ms": round(median(taken) - median(embedding), 1),
        "build_s": round(build_s, 1),
        "recall_at_5": round(_recall(asked[:COMPARED]), 3),
        "embed_s": round(embed_s, 1),
        "index_mb": _size_mb("knowledge_meaning"),
        "found_per_query": round(fmean(len(rows) for rows in found), 1),
    }


def fill(texts: list[tuple[str, str]], asker: Any, draw: random.Random) -> None:
    """Answered questions, learned as the worker learns them, without the HNSW index in the way."""
    from django.db import connection, transaction

    from backend import clock
    from backend.ids import uuid7
    from questions import knowledge, links, rounds
    from questions.models import Answer, KnowledgeEntry, Question, Round

    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX knowledge_meaning")
    at = clock.now()
    author = type(asker).objects.create(employee_number="E2", name="Bob Author", email="bob@vonkmobiel.example")
    for start in range(0, len(texts), PART):
        part = texts[start : start + PART]
        vectors = knowledge.vectors([text for _language, text in part])
        questions, promises, answers, entries = [], [], [], []
        for number, ((language, text), vector) in enumerate(zip(part, vectors, strict=True), start):
            question = Question(
                id=uuid7(),
                reference=f"Q-{number}",
                asker=asker,
                text=text,
                language=language,
                source="api",
                state="closed",
                close_reason="helped",
                friend_key=links.new_friend_key(),
                received_at=at,
            )
            round_ = rounds.new_round(question, 1, at)
            round_.next_step_at = None
            question.current_round = round_
            words = " ".join(other for _language, other in draw.sample(part, 2))
            answer = Answer(question=question, round=round_, author=author, text=words, source="api", state="released")
            answer.received_at = at
            questions.append(question)
            promises.append(round_)
            answers.append(answer)
            entries.append(KnowledgeEntry(question=question, answer=answer, text=text, embedding=vector))
        with transaction.atomic():
            Question.objects.bulk_create(questions)
            Round.objects.bulk_create(promises)
            Answer.objects.bulk_create(answers)
            KnowledgeEntry.objects.bulk_create(entries)
    for language, config in knowledge.CONFIGURATIONS.items():
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE questions_knowledgeentry e SET words = setweight(to_tsvector(%s, e.text), 'A')"
                " || setweight(to_tsvector(%s, a.text), 'B') FROM questions_answer a, questions_question q"
                " WHERE a.id = e.answer_id AND q.id = e.question_id AND q.language = %s",
                [config, config, language],
            )


def build() -> float:
    """Seconds that PostgreSQL needs to build the HNSW index over all rows, as a migration would."""
    from django.db import connection

    from questions.models import KnowledgeEntry

    [index] = [index for index in KnowledgeEntry._meta.indexes if index.name == "knowledge_meaning"]
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET maintenance_work_mem = '512MB'")
    with connection.schema_editor() as editor:
        editor.add_index(KnowledgeEntry, index)
    took = time.perf_counter() - began
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return took


def _recall(asked: list[str]) -> float:
    """The share of the index's first five that are as near as the exact fifth: of equally near ones any will do."""
    from pgvector import HalfVector

    from questions import knowledge

    shares = []
    for text in asked:
        vector = HalfVector(knowledge.vectors([text])[0]).to_text()
        exact = _nearest(vector, "SET enable_indexscan = off")
        shares.append(sum(distance <= exact[-1] + 1e-6 for distance in _nearest(vector, "RESET enable_indexscan")) / 5)
    return fmean(shares)


def _nearest(vector: str, setting: str) -> list[float]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(setting)
        cursor.execute(
            "SELECT embedding <=> %(vector)s::halfvec FROM questions_knowledgeentry"
            " ORDER BY embedding <=> %(vector)s::halfvec LIMIT 5",
            {"vector": vector},
        )
        return [row[0] for row in cursor.fetchall()]


def _size_mb(index: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s::regclass)", [index])
        [size] = cursor.fetchone()
    return int(size / 2**20)


if __name__ == "__main__":
    report.run(__doc__ or "", measure, answers=100_000)
