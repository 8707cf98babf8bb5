"""`manage.py demo`: the demo company, through the same doors as a real one: HR's CSV, topics, and questions in time."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from backend import clock
from people import absences, roster
from people.models import Person
from questions import after, answering, approvals, cards, expectation, experts, intake, releasing, rounds, routing, topics
from questions.models import (
    Answer,
    Assignment,
    Calendar,
    CalendarSlot,
    Closure,
    DutyShift,
    Expertise,
    Question,
    Round,
    Topic,
    TopicExample,
    Workload,
)
from sandbox import demo_rewards

ROTA_DAYS = 28
FOLDER = Path(__file__).resolve().parent.parent.parent / "demo"


class Command(BaseCommand):
    help = "Load the demo company; does nothing where it is loaded already."

    def handle(self, *args: Any, **options: Any) -> None:
        if Topic.objects.exists():
            return
        with transaction.atomic():
            load_people()
            load_calendars()
            load_topics()
            load_rota()
            demo_rewards.load()
            load_questions()
            load_absences()
        expectation.refresh()  # so that the first who asks hears when to expect the answer


def load_people() -> None:
    """About 40 people, as HR would send them. The file's extra column says how much each expert takes on."""
    text = (FOLDER / "people.csv").read_text()
    report = roster.import_csv(text)
    if report.refused:
        raise ValueError(report.refused)
    for row in csv.DictReader(text.splitlines()):
        if row["capacity"]:
            Workload.set_capacity(Person.objects.get(employee_number=row["employee_number"]), int(row["capacity"]))


def _rosters() -> Any:
    return json.loads((FOLDER / "rosters.json").read_text())


def load_calendars() -> None:
    """The company's hours, for topics that promise working hours."""
    for data in _rosters()["calendars"]:
        calendar = Calendar.objects.create(name=data["name"])
        for weekday, begins, ends in data["slots"]:
            CalendarSlot.objects.create(calendar=calendar, weekday=weekday, starts_minute=begins, ends_minute=ends)
        first, last = (clock.now().date() + timedelta(days=days) for days in data["closure_in_days"])
        Closure.objects.create(calendar=calendar, first_day=first, last_day=last)


def load_rota() -> None:
    """Somebody of the duty desk at every hour of the next four weeks. Hours past 24 are the next day's."""
    today = clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(-1, ROTA_DAYS):
        for number, begins, ends in _rosters()["rota"]:
            starts_at, ends_at = (today + timedelta(days=day, hours=hour) for hour in (begins, ends))
            DutyShift.objects.create(person=_person(number), starts_at=starts_at, ends_at=ends_at)


def load_absences() -> None:
    """Said by the people themselves; who is away from today loses what they hold."""
    for number, first, last, stand_in in _rosters()["absences"]:
        starts_at, ends_at = (clock.now() + timedelta(days=days) for days in (first, last))
        stand_in_id = _person(stand_in).pk if stand_in else None
        absences.add(_person(number), starts_at=starts_at, ends_at=ends_at, stand_in_id=stand_in_id)


def load_topics() -> None:
    calendars = {data["key"]: Calendar.objects.get(name=data["name"]) for data in _rosters()["calendars"]}
    for data in json.loads((FOLDER / "topics.json").read_text()):
        examples, experts, lead = data.pop("examples"), data.pop("experts"), data.pop("lead")
        calendar, card = calendars.get(data.pop("calendar", "")), data.pop("card", None)
        topic = Topic.objects.create(**data, lead=_person(lead), calendar=calendar)
        TopicExample.objects.bulk_create(TopicExample(topic=topic, **example) for example in examples)
        for expert in experts:
            Expertise.objects.create(topic=topic, person=_person(expert["employee_number"]), level=expert["level"])
        if card:
            written = cards.write(_person(lead), topic.slug, cards.Texts(**card))
            cards.approve(_person(lead), written.pk)
    topics.train()


def _person(number: str) -> Person:
    return Person.objects.get(employee_number=number)


def load_questions() -> None:
    """Questions at every stage; the steps of their past happened long ago and are not told again."""
    for number, data in enumerate(json.loads((FOLDER / "questions.json").read_text())):
        _load_question(number, data)


def _load_question(number: int, data: dict[str, Any]) -> None:
    received_at = clock.now() - timedelta(hours=data["age_hours"])
    topic = Topic.objects.get(slug=data["topic"]) if data.get("topic") else None
    question = intake.submit(
        _person(data["asker"]),
        data["text"],
        request_key=f"demo:{number}",
        source="sms",
        received_at=received_at,
        language=data["language"],
        topic=topic if data["state"] != "triage" else None,
        topic_chosen_by="asker" if topic else "",
    )
    _forget_past_steps(question)
    if data["state"] == "triage":
        return  # the worker looks at it and sends it to the desk
    expert = _person(data["expert"]) if data.get("expert") else None
    if expert is None:
        return
    assignment = _assign(question, expert)
    if data["state"] in {"accepted", "answered", "closed"}:
        answering.accept(expert, assignment.pk)
    if data["state"] in {"answered", "closed"}:
        _answer(question, assignment, data, received_at)


def _forget_past_steps(question: Question) -> None:
    """Mark the steps that lie in the past as done; only what is still ahead will speak."""
    round_ = question.current_round
    now = clock.now()
    done = sum(rounds.step_at(round_, step) <= now for step in (1, 2, 3))
    following = rounds.step_at(round_, done + 1)
    Round.objects.filter(pk=round_.pk).update(steps_done=done, next_step_at=following)
    round_.refresh_from_db()


def _assign(question: Question, expert: Person) -> Assignment:
    """Offer the question to this very expert, with the reasons that routing gives."""
    at = clock.now()
    question.mark_routing(question.topic, confidence=None, chosen_by=question.topic_chosen_by, at=at)
    until = at + timedelta(days=30)
    candidates = [c for c in experts.candidates_for(question, at, until) if c.person_id == expert.pk]
    [ranked] = routing.choose(candidates, now=at, until=until, language=question.language)
    if not experts.take_slot(question, expert.pk):
        raise ValueError(f"{expert} has no room for {question}")
    return routing.make_offer(question, ranked, at, hop=1)


def _lead(question: Question) -> Person:
    lead = question.topic.lead if question.topic else None
    if lead is None:
        raise ValueError(f"{question} has no lead to approve its answer")
    return lead


def _answer(question: Question, assignment: Assignment, data: dict[str, Any], received_at: Any) -> None:
    hours = data.get("answered_after_hours") or min(data["age_hours"] / 2, 6)
    written_at = received_at + timedelta(hours=hours)
    given = answering.answer(
        assignment.expert,
        assignment.pk,
        data["answer"],
        internal_note=data.get("internal_note") or "",
        received_at=written_at,
        source="email",
    )
    if given.state == Answer.State.DRAFT:
        approvals.approve(_lead(question), given.pk, received_at=written_at + timedelta(minutes=20))
    elif given.state == Answer.State.HELD:
        releasing.send(assignment.expert, assignment.pk, received_at=written_at)
    if data.get("helped") is not None:
        after.rate(question.pk, helped=data["helped"])
