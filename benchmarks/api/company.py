"""Who asks and gives in the measurement: 10,000 employees with tokens and wallets, 500 campaigns, and the history of those
whose lists are read. Everything has its number as id, so that each contender can draw without looking anything up."""

import hashlib
import uuid
from datetime import timedelta

from benchmarks import givers, report

PEOPLE, READERS, QUESTIONS_EACH, CAMPAIGNS, TOPICS = 10_000, 2_000, 25, 500, 20
PER_GIVER_MAX = 10**6


def token(number: int) -> str:
    """As long as a real one."""
    return f"benchmark-{number:033d}"


def digest(number: int) -> bytes:
    return hashlib.sha256(token(number).encode()).digest()


def id_of(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


def fill() -> int:
    """Fills the empty database of the product; returns the account of campaign 1's budget, from which the others count."""
    from backend import clock
    from people.models import AccessToken, Person

    at = clock.real()
    Person.objects.bulk_create(
        Person(
            id=id_of(number),
            employee_number=f"B{number}",
            name=f"Kim Bakker {number}",
            email=f"kim.{number}@example.com",
            roles=["employee"],
        )
        for number in range(1, PEOPLE + 1)
    )
    issued = {"created_at": at, "used_at": at, "proved_at": at, "expires_at": at + timedelta(days=90)}
    AccessToken.objects.bulk_create(
        AccessToken(person_id=id_of(number), digest=digest(number), **issued) for number in range(1, PEOPLE + 1)
    )
    _make_topics()
    givers.fill_wallets()
    budgets = [givers.make_campaign(number, per_giver_max=PER_GIVER_MAX) for number in range(1, CAMPAIGNS + 1)]
    assert budgets == list(range(budgets[0], budgets[0] + CAMPAIGNS))
    report.run_sql(HISTORY, {"readers": READERS, "each": QUESTIONS_EACH, "topics": TOPICS, "at": at - timedelta(days=30)})
    report.run_sql("VACUUM ANALYZE")
    return budgets[0]


HISTORY = """
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS round, person, nth,
           %(at)s::timestamptz + nth * interval '1 day' + person * interval '1 second' AS at
    FROM generate_series(1, %(readers)s) AS person, generate_series(1, %(each)s) AS nth
), question AS (
    INSERT INTO questions_question (id, reference, asker_id, text, language, source, answer_mode, is_confidential, topic_id,
        topic_chosen_by, topic_guesses, state, close_reason, not_to, friend_key, received_at, follow_ups, current_round_id)
    SELECT id, 'Q-' || person || '-' || nth, lpad(to_hex(person), 32, '0')::uuid,
        'My friend cannot send pictures since the update, and asks what to do about that. '
            || repeat('Restarted twice. ', nth %% 5),
        'en', 'api', 'via_me', FALSE, lpad(to_hex(1 + (person + nth) %% %(topics)s), 32, '0')::uuid, 'examples', '{}',
        'closed', 'helped', '{}', md5(id::text), at, 0, round FROM made
)
INSERT INTO questions_round (id, question_id, number, started_at, due_at, hours, policy_key, unpaused_due_at, steps_at,
    verdict, settled_at, is_answered, steps_done)
SELECT round, id, 1, at, at + interval '1 day', 24, '', at + interval '1 day',
    ARRAY[at + interval '12 hours', at + interval '18 hours', at + interval '21.6 hours'], 'kept', at + interval '5 hours',
    TRUE, 0 FROM made
"""


def _make_topics() -> None:
    from backend import clock
    from questions.models import Topic

    at = clock.now()
    Topic.objects.bulk_create(
        Topic(
            id=id_of(number),
            slug=f"topic-{number}",
            mail_key=f"topic-{number}",
            name_nl=f"Onderwerp {number}",
            name_en=f"Topic {number}",
            expected_at=at + timedelta(hours=4),
            expected_by_desk_at=at + timedelta(hours=5),
            forecast_at=at,
        )
        for number in range(1, TOPICS + 1)
    )
