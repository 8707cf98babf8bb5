"""An expert accepts, asks back, hands back, passes on or answers; a second pair of eyes; corrections.

What happens to an answer once it is out (relaying, rating, the friend) is in `after`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from notifications import item_codes
from notifications.notify import notify, settle
from people.models import Person
from questions import after, duty, experts, intake, promise, rounds, routing, teaching, words
from questions.models import ANSWER_CHARACTERS, TEXT_CHARACTERS, Answer, Assignment, Clarification, Question, record

DRAFTS_MAX = 200
ASKER_HAS = timedelta(hours=72)  # to reply to an ask-back; then the question closes


class OfferGone(Refusal):
    """The offer lapsed, was taken back, or somebody else has the question."""

    code = "offer_gone"


class AlreadyAnswered(Refusal):
    """Somebody else's answer was first, or the question was withdrawn. What was written is kept."""

    code = "already_answered"


class NotWaiting(Refusal):
    """Nobody waits for this reply any more."""

    code = "not_waiting"


class NotTheirs(Refusal):
    """This colleague cannot have the question: does not know the topic, is away, is full, or had it."""

    code = "colleague_cannot"


def _mine(expert: Person, assignment_id: UUID) -> tuple[Question, Assignment]:
    """The expert's own assignment, with its question locked. Raises NotFound, also for somebody else's."""
    assignment = Assignment.objects.filter(pk=assignment_id, expert=expert).first()
    if assignment is None:
        raise NotFound(_("This assignment does not exist."))
    question = routing.locked(assignment.question_id)
    assignment.refresh_from_db()
    return question, assignment


def _words(text: str, longest: int) -> str:
    """Raises Invalid for an empty or too long text."""
    text = text.strip()
    if not text:
        raise Invalid(_("Your text is empty."))
    if len(text) > longest:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": longest})
    return text


# --- taking it, or not -----------------------------------------------------------------------------------------------


@transaction.atomic
def accept(expert: Person, assignment_id: UUID) -> Assignment:
    """Take an offer. Accepting twice is fine; raises NotFound, or OfferGone when it lapsed or is over."""
    question, assignment = _mine(expert, assignment_id)
    if assignment.state != Assignment.State.ACCEPTED:
        _accept(question, assignment, clock.now())
    return assignment


def _accept(question: Question, assignment: Assignment, at: datetime) -> None:
    if not assignment.mark_accepted(at):
        raise OfferGone(_("%(reference)s is no longer yours to take.") % {"reference": question.reference})
    question.mark_accepted()
    record(question, "accepted", actor=assignment.expert, at=at, assignment=str(assignment.pk))
    settle(assignment.expert, question.subject_key)


@transaction.atomic
def decline(expert: Person, assignment_id: UUID, reason: str = "other") -> Assignment:
    """Say no, with a reason; the question goes on to somebody else. Raises NotFound, OfferGone."""
    question, assignment = _mine(expert, assignment_id)
    if assignment.state == Assignment.State.DECLINED:
        return assignment
    at = clock.now()
    _end_mine(question, assignment, Assignment.State.DECLINED, at, decline_reason=reason)
    record(question, "declined", actor=expert, at=at, assignment=str(assignment.pk), reason=reason)
    if reason != Assignment.DeclineReason.NOT_MY_TOPIC:
        routing.pass_on(question, at)
    else:
        teaching.not_about(question)
        _to_triage(question, at)
    return assignment


def _end_mine(question: Question, assignment: Assignment, state: str, at: datetime, *, decline_reason: str = "") -> None:
    """The expert lets go of it; a clock that stood still for their question to the asker runs again."""
    if not routing.end_assignment(assignment, state, at, decline_reason=decline_reason):
        raise OfferGone(_("%(reference)s is no longer yours.") % {"reference": question.reference})
    settle(assignment.expert, question.subject_key)
    routing.stop_waiting(question, assignment, at)


def _to_triage(question: Question, at: datetime) -> None:
    """Who knows the topic says that it is another one: a person chooses now."""
    if routing.stays_with_others(question):
        return
    if question.mark_back_in_triage(duty.next_hearing(at)):
        event = record(question, "triage", reason="not_my_topic")
        duty.tell(question, "question_needs_a_topic", occasion=event.pk)


@transaction.atomic
def hand_back(expert: Person, assignment_id: UUID) -> Assignment:
    """Give an accepted question back; it goes to somebody else. Twice is fine. Raises NotFound, OfferGone."""
    question, assignment = _mine(expert, assignment_id)
    if assignment.state == Assignment.State.HANDED_BACK:
        return assignment
    at = clock.now()
    _end_mine(question, assignment, Assignment.State.HANDED_BACK, at)
    record(question, "handed_back", actor=expert, at=at, assignment=str(assignment.pk))
    routing.pass_on(question, at)
    return assignment


@transaction.atomic
def pass_to(expert: Person, assignment_id: UUID, colleague_id: UUID) -> Assignment:
    """Hand it to a colleague of one's choice, as an offer. Raises NotFound, OfferGone, NotTheirs."""
    question, assignment = _mine(expert, assignment_id)
    if not assignment.is_open:
        raise OfferGone(_("%(reference)s is no longer yours.") % {"reference": question.reference})
    at = clock.now()
    offer_by_hand(question, colleague_id, at, chosen_by=expert, instead_of=assignment)
    return assignment


def offer_by_hand(
    question: Question, colleague_id: UUID, at: datetime, *, chosen_by: Person, instead_of: Assignment | None
) -> Assignment:
    """Offer it to this colleague because a person says so: same rules, capacity too. Needs the lock; raises NotTheirs."""
    colleague = Person.objects.present().filter(pk=colleague_id).first()
    if colleague is None or not experts.may_have(question, colleague_id):
        raise NotTheirs(_("This colleague cannot answer %(reference)s.") % {"reference": question.reference})
    if experts.is_away(experts.weeks_of([colleague])[colleague.pk], at):
        raise NotTheirs(_("%(name)s is away.") % {"name": colleague.name})
    if not experts.take_slot(question, colleague_id):
        raise NotTheirs(_("%(name)s has no room for another question.") % {"name": colleague.name})
    if instead_of is not None:
        _end_mine(question, instead_of, Assignment.State.MOVED, at)
    record(question, "passed_on", actor=chosen_by, at=at, to=str(colleague_id))
    chosen = routing.Ranked(colleague_id, 0.0, [{"code": "chosen_by", "person": chosen_by.name}])
    return routing.make_offer(question, chosen, at, by_hand=True)


# --- asking back -----------------------------------------------------------------------------------------------------


@transaction.atomic
def ask_back(expert: Person, assignment_id: UUID, text: str) -> Clarification:
    """Ask the asker something first; accepts the offer on the way. The first time the promise's clock stands still.

    Raises NotFound, Invalid, OfferGone; NotWaiting when an earlier question to the asker is still open.
    """
    text = _words(text, TEXT_CHARACTERS)
    question, assignment = _mine(expert, assignment_id)
    at = clock.now()
    if question.state == Question.State.WAITING_FOR_ASKER:
        raise NotWaiting(_("The asker of %(reference)s has a question open.") % {"reference": question.reference})
    if assignment.state != Assignment.State.ACCEPTED:
        _accept(question, assignment, at)
    if not question.mark_waiting_for_asker(at + ASKER_HAS):
        raise OfferGone(_("%(reference)s is no longer yours.") % {"reference": question.reference})
    made = Clarification.objects.create(question=question, assignment=assignment, text=text, asked_at=at)
    paused = rounds.pause(question, at)
    record(question, "asked_back", actor=expert, at=at, clarification=str(made.pk), paused=paused)
    item = f"clarification:{made.pk}"
    code = item_codes.open_for(question.asker, item, words.label(question))
    notify(
        question.asker,
        key=f"{item}:asked",
        event="question_asked_back",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        urgent=True,
        via=question.source if question.source in {"sms", "email"} else "",
        **words.asked_back(question, made, question.asker, code.code),
    )
    return made


@transaction.atomic
def clarify(asker: Person, clarification_id: UUID, text: str, *, received_at: datetime) -> Question:
    """The asker's reply: the clock runs on from when it was received. Raises NotFound, Invalid, NotWaiting."""
    text = _words(text, TEXT_CHARACTERS)
    found = Clarification.objects.filter(pk=clarification_id, question__asker=asker).first()
    if found is None:
        raise NotFound(_("This question does not exist."))
    question = routing.locked(found.question_id)
    open_ = Clarification.objects.filter(pk=found.pk, replied_at__isnull=True)
    if question.state != Question.State.WAITING_FOR_ASKER or not open_.update(reply=text, replied_at=received_at):
        raise NotWaiting(_("%(reference)s no longer waits for your reply.") % {"reference": question.reference})
    question.mark_clarified()
    rounds.resume(question, received_at)
    record(question, "clarified", actor=asker, at=received_at, clarification=str(found.pk))
    item_codes.close(f"clarification:{found.pk}")
    settle(asker, question.subject_key)
    found.refresh_from_db()
    for assignment in Assignment.objects.filter(question=question, state__in=Assignment.OPEN).select_related("expert"):
        _tell_clarified(question, found, assignment)
    return question


def _tell_clarified(question: Question, clarification: Clarification, assignment: Assignment) -> None:
    code = item_codes.open_for(assignment.expert, assignment.item, words.label(question))
    notify(
        assignment.expert,
        key=f"clarification:{clarification.pk}:replied:{assignment.pk}",
        event="question_clarified",
        subject_key=question.subject_key,
        reply_key=code.reply_key,
        urgent=True,
        **words.clarified(question, clarification, assignment.expert, code.code),
    )


# --- the answer ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """What an answer is made of. `received_at` is what the promise is judged by."""

    text: str
    received_at: datetime
    source: str
    internal_note: str = ""
    valid_until: datetime | None = None


@transaction.atomic
def answer(
    expert: Person,
    assignment_id: UUID,
    text: str,
    *,
    received_at: datetime,
    source: str,
    internal_note: str = "",
    valid_until: datetime | None = None,
) -> Answer:
    """Answer a question; accepts it on the way. The first released answer of a round wins.

    A text that comes too late (answered by a colleague, withdrawn) is kept: the returned Answer has state `refused`.
    Whoever was asked in this round may still answer while nobody has, even when the offer lapsed meanwhile. Where the topic
    wants a second pair of eyes the answer is a `draft` until somebody else approves it. Raises NotFound, Invalid.
    """
    draft = Draft(text, received_at, source, internal_note, valid_until)
    _check(draft)
    question, assignment = _mine(expert, assignment_id)
    open_ = question.is_unanswered and assignment.round_id == question.current_round_id
    return give(question, expert, draft, assignment=assignment, open_=open_)


def _check(draft: Draft) -> None:
    _words(draft.text, ANSWER_CHARACTERS)
    if len(draft.internal_note) > ANSWER_CHARACTERS:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": ANSWER_CHARACTERS})
    if draft.valid_until and draft.valid_until <= draft.received_at:
        raise Invalid(_("An answer is valid for some time at least."))


def give(
    question: Question, author: Person, draft: Draft, *, assignment: Assignment | None = None, open_: bool = True
) -> Answer:
    """Keep the text, and release it, or have it approved, or say that it is too late. Called with the question locked."""
    _check(draft)
    wants_approval = bool(question.topic and question.topic.needs_approval)
    state = Answer.State.REFUSED if not open_ else Answer.State.DRAFT if wants_approval else Answer.State.RELEASED
    if state == Answer.State.DRAFT:  # a newer text takes the place of the one that waits for approval
        Answer.objects.filter(round=question.current_round, state=Answer.State.DRAFT).update(state=Answer.State.REFUSED)
    given = Answer.objects.create(
        question=question,
        round_id=assignment.round_id if assignment else question.current_round_id,
        assignment=assignment,
        author=author,
        text=draft.text.strip(),
        internal_note=draft.internal_note.strip(),
        source=draft.source,
        state=state,
        received_at=draft.received_at,
        valid_until=draft.valid_until,
    )
    if state == Answer.State.REFUSED:
        record(question, "answer_refused", actor=author, at=draft.received_at, answer=str(given.pk))
    elif state == Answer.State.DRAFT:
        if assignment and assignment.mark_accepted(clock.now()):  # an offer that waits for approval must not lapse
            record(question, "accepted", actor=author, assignment=str(assignment.pk))
        _ask_approval(question, given)
    else:
        _release(question, given, draft.received_at)
    return given


def _release(question: Question, given: Answer, at: datetime) -> None:
    """The answer is out; `at` is what the promise is judged by: the answer's receipt, or its approval's."""
    now = clock.now()
    question.mark_answered(after.first_reminder(question, now))
    record(question, "answered", actor=given.author, at=at, answer=str(given.pk), source=given.source)
    promise.settle(question, at)
    routing.drop_clarification(question, now)
    item_codes.close(duty.item(question))
    settle(given.author, question.subject_key)
    held = Assignment.objects.filter(question=question, state__in=Assignment.OPEN).select_related("expert")
    for open_ in held.order_by("expert_id"):  # workloads in one order, whoever else ends a swarm now
        mine = open_.pk == given.assignment_id
        routing.end_assignment(open_, Assignment.State.ANSWERED if mine else Assignment.State.SUPERSEDED, now)
        if not mine:
            settle(open_.expert, question.subject_key)
            intake.tell_no_longer_needed(question, open_, "answered")
    teaching.answered(question, given)
    after.tell_asker(question, given)
    after.send_to_friend(question)


# --- a second pair of eyes -------------------------------------------------------------------------------------------


def approvers(question: Question, author_id: UUID) -> list[Person]:
    """The topic's lead, or else its best experts, or else the desk: anybody but the author."""
    topic = question.topic
    lead = topic.lead if topic else None
    if lead is not None and lead.is_active and lead.pk != author_id:
        return [lead]
    rows = Person.objects.present().filter(expertise__topic=topic, expertise__level=3).exclude(pk=author_id)
    return list(rows[:2]) or [person for person in duty.on_duty(clock.now()) if person.pk != author_id]


def may_approve(person: Person, question: Question, author_id: UUID) -> bool:
    if person.pk == author_id:
        return False
    return person.pk in {one.pk for one in approvers(question, author_id)} or duty.is_desk(person)


def drafts_for(person: Person) -> list[Answer]:
    """Answers that wait for this person's approval, the nearest promise first."""
    rows = Answer.objects.filter(state=Answer.State.DRAFT).exclude(author=person)
    rows = rows.select_related("question__topic__lead", "question__current_round", "author")
    drafts = rows.order_by("question__current_round__due_at")[:DRAFTS_MAX]
    return [draft for draft in drafts if may_approve(person, draft.question, draft.author_id)]


def _ask_approval(question: Question, draft: Answer) -> None:
    if not draft.corrects_id:
        question.mark_pending_approval()
    record(question, "approval_asked", actor=draft.author, at=draft.received_at, answer=str(draft.pk))
    tell_approvers(question, draft)


def tell_approvers(question: Question, draft: Answer) -> None:
    """Whoever may approve it now hears of it; each of them once."""
    item = f"approval:{draft.pk}"
    for person in approvers(question, draft.author_id):
        code = item_codes.open_for(person, item, words.label(question))
        notify(
            person,
            key=f"{item}:{person.pk}",
            event="answer_wants_approval",
            subject_key=question.subject_key,
            reply_key=code.reply_key,
            urgent=True,
            **words.approval(question, draft, person, code.code),
        )


def _draft(person: Person, answer_id: UUID) -> tuple[Question, Answer]:
    """Raises NotFound: no such draft, or not for this person to judge."""
    draft = Answer.objects.filter(pk=answer_id).first()
    if draft is None:
        raise NotFound(_("This answer does not exist."))
    question = routing.locked(draft.question_id)
    draft = Answer.objects.select_related("author").get(pk=answer_id)
    if not may_approve(person, question, draft.author_id):
        raise NotFound(_("This answer does not exist."))
    return question, draft


@transaction.atomic
def approve(person: Person, answer_id: UUID, *, received_at: datetime) -> Answer:
    """Release a colleague's answer. Twice is fine. Raises NotFound; NotWaiting when it was edited or refused meanwhile."""
    question, draft = _draft(person, answer_id)
    if draft.state == Answer.State.RELEASED and draft.approved_by_id:
        return draft
    if draft.corrects_id:
        Answer.objects.filter(pk=draft.corrects_id, state=Answer.State.RELEASED).update(state=Answer.State.CORRECTED)
    released = Answer.objects.filter(pk=draft.pk, state=Answer.State.DRAFT)
    if not released.update(state=Answer.State.RELEASED, approved_by=person):
        raise NotWaiting(_("This text no longer waits for approval: there is a newer one."))
    draft.refresh_from_db()
    record(question, "approved", actor=person, at=received_at, answer=str(draft.pk))
    item_codes.close(f"approval:{draft.pk}")
    if draft.corrects_id:
        after.tell_correction(question, draft)
    else:
        _release(question, draft, received_at)
    return draft


@transaction.atomic
def refuse_approval(person: Person, answer_id: UUID, remark: str) -> Answer:
    """Send it back to its author with a remark. Raises NotFound, Invalid, NotWaiting."""
    remark = _words(remark, TEXT_CHARACTERS)
    question, draft = _draft(person, answer_id)
    if not Answer.objects.filter(pk=draft.pk, state=Answer.State.DRAFT).update(state=Answer.State.REFUSED):
        raise NotWaiting(_("This text no longer waits for approval: there is a newer one."))
    question.mark_approval_refused()
    record(question, "approval_refused", actor=person, answer=str(draft.pk))
    item_codes.close(f"approval:{draft.pk}")
    _back_to_author(question, draft, remark)
    draft.refresh_from_db()
    return draft


def _back_to_author(question: Question, draft: Answer, remark: str) -> None:
    """The author writes anew; when they no longer hold it (gone, away) it goes to somebody else."""
    held = draft.assignment if draft.assignment and draft.assignment.is_open else None
    if held is None and not draft.corrects_id:
        routing.pass_on(question, clock.now())
        return
    code = item_codes.open_for(draft.author, held.item, words.label(question)) if held else None
    notify(
        draft.author,
        key=f"answer:{draft.pk}:approval-refused",
        event="answer_needs_work",
        subject_key=question.subject_key,
        reply_key=code.reply_key if code else "",
        urgent=True,
        **words.needs_work(question, draft, remark, draft.author, code.code if code else ""),
    )


# --- corrections -----------------------------------------------------------------------------------------------------


@transaction.atomic
def correct(author: Person, question_id: UUID, draft: Draft) -> Answer:
    """Replace a released answer; everybody who relayed the old one is told. Its author or the desk may.

    Where the topic wants it, the correction waits for a second pair of eyes and the old text stands until then.
    Raises NotFound, Invalid; NoAnswerYet.
    """
    _check(draft)
    question = _answered(author, question_id)
    old = after.released(question)
    if old is None or question.is_unanswered or question.state == Question.State.WITHDRAWN:
        raise after.NoAnswerYet(_("%(reference)s has no answer yet.") % {"reference": question.reference})
    wants_approval = bool(question.topic and question.topic.needs_approval)
    if wants_approval:
        Answer.objects.filter(round=old.round_id, state=Answer.State.DRAFT).update(state=Answer.State.REFUSED)
    else:
        Answer.objects.filter(pk=old.pk).update(state=Answer.State.CORRECTED)
    made = Answer.objects.create(
        question=question,
        round_id=old.round_id,
        assignment_id=old.assignment_id,
        author=author,
        text=draft.text.strip(),
        internal_note=draft.internal_note.strip(),
        source=draft.source,
        state=Answer.State.DRAFT if wants_approval else Answer.State.RELEASED,
        received_at=draft.received_at,
        valid_until=draft.valid_until,
        corrects=old,
    )
    record(question, "corrected", actor=author, at=draft.received_at, answer=str(made.pk), old=str(old.pk))
    if wants_approval:
        _ask_approval(question, made)
    else:
        after.tell_correction(question, made)
    return made


def _answered(author: Person, question_id: UUID) -> Question:
    """A question that this person answered, or anyone for the desk; locked. Raises NotFound."""
    wrote = Answer.objects.filter(question=question_id, author=author, state=Answer.State.RELEASED).exists()
    if not (wrote or duty.is_desk(author)) or not Question.objects.filter(pk=question_id).exists():
        raise NotFound(_("This question does not exist."))
    return routing.locked(question_id)
