"""Many credits leave only a session whose holder proved lately to be the person; a fresh code proves it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from backend import clock
from people.models import AccessToken, Person
from rewards.models import Gift, Kudos, Offer
from tests.conftest import Cast, api, in_parallel, letters, post, work
from tests.rewards.conftest import earn, make_mall, make_offer


@pytest.fixture(autouse=True)
def _no_old_limits() -> None:
    cache.clear()


@pytest.fixture
def dear(cast: Cast) -> Offer:
    mall = make_mall()
    earn(cast.alice, 1000)
    return make_offer(mall.campaign, mall.shop, "diner", price_credits=settings.STEP_UP_CREDITS + 1)


def proved(who: Person, **ago: float) -> None:
    """All of their sessions were proved so long ago."""
    AccessToken.objects.filter(person=who).update(proved_at=clock.real() - timedelta(**ago))


def give(client: Client, offer: Offer, key: str) -> Any:
    return post(client, "/gifts", {"offer_id": str(offer.pk)}, key=key)


def code(who: Person) -> str:
    work()
    found = re.search(r"#(\d{6})$", letters(who.mobile)[-1].body)
    assert found
    return found.group(1)


def other_than(code: str) -> str:
    return "000000" if code != "000000" else "111111"


def test_just_signed_in_needs_nothing_more(cast: Cast, dear: Offer) -> None:
    assert give(api(cast.alice), dear, "key-00001").status_code == 201


def test_later_a_dear_gift_asks_for_a_proof_and_goes_with_its_own_key_then(cast: Cast, dear: Offer) -> None:
    mine = api(cast.alice)
    proved(cast.alice, minutes=settings.STEP_UP_MINUTES + 1)
    refused = give(mine, dear, "key-00001")
    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
    assert 'error="insufficient_user_authentication"' in refused["WWW-Authenticate"]
    assert f"max_age={settings.STEP_UP_MINUTES * 60}" in refused["WWW-Authenticate"]
    assert not Gift.objects.exists()
    asked = post(mine, "/me/step-up/code", {})
    assert (asked.status_code, asked.json()["channel"]) == (200, "sms")
    done = post(mine, "/me/step-up", {"code": code(cast.alice)})
    assert done.status_code == 200
    assert done.json()["fresh_until"] > clock.real().isoformat()
    assert give(mine, dear, "key-00001").status_code == 201
    assert Gift.objects.count() == 1


def test_what_was_given_is_still_told_when_the_proof_is_old(cast: Cast, dear: Offer) -> None:
    mine = api(cast.alice)
    first = give(mine, dear, "key-00001")
    proved(cast.alice, days=1)
    again = give(mine, dear, "key-00001")
    assert (again.status_code, again.content) == (201, first.content)
    assert Gift.objects.count() == 1


def test_a_small_gift_asks_only_when_the_proof_is_very_old(cast: Cast, dear: Offer) -> None:
    mine = api(cast.alice)
    small = make_offer(dear.campaign, dear.shops.get(), "thee", price_credits=settings.STEP_UP_CREDITS)
    proved(cast.alice, days=settings.STEP_UP_DAYS - 1)
    assert give(mine, small, "key-00001").status_code == 201
    proved(cast.alice, days=settings.STEP_UP_DAYS + 1)
    assert give(mine, small, "key-00002").json()["code"] == "step_up_required"


def test_kudos_with_credits_ask_and_thanks_alone_never_do(cast: Cast, dear: Offer) -> None:
    mine = api(cast.alice)
    proved(cast.alice, days=settings.STEP_UP_DAYS + 1)
    body = {"colleague_id": str(cast.bob.pk), "note": "Dank je!"}
    refused = post(mine, "/kudos", {**body, "credits": 1}, key="key-00001")
    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
    assert not Kudos.objects.exists()
    assert post(mine, "/kudos", body, key="key-00002").status_code == 201


def test_a_code_proves_one_session_and_not_the_others(cast: Cast, dear: Offer) -> None:
    mine, stolen = api(cast.alice), api(cast.alice)
    proved(cast.alice, hours=1)
    post(mine, "/me/step-up/code", {})
    said = code(cast.alice)
    assert post(stolen, "/me/step-up", {"code": said}).json()["code"] == "wrong_code"
    assert post(mine, "/me/step-up", {"code": said}).status_code == 200
    assert give(stolen, dear, "key-00001").json()["code"] == "step_up_required"


@pytest.mark.parametrize("key", ["", "key-"])
def test_after_three_wrong_tries_the_right_code_is_wrong_too(cast: Cast, key: str) -> None:
    mine = api(cast.alice)
    proved(cast.alice, hours=1)
    post(mine, "/me/step-up/code", {})
    said = code(cast.alice)
    for number in range(3):
        tried = post(mine, "/me/step-up", {"code": other_than(said)}, key=key and f"{key}{number:05}")
        assert (tried.status_code, tried.json()["code"]) == (422, "wrong_code")
    assert post(mine, "/me/step-up", {"code": said}, key=key and f"{key}00009").json()["code"] == "wrong_code"


def test_tries_at_the_same_time_are_counted_one_by_one(cast: Cast) -> None:
    token = AccessToken.issue(cast.alice)
    mine = Client(headers={"Authorization": f"Bearer {token}"})
    post(mine, "/me/step-up/code", {})
    said = code(cast.alice)
    guesses = [f"{number:06}" for number in range(20) if f"{number:06}" != said]

    def guess(number: int) -> Any:
        return post(Client(headers={"Authorization": f"Bearer {token}"}), "/me/step-up", {"code": guesses[number]})

    assert {response.status_code for response in in_parallel(10, guess)} == {422}
    assert post(mine, "/me/step-up", {"code": said}).json()["code"] == "wrong_code"


def test_the_same_code_again_answers_the_same_and_proves_nothing_new(cast: Cast) -> None:
    mine = api(cast.alice)
    post(mine, "/me/step-up/code", {})
    said = code(cast.alice)
    first = post(mine, "/me/step-up", {"code": said})
    again = post(mine, "/me/step-up", {"code": said})
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())


def test_a_second_proof_later_counts_like_the_first(cast: Cast, dear: Offer) -> None:
    mine = api(cast.alice)
    for number in range(2):
        proved(cast.alice, hours=1)
        assert give(mine, dear, f"key-0000{number}").json()["code"] == "step_up_required"
        post(mine, "/me/step-up/code", {})
        assert post(mine, "/me/step-up", {"code": code(cast.alice)}).status_code == 200
        assert give(mine, dear, f"key-0000{number}").status_code == 201
    assert Gift.objects.count() == 2


def test_a_newer_code_ends_the_older_and_an_old_one_is_wrong(cast: Cast) -> None:
    from people.models import StepUpCode

    mine = api(cast.alice)
    post(mine, "/me/step-up/code", {})
    older = code(cast.alice)
    post(mine, "/me/step-up/code", {"channel": "sms"})
    newer = code(cast.alice)
    if older != newer:
        assert post(mine, "/me/step-up", {"code": older}).json()["code"] == "wrong_code"
    StepUpCode.objects.update(expires_at=clock.real())
    assert post(mine, "/me/step-up", {"code": newer}).json()["code"] == "wrong_code"


def test_a_code_comes_by_mail_where_no_sms_goes(cast: Cast, settings: Any) -> None:
    settings.SMS_CODE_COUNTRIES = ["BE"]
    asked = post(api(cast.bob), "/me/step-up/code", {})
    assert asked.json()["channel"] == "email"
    work()
    assert len(letters(cast.bob.email)) == 1
    assert letters(cast.bob.mobile) == []
    refused = post(api(cast.alice), "/me/step-up/code", {})  # she has no mail
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_codes_are_not_sent_without_end(cast: Cast) -> None:
    mine = api(cast.alice)
    heard = [post(mine, "/me/step-up/code", {}).status_code for _number in range(6)]
    assert heard == [200] * 5 + [429]
    work()
    assert len(letters(cast.alice.mobile)) == 5


def test_neither_code_nor_token_is_refused(cast: Cast) -> None:
    assert post(api(cast.alice), "/me/step-up", {}).json()["code"] == "invalid"


def test_the_codes_hash_cannot_be_guessed_from_the_table(cast: Cast) -> None:
    import hashlib

    from people.models import StepUpCode

    mine = api(cast.alice)
    post(mine, "/me/step-up/code", {})
    said = code(cast.alice)
    row = StepUpCode.objects.get()
    for plain in (said, f"{row.token_id}:{said}"):
        assert bytes(row.digest) != hashlib.sha256(plain.encode()).digest()


def test_off_means_never(cast: Cast, dear: Offer, settings: Any) -> None:
    settings.STEP_UP_CREDITS = settings.STEP_UP_DAYS = 0
    mine = api(cast.alice)
    proved(cast.alice, days=80)
    assert give(mine, dear, "key-00001").status_code == 201


def test_handing_out_costs_no_query_more(cast: Cast, dear: Offer) -> None:
    """What is needed rides on the token's row."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    mine = api(cast.alice)
    small = make_offer(dear.campaign, dear.shops.get(), "thee")
    give(mine, small, "key-00000")
    counts = []
    for number, days in enumerate((0, settings.STEP_UP_DAYS - 1), 1):
        proved(cast.alice, days=days)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert give(mine, small, f"key-0000{number}").status_code == 201
        counts.append(len(queries))
    assert counts[0] == counts[1]
