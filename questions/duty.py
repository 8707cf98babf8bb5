"""The duty desk's rota, and telling the desk: whoever is on duty now, or the next one when nobody is."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from backend import clock
from notifications import item_codes
from notifications.notify import notify
from people.models import Person, Role
from questions import rounds, words
from questions.models import DutyShift, Question, Round

ITEM = "desk"  # kind of the item codes by which the desk works by SMS and mail
WAITING = frozenset({Question.State.TRIAGE, Question.State.UNSTAFFED})  # nobody but the desk can help
SENT_HERE = ("triage", "unstaffed", "desk_told", "breached", "desk_handed_back")  # events that bring it to the desk
NOBODY_YET = timedelta(hours=1)  # how often to look whether there is a desk at all


def desk_people() -> list[Person]:
    return list(Person.objects.present().filter(roles__contains=[Role.DUTY_DESK]))


def on_duty(at: datetime) -> list[Person]:
    """Who is on duty at `at` and here. Without any rota from now on the whole desk is: nothing may wait for a list to be
    made; nor when everybody whose duty it is now is away."""
    shifts = DutyShift.objects.filter(starts_at__lte=at, ends_at__gt=at, person__roles__contains=[Role.DUTY_DESK])
    desk = Person.objects.here(at).filter(roles__contains=[Role.DUTY_DESK])
    now = list(desk.filter(pk__in=shifts.values("person")))
    if now or (not shifts.exists() and next_duty(at)):
        return now
    return list(desk)


def next_duty(at: datetime) -> datetime | None:
    """When the next duty begins; None when the rota knows none."""
    people = Person.objects.present().filter(roles__contains=[Role.DUTY_DESK])
    shifts = DutyShift.objects.filter(starts_at__gt=at, person__in=people)
    found: datetime | None = shifts.order_by("starts_at").values_list("starts_at", flat=True).first()
    return found


def next_hearing(at: datetime) -> datetime:
    """When somebody of the desk hears of what waits: now, or when the next duty begins."""
    return at if on_duty(at) else next_duty(at) or at + NOBODY_YET


def rota_changed(starts_at: datetime) -> None:
    """A duty begins then: what waits for a later one waits for this one."""
    begins = max(starts_at, clock.now())
    Question.objects.filter(desk_due_at__gt=begins).update(desk_due_at=begins)


def tell(question: Question, event: str, *, urgent: bool = False, occasion: int = 0) -> None:
    """Whoever is on duty hears it, once a round, event and occasion; with nobody on duty it waits for the next.

    Called with the question locked.
    """
    at = clock.now()
    people = on_duty(at)
    if not people:
        _queue(question, next_hearing(at))
        return
    # One of them has it already: only they hear more of it. Who has it and is off duty is not woken.
    people = [person for person in people if person.pk == question.desk_holder_id] or people
    Question.objects.filter(pk=question.pk).update(desk_due_at=None)
    for person in people:
        code = item_codes.open_for(person, item(question), words.label(question))
        notify(
            person,
            key=f"round:{question.current_round_id}:{event}:{occasion}:{person.pk}",
            event=event,
            subject_key=question.subject_key,
            item=item(question),
            urgent=urgent,
            on_duty=True,
            reply_key=code.reply_key,
            **words.for_desk(question, person, event, link(question), code.code),
        )


def _queue(question: Question, until: datetime) -> None:
    """It waits for the next duty. Where nobody else deals with it the asker hears so, and when to expect something."""
    Question.objects.filter(pk=question.pk).update(desk_due_at=until)
    if question.state not in WAITING or question.current_round.verdict:
        return
    expected_at = until + rounds.USUAL_WORK
    Question.objects.filter(pk=question.pk).update(expected_at=expected_at)
    notify(
        question.asker,
        key=f"round:{question.current_round_id}:waits_for_duty",
        event="question_waits_for_duty",
        subject_key=question.subject_key,
        via=question.asked_via,
        **words.waits_for_duty(question, question.asker, until, expected_at),
    )


def item(question: Question) -> str:
    return f"{ITEM}:{question.pk}"


def link(question: Question) -> str:
    return f"{settings.PUBLIC_BASE_URL}/admin/questions/question/{question.pk}/change/"


def due_ids(limit: int) -> list[UUID]:
    rows = Question.objects.filter(desk_due_at__lte=clock.now()).order_by("desk_due_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def tell_waiting(question_id: UUID) -> None:
    """A duty has begun: say what waited for it."""
    question = Question.locked(question_id)
    if question.desk_due_at is None or question.desk_due_at > clock.now():
        return
    Question.objects.filter(pk=question.pk).update(desk_due_at=None)
    if question.is_unanswered:
        why = question.events.filter(kind__in=SENT_HERE).order_by("id").last()
        tell(question, event_for(question), urgent=True, occasion=why.pk if why else 0)


def event_for(question: Question) -> str:
    if question.state == Question.State.TRIAGE:
        return "question_needs_a_topic"
    if question.state == Question.State.UNSTAFFED:
        return "question_unstaffed"
    overdue = question.current_round.verdict == Round.Verdict.BREACHED
    return "question_overdue" if overdue else "question_nearly_due"


def is_desk(person: Person) -> bool:
    return person.has_role(Role.DUTY_DESK, Role.ADMINISTRATOR)
