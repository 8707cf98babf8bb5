"""What the simulation decides, the product decides too: the same weeks again, through PostgreSQL."""

from datetime import datetime
from itertools import count
from typing import Any

import pytest

from backend import clock
from benchmarks.simulation import Case, Ours, person_of
from benchmarks.world import CAPACITY, TOPICS, Expert, Reaction, World
from people import lifecycle
from people.models import Absence, Person, WorkingHours
from questions import answering, desk, intake, promise, routing
from questions.models import Assignment, Expertise, Question, Topic, Workload
from tests.conftest import person

SEED, QUESTIONS, EXPERTS = 3, 300, 26
IDLE_SAMPLE = 40  # of the thousands of tries that changed nothing in the simulation, one in so many is made here too


class Replay:
    """Does through the product's functions what happened in the simulation, and lets the product decide."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asker, self.dana = person("E900", "Alice Asker"), person("E901", "Dana Dijk", "duty_desk")
        names = [f"topic-{number}" for number in range(TOPICS)]
        self.topics = [Topic.objects.create(slug=n, mail_key=n, name_nl=n, name_en=n) for n in names]
        self.questions: dict[int, Question] = {}
        for expert in world.experts:
            self._add(expert)

    def _add(self, expert: Expert) -> None:
        made = Person.objects.create(
            id=person_of(expert.number), employee_number=f"X{expert.number}", name=f"X{expert.number}", roles=["expert"]
        )
        for weekday, begin, end in expert.slots:
            WorkingHours.objects.create(person=made, weekday=weekday, starts_minute=begin, ends_minute=end)
        for topic, level in expert.levels.items():
            Expertise.objects.create(topic=self.topics[topic], person=made, level=level)
        Workload.set_capacity(made, CAPACITY)
        for absence in expert.absences:
            if absence.known_at <= self.world.questions[0].asked_at:
                Absence.objects.create(person=made, starts_at=absence.starts_at, ends_at=absence.ends_at)

    def arrive(self, case: Case) -> None:
        asked = case.question
        self.questions[asked.number] = intake.submit(
            self.asker,
            f"Vraag {asked.number}",
            request_key=f"q{asked.number}",
            source="api",
            received_at=asked.asked_at,
            topic=self.topics[asked.first_topic],
            topic_chosen_by="asker",
        )
        self._route(case)

    def _route(self, case: Case) -> None:
        routing.route(self.questions[case.question.number].pk)

    def _assignment(self, case: Case, expert: Expert) -> Assignment:
        return Assignment.objects.select_related("expert").get(
            question=self.questions[case.question.number], expert=person_of(expert.number)
        )

    def react(self, case: Case, expert: Expert, reaction: Reaction) -> None:
        mine = self._assignment(case, expert)
        question = Question.objects.get(pk=mine.question_id)
        if not question.is_unanswered:
            return
        if reaction.kind == "answer":
            answering.answer(mine.expert, mine.pk, "Zo.", received_at=reaction.at, source="api")
        elif mine.is_open and reaction.kind == "decline":
            answering.decline(mine.expert, mine.pk, "no_time")
            self._route(case)
        elif mine.is_open:
            answering.decline(mine.expert, mine.pk, "not_my_topic")
            question.refresh_from_db()
            if question.state == Question.State.TRIAGE:
                desk.choose_topic(self.dana, question.pk, self.topics[case.question.topic])
            self._route(case)

    def expire(self, case: Case, expert: Expert) -> None:
        routing.expire(self._assignment(case, expert).pk)
        self._route(case)

    def step(self, case: Case) -> None:
        question = Question.objects.get(pk=self.questions[case.question.number].pk)
        promise.advance(question.current_round_id)

    def try_again(self, case: Case, since: datetime) -> None:
        routing.route(self.questions[case.question.number].pk, early=True)

    def absent(self, expert: Expert) -> None:
        who = Person.objects.get(pk=person_of(expert.number))
        for absence in expert.absences:
            if absence.known_at == clock.now():
                Absence.objects.create(person=who, starts_at=absence.starts_at, ends_at=absence.ends_at)
        for pk in lifecycle.absences_to_begin(1000):
            lifecycle.begin_absence(pk)


@pytest.mark.heavy
def test_three_hundred_questions_go_the_same_way_through_the_database(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.make(SEED, QUESTIONS, EXPERTS)
    simulated = Ours(world).run()
    now: list[Any] = [world.questions[0].asked_at]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    replay = Replay(world)
    idle = count()
    for happened in simulated.trace:
        if happened.act == "try_again" and not happened.changed and next(idle) % IDLE_SAMPLE:
            continue
        now[0] = happened.at
        getattr(replay, happened.act)(*happened.arguments)
    offers = [decision for decision in simulated.log if decision.kind in {"offer", "swarm"}]
    wanted = [(d.at, d.question, person_of(d.expert), d.kind == "swarm") for d in offers]
    numbers = {question.pk: number for number, question in replay.questions.items()}
    rows = Assignment.objects.order_by("offered_at", "id")
    found = [(row.offered_at, numbers[row.question_id], row.expert_id, row.is_swarm) for row in rows]
    assert sorted(found) == sorted(wanted)
    assert any(decision.kind == "swarm" for decision in simulated.log)
    assert any(decision.kind == "wrong_topic" for decision in simulated.log)
    assert any(decision.kind == "absent" for decision in simulated.log)
    for case in simulated.cases:
        round_ = (
            Question.objects.select_related("current_round").get(pk=replay.questions[case.question.number].pk).current_round
        )
        in_time = case.answered_at is not None and case.answered_at <= case.question.due_at
        assert (round_.verdict == "kept") == in_time
