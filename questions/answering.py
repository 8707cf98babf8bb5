"""An expert accepts, asks back, hands back, passes on or answers.

How an answer leaves is in `releasing` and `approvals`, what happens to it once it is out in `after` and `corrections`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from notifications import item_codes
from notifications.notify import notify, settle
from people.models import Person
from questions import approvals, duty, experts, intake, releasing, rounds, routing, teaching, topics, words
from questions.approvals import NotWaiting
from questions.models import ANSWER_CHARACTERS, Answer, AnswerMode, Assignment, Clarification, Question, record

ASKER_HAS = timedelta(hours=72)  # to reply to an ask-back; then the question closes


class OfferGone(Refusal):
    """The offer lapsed, was taken back, or somebody else has the question."""

    code = "offer_gone"


class AlreadyAnswered(Refusal):
    """Somebody else's answer was first, or the question was withdrawn. What was written is kept."""

    code = "already_answered"


class NotTheirs(Refusal):
    """This colleague cannot have the question: does not know the topic, is away, is full, or had it."""

    code = "colleague_cannot"


class AwaitsApproval(Refusal):
    """An answer is written and a colleague reads it: nobody else needs the question now."""

    code = "awaits_approval"


def _mine(expert: Person, assignment_id: UUID) -> tuple[Question, Assignment]:
    """The expert's own assignment, with its question locked. Raises NotFound, also for somebody else's."""
    assignment = Assignment.objects.filter(pk=assignment_id, expert=expert).first()
    if assignment is None:
        raise NotFound(_("This assignment does not exist."))
    question = routing.locked(assignment.question_id)
    assignment.refresh_from_db()
    return question, assignment


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
    for held in Answer.objects.filter(assignment=assignment, state=Answer.State.HELD):
        intake.set_aside(held)
    if routing.asks_the_asker(assignment):
        routing.stop_waiting(question, at)


def _to_triage(question: Question, at: datetime) -> None:
    """Who knows the topic says that it is another one: a person chooses now."""
    if routing.stays_with_others(question):
        return
    guesses = topics.choose(question.text, not_about=question.topic).guesses
    if question.mark_back_in_triage(guesses, duty.next_hearing(at)):
        event = record(question, "triage", reason="not_my_topic", guesses=[str(guess) for guess in guesses])
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
    record(question, "passed_on", actor=expert, at=at, to=str(colleague_id))
    return assignment


def offer_by_hand(
    question: Question, colleague_id: UUID, at: datetime, *, chosen_by: Person, instead_of: Assignment | None
) -> Assignment:
    """Offer it to this colleague because a person says so: same rules, capacity too. Needs the lock.

    Raises NotTheirs, AwaitsApproval.
    """
    if question.state == Question.State.PENDING_APPROVAL:
        raise AwaitsApproval(_("An answer to %(reference)s waits for approval.") % {"reference": question.reference})
    colleague = Person.objects.present().filter(pk=colleague_id).first()
    if colleague is None or not experts.may_have(question, colleague_id):
        raise NotTheirs(_("This colleague cannot answer %(reference)s.") % {"reference": question.reference})
    if experts.is_away(experts.weeks_of([colleague])[colleague.pk], at):
        raise NotTheirs(_("%(name)s is away.") % {"name": colleague.name})
    if not experts.take_slot(question, colleague_id):
        raise NotTheirs(_("%(name)s has no room for another question.") % {"name": colleague.name})
    if instead_of is not None:
        _end_mine(question, instead_of, Assignment.State.MOVED, at)
    routing.stop_waiting(question, at)
    chosen = routing.Ranked(colleague_id, 0.0, [{"code": "chosen_by", "person": chosen_by.name}])
    return routing.make_offer(question, chosen, at, by_hand=True)


# --- asking back -----------------------------------------------------------------------------------------------------


@transaction.atomic
def ask_back(expert: Person, assignment_id: UUID, text: str, *, received_at: datetime) -> Clarification:
    """Ask the asker something first; accepts the offer on the way. The first time the promise's clock stands still.

    It stands still from `received_at` on, when the message that carried the question was received. Raises NotFound,
    Invalid, OfferGone; NotWaiting when an earlier question to the asker is still open.
    """
    text = intake.written(text)
    question, assignment = _mine(expert, assignment_id)
    if question.state == Question.State.WAITING_FOR_ASKER:
        raise NotWaiting(_("The asker of %(reference)s has a question open.") % {"reference": question.reference})
    if assignment.state != Assignment.State.ACCEPTED:
        _accept(question, assignment, clock.now())
    if not question.mark_waiting_for_asker(received_at + ASKER_HAS):
        raise OfferGone(_("%(reference)s is no longer yours.") % {"reference": question.reference})
    made = Clarification.objects.create(question=question, assignment=assignment, text=text, asked_at=received_at)
    for held in Answer.objects.filter(assignment=assignment, state=Answer.State.HELD):  # they want to know more first
        intake.set_aside(held)
    paused = rounds.pause(question, received_at)
    record(question, "asked_back", actor=expert, at=received_at, clarification=str(made.pk), paused=paused)
    item = routing.clarification_item(made)
    code = item_codes.open_for(question.asker, item, words.label(question))
    notify(
        question.asker,
        key=f"{item}:asked",
        event="question_asked_back",
        subject_key=question.subject_key,
        item=item,
        reply_key=code.reply_key,
        via=question.asked_via,
        **words.asked_back(question, made, question.asker, code.code),
    )
    return made


@transaction.atomic
def clarify(asker: Person, clarification_id: UUID, text: str, *, received_at: datetime) -> Question:
    """The asker's reply: the clock runs on from when it was received, and after 72 hours in any case.

    Raises NotFound, Invalid, NotWaiting.
    """
    text = intake.written(text)
    found = Clarification.objects.filter(pk=clarification_id, question__asker=asker).first()
    if found is None:
        raise NotFound(_("This question does not exist."))
    question = routing.locked(found.question_id)
    open_ = Clarification.objects.filter(pk=found.pk, replied_at__isnull=True)
    if question.state != Question.State.WAITING_FOR_ASKER or not open_.update(reply=text, replied_at=received_at):
        raise NotWaiting(_("%(reference)s no longer waits for your reply.") % {"reference": question.reference})
    question.mark_in_hands(routing.in_whose_hands(question))
    rounds.resume(question, min(received_at, found.asked_at + ASKER_HAS))
    record(question, "clarified", actor=asker, at=received_at, clarification=str(found.pk))
    item_codes.close(routing.clarification_item(found))
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
    """Answer a question; accepts it on the way. The first answer of a round wins.

    A text that comes too late (answered by a colleague, withdrawn) is kept: the returned Answer has state `refused`.
    Whoever was asked in this round may still answer while nobody has, even when the offer lapsed meanwhile. Where the topic
    wants a second pair of eyes the answer is a `draft` until somebody else approves it; straight to the friend it is `held`
    for ten minutes. A reply to what was asked in an earlier round answers this one, when it is theirs again. Raises
    NotFound, Invalid.
    """
    draft = Draft(text, received_at, source, internal_note, valid_until)
    check(draft)
    question, assignment = _mine(expert, assignment_id)
    again = Assignment.objects.filter(round=question.current_round, expert=expert, state__in=Assignment.OPEN)
    if assignment.round_id != question.current_round_id:
        assignment = again.first() or assignment
    open_ = question.is_unanswered and assignment.round_id == question.current_round_id
    return give(question, expert, draft, assignment=assignment, open_=open_)


def check(draft: Draft) -> None:
    """Raises Invalid."""
    intake.written(draft.text, longest=ANSWER_CHARACTERS)
    if len(draft.internal_note) > ANSWER_CHARACTERS:
        raise Invalid(_("This text is too long: %(max)s characters at most.") % {"max": ANSWER_CHARACTERS})
    if draft.valid_until and draft.valid_until <= draft.received_at:
        raise Invalid(_("An answer is valid for some time at least."))


def give(
    question: Question, author: Person, draft: Draft, *, assignment: Assignment | None = None, open_: bool = True
) -> Answer:
    """Keep the text, and release it, or let it wait, or say that it is too late. Called with the question locked."""
    check(draft)
    state = _what_becomes_of_it(question, author, assignment, open_)
    if state != Answer.State.REFUSED:  # a newer text takes the place of the one that waits
        intake.set_aside_unreleased(question.current_round_id)
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
        leaves_at=clock.now() + releasing.LOOK_AGAIN if state == Answer.State.HELD else None,
        valid_until=draft.valid_until,
    )
    if state == Answer.State.REFUSED:
        record(question, "answer_refused", actor=author, at=draft.received_at, answer=str(given.pk))
    elif state == Answer.State.RELEASED:
        releasing.release(question, given, draft.received_at)
    else:
        _wait(question, given, assignment)
    return given


def _what_becomes_of_it(question: Question, author: Person, assignment: Assignment | None, open_: bool) -> str:
    """The state of a text that comes in now. The desk writes with care: its words leave at once, also to a friend."""
    on_its_way = Answer.objects.filter(Q(state=Answer.State.DRAFT) | Q(leaves_at__isnull=False))
    if not open_ or on_its_way.filter(round=question.current_round).exclude(author=author).exists():
        return Answer.State.REFUSED
    if question.topic and question.topic.needs_approval:
        return Answer.State.DRAFT
    return Answer.State.HELD if assignment and question.answer_mode == AnswerMode.DIRECT else Answer.State.RELEASED


def _wait(question: Question, given: Answer, assignment: Assignment | None) -> None:
    """For a colleague's eyes, or for its author's second look. The clock runs meanwhile, and the offer must not lapse."""
    routing.stop_waiting(question, given.received_at)
    if assignment and assignment.mark_accepted(clock.now()):
        question.mark_accepted()
        record(question, "accepted", actor=given.author, assignment=str(assignment.pk))
    settle(given.author, question.subject_key)
    if given.state == Answer.State.DRAFT:
        approvals.ask(question, given)
    else:
        record(question, "answer_held", actor=given.author, at=given.received_at, answer=str(given.pk))
