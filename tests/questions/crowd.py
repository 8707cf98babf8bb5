"""Many experts and many questions, made quickly."""

from datetime import timedelta
from uuid import UUID

from django.db.models import Count, F, Q

from backend import clock
from people.models import Absence, Person
from questions import intake, routing
from questions.models import HOPS_MAX, Assignment, Expertise, Question, Topic, Workload
from tests.conftest import person


def experts(topic: Topic, count: int, *, capacity: int, first: int = 100) -> list[Person]:
    made = []
    for number in range(first, first + count):
        one = person(f"E{number}", f"X{number} Expert", "expert")
        Expertise.objects.create(topic=topic, person=one, level=1)
        Workload.set_capacity(one, capacity)
        made.append(one)
    return made


def questions(asker: Person, topic: Topic, count: int, *, first: int = 0) -> list[UUID]:
    """Received a minute apart and handed in backwards: the first of the list has the nearest promise."""
    start = clock.now() - timedelta(minutes=count + first)
    ids = [
        intake.submit(
            asker,
            f"Vraag {first + number}",
            request_key=f"crowd-{first + number}",
            source="api",
            received_at=start + timedelta(minutes=number),
            topic=topic,
            topic_chosen_by="asker",
        ).pk
        for number in reversed(range(count))
    ]
    return ids[::-1]


def fill_due() -> None:
    """What the rings would have made the worker do."""
    from questions import experts as places

    for person_id in places.due_for_filling(500):
        routing.fill(person_id)


def offered() -> set[UUID]:
    return set(Question.objects.filter(state="offered").values_list("pk", flat=True))


def check_invariants() -> None:
    """What must be true whenever nobody is in the middle of a transaction."""
    is_open = Q(person__assignments__state__in=Assignment.OPEN)
    counted = Workload.objects.annotate(n=Count("person__assignments", filter=is_open))
    wrong = [(row.person_id, row.open_count, row.n) for row in counted if row.open_count != row.n]
    assert not wrong, f"open_count differs from what is open: {wrong}"
    assert not Workload.objects.filter(open_count__gt=F("capacity")).exists()
    open_ = Assignment.objects.filter(state__in=Assignment.OPEN)
    doubled = open_.filter(is_swarm=False).values("question").annotate(n=Count("pk")).filter(n__gt=1)
    assert not doubled.exists()
    assert not Assignment.objects.filter(hop__gt=HOPS_MAX).exists()
    now = clock.now()
    away = Absence.objects.filter(starts_at__lte=now, ends_at__gt=now).values("person")
    assert not open_.filter(expert__in=away).exists(), "somebody who is away holds a question"
    gone = Person.objects.exclude(pk__in=Person.objects.present().values("pk"))
    assert not open_.filter(expert__in=gone).exists(), "somebody who left holds a question"
    assert not Assignment.objects.filter(expert=F("question__asker")).exists()
    assert not Assignment.objects.filter(question__not_to__contains=[F("expert_id")]).exists()
    held = Question.objects.filter(state__in=["offered", "accepted"])
    assert not held.exclude(pk__in=open_.values("question")).exists(), "a question is with nobody and nobody looks"
    loose = Question.objects.filter(state__in=["routing", "received"], route_at__isnull=True)
    assert not loose.exists(), "a question waits and nothing will look at it"
