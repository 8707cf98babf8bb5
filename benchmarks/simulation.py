"""Discrete events in simulated time: questions come in, experts react, offers lapse, steps fall due.

`Ours` asks the product: `routing.choose` whom to offer, `routing.offer_ends` until when, `promise.next_step` what is due.
The others assign as comparable systems do, and reassign after eight silent hours. An expert who has read a question may
still answer it when it was passed on meanwhile, under every policy: the first answer wins.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from benchmarks.world import CAPACITY, Expert, Question, Reaction, World, luck
from questions import calendars, promise, routing
from questions.calendars import Policy
from questions.experts import Candidate
from questions.models import HOPS_MAX
from questions.promise import SWARM_SIZE
from questions.rounds import DESK, SWARM, plan

SILENT_HOURS = timedelta(hours=8)
GIVE_UP = timedelta(days=10)  # after the due time: what nobody answered by then stays unanswered
LANGUAGE = "nl"


@dataclass
class Case:
    """One question under one policy."""

    question: Question
    topic: int
    steps_at: list[datetime]
    steps_done: int = 0
    had: set[int] = field(default_factory=set)
    open: dict[int, bool] = field(default_factory=dict)  # expert → swarm?
    hops: int = 0
    leg: int = 0
    waits: bool = False  # for routing
    queued: bool = False
    answered_at: datetime | None = None
    escalated: bool = False


@dataclass(frozen=True)
class Decision:
    """What a policy did, for the replay through the real database."""

    at: datetime
    kind: str  # offer, swarm, expire, answer, decline, wrong_topic, absent
    question: int
    expert: int


@dataclass(frozen=True)
class Happened:
    """One event, for the replay; `changed`: a decision was made, or the question's place in the queue is another."""

    at: datetime
    act: str
    arguments: tuple[Any, ...]
    changed: bool


class Simulation:
    """The clockwork all policies share; a policy says whom to give a question."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.questions[0].asked_at
        self.events: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self.numbers = count()
        self.cases = [
            Case(question, question.first_topic, plan(Policy(timedelta(hours=24)), question.asked_at)[0])
            for question in world.questions
        ]
        self.load: dict[int, int] = defaultdict(int)
        self.most: dict[int, int] = defaultdict(int)  # the highest load each expert ever had
        self.given: dict[int, int] = defaultdict(int)
        self.by_topic = {topic: world.qualified(topic) for topic in range(64) if world.qualified(topic)}
        self.log: list[Decision] = []
        self.trace: list[Happened] = []

    def run(self) -> "Simulation":
        for case in self.cases:
            self.later(case.question.asked_at, self.arrive, case)
        self.prepare()
        while self.events:
            self.now, _number, act, arguments = heapq.heappop(self.events)
            before = len(self.log), self.state_of(arguments)
            act(*arguments)
            changed = before != (len(self.log), self.state_of(arguments))
            self.trace.append(Happened(self.now, act.__name__, arguments, changed))
        return self

    @staticmethod
    def state_of(arguments: tuple[Any, ...]) -> object:
        return arguments[0].queued if isinstance(arguments[0], Case) else None

    def later(self, at: datetime, act: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self.events, (at, next(self.numbers), act, arguments))

    def note(self, kind: str, case: Case, expert: Expert) -> None:
        self.log.append(Decision(self.now, kind, case.question.number, expert.number))

    def experts(self, case: Case) -> list[Expert]:
        return [e for e in self.by_topic.get(case.topic, []) if e.number not in case.had and not e.is_known_away(self.now)]

    def give(self, case: Case, expert: Expert, *, is_swarm: bool = False) -> None:
        self.note("swarm" if is_swarm else "offer", case, expert)
        case.had.add(expert.number)
        case.open[expert.number] = is_swarm
        self.load[expert.number] += 1
        self.given[expert.number] += 1
        self.most[expert.number] = max(self.most[expert.number], self.load[expert.number])
        reaction = self.world.reaction(case.question, expert, self.now, case.topic)
        if reaction:
            self.later(reaction.at, self.react, case, expert, reaction)

    def close(self, case: Case, expert: Expert) -> bool:
        """The expert holds it no longer."""
        if expert.number not in case.open:
            return False
        del case.open[expert.number]
        self.load[expert.number] -= 1
        return True

    def react(self, case: Case, expert: Expert, reaction: Reaction) -> None:
        if case.answered_at:
            return
        if reaction.kind == "answer":
            self.note("answer", case, expert)
            case.answered_at = self.now
            case.waits = case.queued = False
            for number in list(case.open):
                self.close(case, self.world.experts[number])
                self.freed(self.world.experts[number])
            return
        if expert.number not in case.open:
            return
        self.note(reaction.kind, case, expert)
        self.close(case, expert)
        if reaction.kind == "wrong_topic" and not case.open:
            case.topic = case.question.topic
            case.leg += 1
            case.hops = 0
        self.freed(expert)
        self.passed_on(case)

    # --- what a policy does ------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Before the first question."""

    def arrive(self, case: Case) -> None:
        raise NotImplementedError

    def passed_on(self, case: Case) -> None:
        raise NotImplementedError

    def freed(self, expert: Expert) -> None:
        """A place became free."""


class Ours(Simulation):
    """The product: its own functions decide; this class keeps the state that the database keeps otherwise."""

    def prepare(self) -> None:
        self.waiting: dict[int, Case] = {}
        for expert in self.world.experts:
            for absence in expert.absences:
                if absence.known_at > self.now:
                    self.later(absence.known_at, self.absent, expert)
                else:
                    self.later(absence.starts_at, self.absent, expert)

    def arrive(self, case: Case) -> None:
        for at in (*case.steps_at, case.question.due_at + timedelta(microseconds=1)):
            self.later(at, self.step, case)
        self.route(case)

    def passed_on(self, case: Case) -> None:
        if not case.open and not case.answered_at:
            self.route(case)

    def route(self, case: Case) -> None:
        case.waits = False
        self.waiting.pop(case.question.number, None)
        if case.answered_at or any(not is_swarm for is_swarm in case.open.values()):
            return
        if case.hops >= HOPS_MAX:
            case.escalated = True
            return
        candidates, until = self.candidates(case)
        if not any(routing.works_before(candidate, until) for candidate in candidates):
            self.wait(case, queued=False)
            return
        ranked = routing.choose(candidates, now=self.now, until=until, language=LANGUAGE)
        for chosen in ranked:
            expert = self.world.experts[chosen.person_id.int - 1]
            if not self.spoken_for(case, expert):
                case.hops += 1
                case.queued = False
                self.offer(case, expert, is_swarm=False)
                return
        self.wait(case, queued=True)

    def wait(self, case: Case, *, queued: bool) -> None:
        """Tried again in five minutes, or as soon as a place is free."""
        case.escalated = case.escalated or not queued
        if self.now > case.question.due_at + GIVE_UP:
            return
        case.waits, case.queued = True, queued
        self.waiting[case.question.number] = case
        self.later(self.now + routing.TRY_AGAIN, self.try_again, case, self.now)

    def try_again(self, case: Case, since: datetime) -> None:
        if case.waits:
            self.route(case)

    def candidates(self, case: Case) -> tuple[list[Candidate], datetime]:
        due_at = case.question.due_at
        until = due_at if due_at > self.now else self.now + calendars.HORIZON
        return [self.candidate(case, expert, until) for expert in self.experts(case)], until

    def candidate(self, case: Case, expert: Expert, until: datetime) -> Candidate:
        week = expert.known_week(self.now)
        return Candidate(
            person_id=expert.id,
            level=expert.levels[case.topic],
            open_count=self.load[expert.number],
            capacity=CAPACITY,
            language=LANGUAGE,
            works=calendars.next_open(week, self.now),
            time_left=calendars.working_time_between(week, self.now, until),
        )

    def offer(self, case: Case, expert: Expert, *, is_swarm: bool) -> None:
        ends = routing.offer_ends(
            expert.known_week(self.now), now=self.now, due_at=case.question.due_at, steps_at=case.steps_at
        )
        self.give(case, expert, is_swarm=is_swarm)
        self.later(ends, self.expire, case, expert)

    def expire(self, case: Case, expert: Expert) -> None:
        if case.answered_at or expert.number not in case.open:
            return
        self.note("expire", case, expert)
        self.close(case, expert)
        self.freed(expert)
        self.passed_on(case)

    def step(self, case: Case) -> None:
        if case.answered_at:
            return
        reached, _following = promise.next_step(case.steps_at, case.question.due_at, case.steps_done, self.now)
        case.steps_done = max(reached, case.steps_done)
        if reached == SWARM and case.open:
            self.swarm(case)
        case.escalated = case.escalated or reached == DESK

    def swarm(self, case: Case) -> None:
        candidates, until = self.candidates(case)
        for chosen in routing.choose(candidates, now=self.now, until=until, language=LANGUAGE)[:SWARM_SIZE]:
            self.offer(case, self.world.experts[chosen.person_id.int - 1], is_swarm=True)

    def may_have(self, expert: Expert) -> list[Case]:
        """Questions that wait and that this expert may have, the nearest promise first."""
        found = [c for c in self.waiting.values() if c.topic in expert.levels and expert.number not in c.had]
        return sorted(found, key=lambda case: (case.question.due_at, case.question.number))

    def freed(self, expert: Expert) -> None:
        waiting = self.may_have(expert)
        if waiting:
            self.later(self.now, self.try_again, waiting[0], self.now)

    def spoken_for(self, case: Case, expert: Expert) -> bool:
        ahead = [
            other
            for other in self.may_have(expert)
            if other.queued and other is not case and other.question.due_at < case.question.due_at
        ]
        if not ahead:
            return False
        works = calendars.next_open(expert.known_week(self.now), self.now)
        theirs = [c for c in ahead if c.question.due_at <= self.now or (works and c.question.due_at > works[0])]
        return len(theirs) >= CAPACITY - self.load[expert.number]

    def absent(self, expert: Expert) -> None:
        """An absence begins or is announced: what they hold moves."""
        for case in [case for case in self.cases if expert.number in case.open]:
            self.note("absent", case, expert)
            self.close(case, expert)
            if not case.open and not case.answered_at:
                case.waits = True
                self.later(self.now, self.try_again, case, self.now)


class Comparable(Simulation):
    """Assigns to somebody who knows the topic and has room, whatever the hour; reassigns after eight silent hours."""

    def prepare(self) -> None:
        self.waiting: dict[int, Case] = {}

    def pick(self, case: Case, free: list[Expert]) -> Expert:
        raise NotImplementedError

    def arrive(self, case: Case) -> None:
        self.assign(case)

    def passed_on(self, case: Case) -> None:
        self.assign(case)

    def assign(self, case: Case) -> None:
        if case.answered_at or case.open or self.now > case.question.due_at + GIVE_UP:
            return
        known = self.experts(case)
        free = [expert for expert in known if self.load[expert.number] < CAPACITY]
        if not known:  # everybody had it: it goes round again
            case.had.clear()
        if not free:
            self.waiting[case.question.number] = case
            return
        self.waiting.pop(case.question.number, None)
        expert = self.pick(case, free)
        case.hops += 1
        self.give(case, expert)
        self.later(self.now + SILENT_HOURS, self.silent, case, expert)

    def silent(self, case: Case, expert: Expert) -> None:
        if not case.answered_at and self.close(case, expert):
            self.freed(expert)
            self.assign(case)

    def freed(self, expert: Expert) -> None:
        for case in sorted(self.waiting.values(), key=lambda case: case.question.number):
            if case.topic in expert.levels and expert.number not in case.had:
                self.later(self.now, self.assign, case)
                return


class RoundRobin(Comparable):
    def prepare(self) -> None:
        super().prepare()
        self.turn: dict[int, int] = defaultdict(int)

    def pick(self, case: Case, free: list[Expert]) -> Expert:
        self.turn[case.topic] += 1
        everybody = self.by_topic[case.topic]
        for step in range(len(everybody)):
            expert = everybody[(self.turn[case.topic] + step) % len(everybody)]
            if expert in free:
                self.turn[case.topic] += step
                return expert
        return free[0]


class LeastOpen(Comparable):
    def pick(self, case: Case, free: list[Expert]) -> Expert:
        return min(free, key=lambda expert: (self.load[expert.number], expert.number))


class Random(Comparable):
    def pick(self, case: Case, free: list[Expert]) -> Expert:
        return luck(self.world.seed, "random", case.question.number, case.hops).choice(free)


POLICIES: dict[str, type[Simulation]] = {
    "ours": Ours,
    "round_robin": RoundRobin,
    "least_open": LeastOpen,
    "random": Random,
}


def person_of(number: int) -> UUID:
    """The id under which the product knows expert `number`."""
    return UUID(int=number + 1)
