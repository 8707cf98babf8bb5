"""The promise: an answer within the topic's hours after the message was received, and what happens on the way.

Steps belong to the round and each happens once: ½ remind, ¾ swarm, 9⁄10 duty desk, 1 breach. Which one is reached is a
pure function, `next_step`, which `benchmarks.promise` runs too. The sweep claims due rows; after an outage only the highest
step reached speaks, the skipped ones are recorded.
"""

import logging
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from backend import clock
from backend.retry import until_done
from notifications import inbound
from notifications.models import Address, ItemCode
from notifications.notify import notify
from questions import calendars, duty, experts, facts, routing, words
from questions.models import Answer, Assignment, Question, Round, record
from questions.rounds import BREACH, DESK, NAMES, REMIND, SWARM, USUAL_WORK, step_at
from questions.rounds import next_step as next_step  # part of what a promise is: pure, and also run by the simulation

log = logging.getLogger(__name__)

BATCH = 200
TICK_SECONDS = 5.0
SWARM_SIZE = 2
LOOK_AGAIN = timedelta(seconds=30)
BROKEN_ROW_PAUSE = timedelta(minutes=1)


def due_ids(limit: int) -> list[UUID]:
    rows = Round.objects.filter(next_step_at__lte=clock.now()).order_by("next_step_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def run_due(limit: int = BATCH) -> int:
    """One tick; returns how many rounds were looked at. A row that breaks is put aside for a minute, the rest goes on.

    It ends when its seconds are over: after a long outage many ticks share the work, and none keeps others waiting.
    """
    ends, looked_at = time.monotonic() + TICK_SECONDS, 0
    for round_id in due_ids(limit):
        if time.monotonic() > ends:
            break
        looked_at += 1
        try:
            until_done(advance, round_id)
        except Exception:
            log.exception("promise step failed round=%s", round_id)
            Round.objects.filter(pk=round_id).update(next_step_at=clock.now() + BROKEN_ROW_PAUSE)
    return looked_at


@transaction.atomic
def advance(round_id: UUID) -> None:
    """Do the step that is due for this round, if it still is. Locks the question first, as every move of it does."""
    now = clock.now()
    question = (
        Question.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("topic", "asker")
        .filter(current_round=round_id)
        .first()
    )
    if question is None:  # somebody is moving it right now; the next sweep comes back
        return
    round_ = Round.objects.select_for_update().get(pk=round_id)
    question.current_round = round_
    if round_.next_step_at is None or round_.next_step_at > now:
        return
    reached, following = next_step(round_.steps_at, round_.due_at, round_.steps_done, now)
    if reached == BREACH and _answer_is_waiting(question, round_):
        Round.objects.filter(pk=round_.pk).update(next_step_at=now + LOOK_AGAIN)
        return
    if reached:
        _do(question, round_, reached, now)
    if reached == 0 and following is not None and following <= now:
        following = now + timedelta(microseconds=1)  # exactly due_at: the answer of this instant is still in time
    Round.objects.filter(pk=round_.pk).update(steps_done=max(reached, round_.steps_done), next_step_at=following)


def _answer_is_waiting(question: Question, round_: Round) -> bool:
    """A message that came in time and may carry the answer, not handled yet: then there is no breach to record so far."""
    if Answer.objects.filter(round=round_, leaves_at__isnull=False, received_at__lte=round_.due_at).exists():
        return True  # it leaves within ten minutes, and counts from when it came in
    items = [f"assignment:{pk}" for pk in round_.assignments.values_list("pk", flat=True)]  # a lapsed one may answer too
    items += [f"approval:{pk}" for pk in round_.answers.filter(state="draft").values_list("pk", flat=True)]
    codes = ItemCode.objects.filter(item__in=[*items, duty.item(question)])
    senders = Address.objects.filter(person__in=codes.values("person")).values_list("value", flat=True)
    return inbound.waiting_before(round_.due_at, senders=senders, reply_keys=codes.values_list("reply_key", flat=True))


def _do(question: Question, round_: Round, reached: int, now: datetime) -> None:
    for step in range(round_.steps_done + 1, reached):
        record(question, NAMES[step], at=step_at(round_, step), round=round_.number, skipped=True)
    {REMIND: _remind, SWARM: _swarm, DESK: _tell_desk, BREACH: _breach}[reached](question, round_, now)


def _holders(question: Question) -> list[Assignment]:
    rows = Assignment.objects.filter(question=question, state__in=Assignment.OPEN)
    return list(rows.select_related("expert"))


def _remind(question: Question, round_: Round, now: datetime) -> None:
    record(question, NAMES[REMIND], at=now, round=round_.number)
    for assignment in _holders(question):
        _tell_holder(question, assignment, "question_reminder")


def _tell_holder(question: Question, assignment: Assignment, event: str) -> None:
    code = ItemCode.objects.filter(item=assignment.item, person=assignment.expert).first()
    notify(
        assignment.expert,
        key=f"{assignment.item}:{event}",
        event=event,
        subject_key=question.subject_key,
        item=assignment.item,
        reply_key=code.reply_key if code else "",
        **words.reminder(question, assignment, assignment.expert, code.code if code else ""),
    )


def _swarm(question: Question, round_: Round, now: datetime) -> None:
    """Two more experts may answer, and the topic's lead is told."""
    made = routing.swarm(question, now, SWARM_SIZE) if question.state in Question.WITH_AN_EXPERT else []
    record(question, NAMES[SWARM], at=now, round=round_.number, assignments=[str(a.pk) for a in made])
    lead = question.topic.lead if question.topic else None
    if lead is not None:
        notify(
            lead,
            key=f"round:{round_.pk}:three_quarters:{lead.pk}",
            event="question_at_risk",
            subject_key=question.subject_key,
            **words.for_desk(question, lead, "question_at_risk", "", ""),
        )


def _tell_desk(question: Question, round_: Round, now: datetime) -> None:
    record(question, NAMES[DESK], at=now, round=round_.number)
    duty.tell(question, "question_nearly_due", urgent=True)


def _breach(question: Question, round_: Round, now: datetime) -> None:
    """Recorded as of `due_at`, whenever this runs; the asker is told honestly, with a new time."""
    Round.objects.filter(pk=round_.pk, verdict="").update(verdict=Round.Verdict.BREACHED, settled_at=round_.due_at)
    expected_at = expected_answer_at(question, now)
    record(question, NAMES[BREACH], at=round_.due_at, round=round_.number, expected_at=expected_at.isoformat())
    facts.breached(question, round_)
    duty.tell(question, "question_overdue", urgent=True)
    notify(
        question.asker,
        key=f"round:{round_.pk}:breached",
        event="promise_broken",
        subject_key=question.subject_key,
        via=question.asked_via,
        **words.breach(question, question.asker, expected_at),
    )


def expected_answer_at(question: Question, now: datetime) -> datetime:
    """A new time for the asker: some hours of the holder's working time; a day when nobody holds it."""
    holders = [assignment.expert for assignment in _holders(question)]
    weeks = experts.weeks_of(holders)
    times = [calendars.add_working_time(week, now, USUAL_WORK) for week in weeks.values()]
    return min((at for at in times if at), default=now + timedelta(hours=24))


def settle(question: Question, answered_at: datetime) -> bool:
    """A released answer exists: the round is kept or breached by when its message came in. Called with the lock held.

    Returns whether the promise was kept.
    """
    round_ = Round.objects.select_for_update().get(pk=question.current_round_id)
    kept = answered_at <= round_.due_at
    if not round_.verdict:
        if not kept:
            record(question, NAMES[BREACH], at=round_.due_at, round=round_.number)
        Round.objects.filter(pk=round_.pk).update(
            verdict=Round.Verdict.KEPT if kept else Round.Verdict.BREACHED,
            settled_at=answered_at if kept else round_.due_at,
        )
    Round.objects.filter(pk=round_.pk).update(next_step_at=None, paused_at=None, is_answered=True)
    if not kept:
        facts.breached(question, round_)
    return kept and round_.verdict != Round.Verdict.BREACHED


def void(question: Question, at: datetime) -> None:
    """Nothing is left to answer: a promise that was still running ends without a verdict; a breach stays a breach."""
    Round.objects.filter(pk=question.current_round_id).update(next_step_at=None, paused_at=None)
    Round.objects.filter(pk=question.current_round_id, verdict="").update(verdict=Round.Verdict.VOID, settled_at=at)
