"""An offer that lapsed cannot be taken any more: the API says so with a code, SMS and mail with a sentence."""

import pytest

from backend import clock
from questions import answering, routing
from questions.models import Assignment, Workload
from tests.conftest import (
    Cast,
    api,
    ask,
    code_of,
    in_parallel,
    later,
    mail,
    mails,
    offer_of,
    post,
    reply_to,
    text,
    texts,
    work,
)


@pytest.fixture
def lapsed(cast: Cast) -> Assignment:
    first = offer_of(ask(cast.alice))
    later(hours=7)
    work()
    assert Assignment.objects.get(pk=first.pk).state == "expired"
    return first


def test_by_api(cast: Cast, lapsed: Assignment) -> None:
    response = post(api(cast.bob), f"/assignments/{lapsed.pk}/accept")
    assert (response.status_code, response.json()["code"]) == (409, "offer_gone")
    response = post(api(cast.bob), f"/assignments/{lapsed.pk}/decline", {"reason": "no_time"})
    assert (response.status_code, response.json()["code"]) == (409, "offer_gone")
    assert post(api(cast.charlie), f"/assignments/{lapsed.pk}/accept").status_code == 404


def test_by_sms_and_by_mail(cast: Cast, lapsed: Assignment) -> None:
    code, address = code_of(cast.bob, lapsed.item), reply_to(lapsed)
    before, letters = len(texts(cast.bob)), len(mails(cast.bob))
    text(cast.bob, f"JA {code}")
    mail(str(cast.bob.email), address, "JA")
    work()
    question = lapsed.question
    assert any(question.reference in body for body in texts(cast.bob)[before:])
    assert any(question.reference in body for body in mails(cast.bob)[letters:])
    assert Assignment.objects.get(pk=lapsed.pk).state == "expired"
    assert offer_of(question).expert == cast.charlie


def test_the_text_of_an_answer_still_counts_while_nobody_has_answered(cast: Cast, lapsed: Assignment) -> None:
    given = answering.answer(cast.bob, lapsed.pk, "Toch nog.", received_at=clock.now(), source="api")
    assert given.state == "released"
    assert Assignment.objects.get(expert=cast.charlie).state == "superseded"
    assert set(Workload.objects.values_list("open_count", flat=True)) == {0}


def test_acceptance_and_expiry_at_once_one_of_them_happens(cast: Cast) -> None:
    for number in range(4):
        offer = offer_of(ask(cast.alice, f"Vraag {number}: waarom is de rekening hoog?"))
        Assignment.objects.filter(pk=offer.pk).update(expires_at=clock.now())

        def race(side: int, offer: Assignment = offer) -> object:
            return answering.accept(offer.expert, offer.pk) if side else routing.expire(offer.pk)

        results = in_parallel(2, race)
        state = Assignment.objects.get(pk=offer.pk).state
        refused = isinstance(results[1], answering.OfferGone)
        assert (state, refused) in {("accepted", False), ("expired", True)}
        held = Assignment.objects.filter(state__in=Assignment.OPEN, expert=offer.expert).count()
        assert Workload.objects.get(person=offer.expert).open_count == held


def test_an_acceptance_that_came_in_time_is_judged_before_the_offer_lapses(cast: Cast) -> None:
    """The worker was down: the message waits, the offer's end has passed."""
    offer = offer_of(ask(cast.alice))
    text(cast.bob, f"JA {code_of(cast.bob, offer.item)}")
    later(hours=7)
    routing.expire(offer.pk)
    assert Assignment.objects.get(pk=offer.pk).state == "offered"
    work()
    assert Assignment.objects.get(pk=offer.pk).state == "accepted"
    assert Assignment.objects.count() == 1


def test_a_message_that_came_too_late_does_not_keep_the_offer(cast: Cast) -> None:
    offer = offer_of(ask(cast.alice))
    later(hours=7)
    text(cast.bob, f"JA {code_of(cast.bob, offer.item)}")
    routing.expire(offer.pk)
    assert Assignment.objects.get(pk=offer.pk).state == "expired"
