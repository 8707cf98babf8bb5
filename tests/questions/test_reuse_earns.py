"""An answer that is used again earns its author credits: once a person, within caps, back when it did not help."""

import pytest
from django.test import Client

from questions.models import Answer, Question
from rewards import checks
from rewards.models import EarningRule, Fact
from tests.conftest import Cast, api, ask, in_parallel, post, work
from tests.questions.test_reuse import answer_to, reuse, use


def earned(cast: Cast) -> int:
    """Bob's, for reuse alone, less what was taken back; and the books are right."""
    assert checks.violations() == []
    facts = Fact.objects.filter(person=cast.bob, kind="answer_reused")
    return sum(credits_ - back for credits_, back in facts.values_list("credits", "taken_back"))


@pytest.fixture
def answer(cast: Cast) -> Answer:
    return answer_to(cast)


def test_each_person_who_uses_it_pays_its_author_once_and_the_author_nobody(cast: Cast, answer: Answer) -> None:
    use(cast.bob, answer, "the-author")
    assert earned(cast) == 0
    for number in range(3):
        assert use(cast.alice, answer, f"alice-uses-{number}").status_code == 201
    assert earned(cast) == 3
    before = api(cast.bob).get("/api/v1/wallet").json()["available"]
    reuse(cast.mallory, ask(cast.mallory, "My friend asks why the bill is so high?"), answer)
    assert earned(cast) == 6
    assert api(cast.bob).get("/api/v1/wallet").json()["available"] == before + 3
    assert not Fact.objects.filter(kind="answer_reused").exclude(person=cast.bob).exists()


def test_ten_presses_at_once_pay_once(cast: Cast, answer: Answer) -> None:
    results = in_parallel(10, lambda number: use(cast.alice, answer, f"at-once-{number}").status_code)
    assert results == [201] * 10
    assert earned(cast) == 3


def test_the_rule_caps_it_and_switches_it_off(cast: Cast, answer: Answer) -> None:
    EarningRule.objects.filter(kind="answer_reused").update(per_day_max=3)
    use(cast.alice, answer, "alice-uses")
    use(cast.mallory, answer, "mallory-uses")
    assert earned(cast) == 3
    EarningRule.objects.filter(kind="answer_reused").update(is_active=False, per_day_max=None)
    use(cast.dana, answer, "dana-uses")
    assert earned(cast) == 3
    assert Fact.objects.filter(person=cast.bob, kind="answer_reused").count() == 3


def test_not_yet_takes_this_use_back_once_and_using_it_again_earns_nothing(cast: Cast, answer: Answer) -> None:
    use(cast.mallory, answer, "mallory-uses")
    question = ask(cast.alice)
    reuse(cast.alice, question, answer)
    assert earned(cast) == 6
    for _twice in range(2):
        Client().post(f"/q/{question.friend_key}", {"action": "not_yet"})
        work()
    assert earned(cast) == 3
    use(cast.alice, answer, "alice-again")
    assert earned(cast) == 3
    assert Fact.objects.get(person=cast.bob, kind="answered").withdrawn_at is None
    assert Question.objects.get(pk=answer.question_id).close_reason != "reused"
    assert post(api(cast.alice), f"/questions/{question.pk}/reuse", {"answer": str(answer.pk)}).status_code in {200, 409}
    assert earned(cast) == 3
