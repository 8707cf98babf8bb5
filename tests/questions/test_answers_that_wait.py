"""No breach is recorded while a message that came in time may carry the answer; and no breach waits for that for ever."""

from datetime import timedelta

from django.conf import settings

from notifications import inbound
from notifications.inbound import handling
from notifications.models import InboundMessage, ItemCode
from questions import promise, routing
from questions.models import Assignment, Question, Round
from tests.conftest import Cast, ask, code_of, later, mail, offer_of, text, work


def verdict() -> str:
    return Round.objects.get().verdict


def overdue() -> None:
    """The due time goes by; the promise's sweep runs and the inbox's does not."""
    later(hours=2)
    promise.run_due()


def lapsed(question: Question) -> Assignment:
    """Nobody holds it any more; its expert was asked and let it lapse."""
    assignment = offer_of(question)
    later(hours=23)
    Assignment.objects.filter(pk=assignment.pk).update(expires_at=question.received_at)
    routing.expire(assignment.pk)
    return assignment


def test_the_text_of_an_expert_whose_offer_lapsed_holds_the_breach_back(cast: Cast) -> None:
    question = ask(cast.alice)
    assignment = lapsed(question)
    text(assignment.expert, f"ANTW {code_of(assignment.expert, assignment.item)} Toch nog op tijd.")
    overdue()
    assert verdict() == ""
    later(minutes=1)
    work()
    assert verdict() == "kept"


def test_the_desks_mail_holds_the_breach_back(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=23)
    promise.run_due()  # 9⁄10: the desk has heard
    key = ItemCode.objects.get(person=cast.dana, item=f"desk:{question.pk}").reply_key
    mail(str(cast.dana.email), f"{key}@{settings.MAIL_DOMAIN}", "Op tijd.")
    overdue()
    assert verdict() == ""


def test_the_text_of_somebody_who_was_never_asked_holds_nothing_back(cast: Cast) -> None:
    ask(cast.alice)
    later(hours=23)
    text(cast.mallory, "VRAAG Why is my bill so high?")
    overdue()
    assert verdict() == "breached"


def test_a_text_that_came_too_late_holds_nothing_back(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=24, minutes=1)
    text(offer_of(question).expert, "ANTW " + code_of(offer_of(question).expert, offer_of(question).item) + " Te laat.")
    promise.run_due()
    assert verdict() == "breached"


def test_a_text_that_waits_for_its_menu_holds_the_breach_back_for_a_day_and_no_longer(cast: Cast) -> None:
    first = ask(cast.alice)
    later(hours=23)
    held = InboundMessage.objects.create(
        channel="sms",
        provider_id="SM9",
        sender=str(offer_of(first).expert.mobile),
        recipient=settings.SMS_FROM,
        raw=b"",
        received_at=first.received_at + timedelta(hours=23),
        due_at=first.received_at,
        state="held",
        person=offer_of(first).expert,
    )
    overdue()
    assert Round.objects.get(question=first).verdict == ""
    later(hours=22)
    promise.run_due()
    assert Round.objects.get(question=first).verdict == "breached"
    held.refresh_from_db()
    assert held.state == "held"  # also when no purge has run


def test_a_message_that_kills_its_worker_each_time_is_put_aside_and_the_breach_recorded(cast: Cast) -> None:
    question = ask(cast.alice)
    later(hours=23)
    expert = offer_of(question).expert
    text(expert, f"ANTW {code_of(expert, offer_of(question).item)} Dodelijk.")
    message = InboundMessage.objects.get(sender=expert.mobile)
    InboundMessage.objects.filter(pk=message.pk).update(attempts=inbound.ATTEMPTS_MAX)  # each died before it could say so
    overdue()
    assert verdict() == ""
    handling.handle(message.pk)
    message.refresh_from_db()
    assert (message.state, message.reason) == ("quarantined", "poison")
    later(minutes=1)
    promise.run_due()
    assert verdict() == "breached"
    assert not question.answers.exists()
