"""What one tick of the sweeps costs while many questions are open: the product's own tasks on a real PostgreSQL.

`tick_ms` is one run of every sweep while nothing is due; `due_500_ms` the promises' sweep with 500 half-way reminders due
(each told to its holder), `due_500_breaches_ms` with 500 breaches; `at_once_doubled` counts steps done twice when four
sweepers run together; `policy_ms` is the search for promises behind their topic. `index_only` is true when every due query
is answered by its partial index, without a scan of the table.
"""

import argparse
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import Any

from benchmarks import report

ROUNDS = 7
DUE = 500
TOPICS, EXPERTS = 50, 200


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with report.own_database():
        return _measure(options.open)


def _measure(count: int) -> dict[str, Any]:
    _fill(count)
    from questions import promise, tasks

    _sweep_all()
    idle = {name: median(_ms(sweep) for _round in range(ROUNDS)) for name, sweep in _sweeps().items()}
    plans = _plans()
    policy = median(_ms(tasks.adopt_policies) for _round in range(3))
    reminders = _due_ms(step=1)
    breaches = _due_ms(step=4)
    return {
        "open": count,
        "tick_ms": round(sum(idle.values()), 1),
        "slowest_sweep": max(idle, key=lambda name: idle[name]),
        "policy_ms": round(policy),
        f"due_{DUE}_ms": round(reminders),
        f"due_{DUE}_breaches_ms": round(breaches),
        "batch": promise.BATCH,
        "at_once_doubled": _at_once_doubled(),
        "index_only": all("Index" in plan and "Seq Scan" not in plan for plan in plans.values()),
        "not_by_index": sorted(name for name, plan in plans.items() if "Index" not in plan or "Seq Scan" in plan),
    }


def _sweeps() -> dict[str, Callable[[], object]]:
    from notifications import tasks as notification_tasks
    from people import tasks as people_tasks
    from questions import tasks

    return {
        "inbound": notification_tasks.handle_due_inbound,
        "deliveries": notification_tasks.send_due,
        "routing": tasks.route_due,
        "promises": tasks.run_due_promises,
        "offers": tasks.expire_offers,
        "follow_ups": tasks.follow_up,
        "absences": people_tasks.begin_absences,
    }


def _sweep_all() -> None:
    for sweep in _sweeps().values():
        sweep()


def _ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


# --- a company with many open questions ------------------------------------------------------------------------------


def _fill(count: int) -> None:
    """Every question is offered to one expert and due some time within the next day; nothing is due now."""
    from django.db import connection

    from backend import clock
    from backend.ids import uuid7
    from notifications.models import InboundMessage
    from people.models import Person
    from questions.models import Assignment, Question, Round, Topic, Workload

    rng, at = random.Random(1), clock.now()
    people = Person.objects.bulk_create(
        Person(employee_number=f"E{number}", name=f"Expert {number}", roles=["expert"]) for number in range(EXPERTS)
    )
    Workload.objects.bulk_create(Workload(person=who, open_count=30_000, capacity=32_000) for who in people)
    topics = Topic.objects.bulk_create(
        Topic(slug=f"t{number}", mail_key=f"t{number}", name_nl="T", name_en="T") for number in range(TOPICS)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    for first in range(0, count, 5000):
        questions, rounds, offers = [], [], []
        for number in range(first, min(first + 5000, count)):
            started = at - timedelta(hours=11 * rng.random())
            topic, asker, expert = rng.choice(topics), people[number % EXPERTS], people[(number + 1) % EXPERTS]
            question = Question(
                id=uuid7(),
                reference=f"Q-{number}",
                asker=asker,
                text="Waarom is de rekening zo hoog?",
                language="nl",
                source="api",
                topic=topic,
                state="offered",
                friend_key=f"{number:032}",
                received_at=started,
            )
            round_ = Round(
                id=uuid7(),
                question=question,
                started_at=started,
                due_at=started + timedelta(hours=24),
                unpaused_due_at=started + timedelta(hours=24),
                policy_key="24h",
                steps_at=[started + timedelta(hours=24) * share for share in (0.5, 0.75, 0.9)],
                next_step_at=started + timedelta(hours=12),
            )
            question.current_round = round_
            questions.append(question)
            rounds.append(round_)
            offers.append(
                Assignment(
                    question=question, round=round_, expert=expert, hop=1, offered_at=started, expires_at=at + timedelta(1)
                )
            )
        _insert(questions, rounds, offers)
    InboundMessage.objects.bulk_create(
        InboundMessage(
            channel="sms",
            provider_id=f"SM{number}",
            sender="+31600000000",
            raw=b"",
            received_at=at,
            due_at=at,
            state="handled",
        )
        for number in range(count // 5)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _insert(questions: list[Any], rounds: list[Any], offers: list[Any]) -> None:
    from django.db import transaction

    from questions.models import Assignment, Question, Round

    with transaction.atomic():
        Question.objects.bulk_create(questions)
        Round.objects.bulk_create(rounds)
        Assignment.objects.bulk_create(offers)


# --- something is due ------------------------------------------------------------------------------------------------


def _make_due(step: int) -> list[Any]:
    """The 500 oldest promises reach this step now, all that came before it done."""
    from backend import clock
    from questions.models import Round

    at = clock.now() - timedelta(seconds=1)
    chosen = list(
        Round.objects.filter(verdict="", steps_done=0).order_by("next_step_at").values_list("pk", flat=True)[:DUE]
    )
    hours = {1: 12.0, 4: 24.0}[step]
    started = at - timedelta(hours=hours)
    Round.objects.filter(pk__in=chosen).update(
        started_at=started,
        due_at=started + timedelta(hours=24),
        steps_at=[started + timedelta(hours=24) * share for share in (0.5, 0.75, 0.9)],
        steps_done=step - 1,
        next_step_at=at,
    )
    return chosen


def _due_ms(step: int) -> float:
    """Until all of them are done, however many batches that takes."""
    from questions import promise

    _make_due(step)

    def until_done() -> None:
        while promise.run_due():
            pass

    return _ms(until_done)


def _at_once_doubled() -> int:
    from django.db import connections
    from django.db.models import Count

    from questions import promise
    from questions.models import Event

    chosen = _make_due(1)

    def sweep() -> None:
        while promise.due_ids(1):
            promise.run_due()
        connections.close_all()

    sweepers = [threading.Thread(target=sweep) for _number in range(4)]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()
    reminded = Event.objects.filter(kind="reminded", question__current_round__in=chosen).values("question")
    return reminded.annotate(n=Count("pk")).filter(n__gt=1).count()


def _plans() -> dict[str, str]:
    """How PostgreSQL answers the due queries of the sweeps."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from notifications import inbound
    from questions import after, duty, promise, routing

    looks: dict[str, Callable[[], object]] = {
        "promises": lambda: promise.due_ids(200),
        "routing": lambda: routing.due_ids(200),
        "offers": lambda: routing.due_offers(200),
        "follow_ups": lambda: after.due_ids(200),
        "desk": lambda: duty.due_ids(200),
        "inbound": lambda: inbound.due_ids(200),
    }
    plans = {}
    for name, look in looks.items():
        with CaptureQueriesContext(connection) as captured:
            look()
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + captured[0]["sql"])
            plans[name] = "\n".join(row[0] for row in cursor.fetchall())
    return plans


if __name__ == "__main__":
    report.run(__doc__ or "", measure, open=100_000)
