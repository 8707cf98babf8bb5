"""The world in which `benchmarks.promise` measures: fixed, so that nobody tunes it. Every draw is keyed, none by order.

Four weeks in Amsterdam, the third with a national holiday on its Monday. What is not said here is the product's own.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from uuid import UUID
from zoneinfo import ZoneInfo

from questions import calendars
from questions.calendars import Slot, Week

ZONE = ZoneInfo("Europe/Amsterdam")
FIRST_DAY = datetime(2026, 4, 13, tzinfo=ZONE)  # a Monday; King's Day is Monday 27 April
WEEKS = 4
COUNTRY = "NL"

QUESTIONS, EXPERTS, TOPICS = 10_000, 200, 12
MONDAY = 1.8  # times as many questions
OUT_OF_HOURS = 0.35  # share of questions in evenings and weekends
DAY_HOURS, EVENING_HOURS = range(8, 18), range(18, 23)
MISROUTED = 0.05  # share whose topic is wrong at first; who reacts says so, and then it is right

CAPACITY = 5
TOPICS_EACH = (1, 3)
PART_TIME, FULL_TIME = 0.6, 0.2  # of the experts, Monday to Friday 9:00–17:30; the others work in shops
PART_TIME_DAYS = (3, 4)  # 24 to 32 hours a week
OFFICE_HOURS = (9 * 60, 17 * 60 + 30)
SHOP_HOURS = (10 * 60, 18 * 60)  # five days in a row that hold Saturday and Sunday
SHOP_FIRST_DAYS = (2, 3, 4, 5)
ABSENT = 0.10  # share of experts away in any one week …
ABSENT_UNANNOUNCED = 0.5  # … half of them say so only on Monday morning
ANNOUNCED_AT = timedelta(hours=8)

ANSWER_MEDIAN, DECLINE_MEDIAN, SIGMA = timedelta(hours=2), timedelta(hours=1), 1.0  # log-normal, in working time
SILENT, DECLINES = 0.15, 0.10  # shares of offers
EVENING_LOOK = 0.10  # chance to look once in the evening, and then to react at once
LOOKS_BETWEEN = (19.0, 22.0)

HOUR = timedelta(hours=1)


def luck(*key: object) -> random.Random:
    """A stream of its own for every key: whatever a policy does, each question and expert meet the same luck."""
    return random.Random(":".join(str(part) for part in key))  # noqa: S311 — a simulation, not a secret


@dataclass(frozen=True)
class Absence:
    starts_at: datetime
    ends_at: datetime
    known_at: datetime


@dataclass
class Expert:
    number: int
    levels: dict[int, int]  # topic → 1 to 3
    slots: tuple[Slot, ...]
    absences: list[Absence] = field(default_factory=list)

    @cached_property
    def id(self) -> UUID:
        return UUID(int=self.number + 1)

    @cached_property
    def country(self) -> str:
        """Shops are open on national holidays; who works there has them in the roster."""
        return "" if any(weekday >= 5 for weekday, _begin, _end in self.slots) else COUNTRY

    @cached_property
    def true_week(self) -> Week:
        away = tuple((absence.starts_at, absence.ends_at) for absence in self.absences)
        return Week(ZONE, self.slots, away=away, country=self.country)

    def known_week(self, at: datetime) -> Week:
        """What the rosters say at `at`: absences that nobody announced yet are not in them."""
        away = tuple((a.starts_at, a.ends_at) for a in self.absences if a.known_at <= at and a.ends_at > at)
        return Week(ZONE, self.slots, away=away, country=self.country)

    def is_known_away(self, at: datetime) -> bool:
        return any(a.known_at <= at and a.starts_at <= at < a.ends_at for a in self.absences)


@dataclass(frozen=True)
class Question:
    number: int
    asked_at: datetime
    topic: int
    first_topic: int  # what it was taken for

    @property
    def due_at(self) -> datetime:
        return self.asked_at + 24 * HOUR


@dataclass(frozen=True)
class Reaction:
    kind: str  # answer, decline, or wrong_topic
    at: datetime


@dataclass
class World:
    seed: int
    experts: list[Expert]
    questions: list[Question]

    @classmethod
    def make(cls, seed: int, questions: int = QUESTIONS, experts: int = EXPERTS) -> "World":
        return cls(seed, [_expert(seed, number) for number in range(experts)], _questions(seed, questions))

    def qualified(self, topic: int) -> list[Expert]:
        return [expert for expert in self.experts if topic in expert.levels]

    def reaction(self, question: Question, expert: Expert, offered_at: datetime, taken_for: int) -> Reaction | None:
        """What this expert does with this question when it is offered now; None for never a word."""
        draw = luck(self.seed, question.number, expert.number)
        fate, time = draw.random(), draw.gauss(0, SIGMA)
        if fate < SILENT:
            return None
        wrong = taken_for != question.topic and question.topic not in expert.levels
        kind = "wrong_topic" if wrong else "decline" if fate < SILENT + DECLINES else "answer"
        takes = (ANSWER_MEDIAN if kind == "answer" else DECLINE_MEDIAN) * (2.718281828**time)
        at_work = calendars.add_working_time(expert.true_week, offered_at, takes)
        look = self._look(question, expert, offered_at, at_work)
        times = [at for at in (at_work, look) if at is not None]
        return Reaction(kind, min(times)) if times else None

    def _look(self, question: Question, expert: Expert, since: datetime, before: datetime | None) -> datetime | None:
        """The first evening on which they look, if one comes before their own reaction at work."""
        until = before or since + timedelta(days=7)
        day = since.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < until:
            draw = luck(self.seed, question.number, expert.number, day.date())
            looks, hour = draw.random() < EVENING_LOOK, draw.uniform(*LOOKS_BETWEEN)
            at = (day.replace(tzinfo=None) + timedelta(hours=hour)).replace(tzinfo=ZONE).astimezone(UTC)
            away = any(a.starts_at <= at < a.ends_at for a in expert.absences)
            at_work = calendars.working_time_between(expert.true_week, at, at + timedelta(microseconds=1))
            if looks and since <= at < until and not away and not at_work:
                return at
            day = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=ZONE)
        return None

    def best_possible(self, question: Question) -> datetime | None:
        """The first answer if it went at once to every qualified colleague, without capacity limits."""
        reactions = (self.reaction(question, e, question.asked_at, question.topic) for e in self.qualified(question.topic))
        return min((reaction.at for reaction in reactions if reaction and reaction.kind == "answer"), default=None)


def zipf() -> list[float]:
    return [1 / (topic + 1) for topic in range(TOPICS)]


def _expert(seed: int, number: int) -> Expert:
    draw = luck(seed, "expert", number)
    levels: dict[int, int] = {}
    for _topic in range(draw.randint(*TOPICS_EACH)):  # companies staff by demand
        levels[draw.choices(range(TOPICS), zipf())[0]] = draw.choice((1, 2, 3))
    kind = draw.random()
    if kind < PART_TIME + FULL_TIME:
        days = sorted(draw.sample(range(5), draw.choice(PART_TIME_DAYS))) if kind < PART_TIME else list(range(5))
        slots = tuple((day, *OFFICE_HOURS) for day in days)
    else:
        first = draw.choice(SHOP_FIRST_DAYS)
        slots = tuple(((first + day) % 7, *SHOP_HOURS) for day in range(5))
    return Expert(number, levels, slots, _absences(seed, number))


def _absences(seed: int, number: int) -> list[Absence]:
    found = []
    for week in range(WEEKS + 1):
        draw = luck(seed, "absence", number, week)
        monday = (FIRST_DAY.replace(tzinfo=None) + timedelta(weeks=week)).replace(tzinfo=ZONE)
        if draw.random() < ABSENT:
            late = draw.random() < ABSENT_UNANNOUNCED
            starts_at, ends_at = _utc(monday), _utc(_later(monday, timedelta(weeks=1)))
            found.append(Absence(starts_at, ends_at, _utc(_later(monday, ANNOUNCED_AT)) if late else _utc(FIRST_DAY)))
    return found


def _later(at: datetime, by: timedelta) -> datetime:
    return (at.replace(tzinfo=None) + by).replace(tzinfo=ZONE)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _questions(seed: int, count: int) -> list[Question]:
    """Poisson by hour, given that there are `count` of them: each falls into an hour by the hours' rates."""
    hours, weights = _rates()
    draw = luck(seed, "arrivals")
    times = sorted(
        _utc(_later(hour, timedelta(seconds=draw.uniform(0, 3600))))
        for hour in draw.choices(hours, cum_weights=list(accumulate(weights)), k=count)
    )
    return [_question(seed, number, at) for number, at in enumerate(times)]


def _rates() -> tuple[list[datetime], list[float]]:
    """Every hour with questions, and how many it gets relative to the others."""
    hours = [_later(FIRST_DAY, timedelta(hours=number)) for number in range(WEEKS * 7 * 24)]
    hours = [hour for hour in hours if hour.hour in DAY_HOURS or hour.hour in EVENING_HOURS]
    busy = [MONDAY if hour.weekday() == 0 else 1.0 for hour in hours]
    out = [hour.weekday() >= 5 or hour.hour in EVENING_HOURS for hour in hours]
    inside = sum(weight for weight, is_out in zip(busy, out, strict=True) if not is_out)
    outside = sum(weight for weight, is_out in zip(busy, out, strict=True) if is_out)
    share = OUT_OF_HOURS / (1 - OUT_OF_HOURS) * inside / outside
    return hours, [weight * (share if is_out else 1.0) for weight, is_out in zip(busy, out, strict=True)]


def _question(seed: int, number: int, at: datetime) -> Question:
    draw = luck(seed, "question", number)
    topic = draw.choices(range(TOPICS), zipf())[0]
    wrong = draw.random() < MISROUTED
    other = draw.choice([one for one in range(TOPICS) if one != topic])
    return Question(number, at, topic, other if wrong else topic)
