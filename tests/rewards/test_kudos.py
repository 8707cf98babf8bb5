"""Thanks between colleagues: once for a key, a quarter of an allowance a month at most, and never to oneself."""

from typing import Any

from notifications.models import Notification
from people.models import Person
from rewards import tasks
from rewards.models import Fact, Kudos, Transfer
from tests.conftest import Cast, api, later, post, text, texts, work
from tests.rewards.conftest import available, earn


def thank(who: Person, whom: Person, credits_: int = 0, key: str = "thanks-01", note: str = "Voor je hulp!") -> Any:
    return post(api(who), "/kudos", {"colleague_id": str(whom.pk), "note": note, "credits": credits_}, key=key)


def test_thanks_with_credits_move_them_once_and_both_sides_can_read_it(quiet_cast: Cast) -> None:
    alice, bob = quiet_cast.alice, quiet_cast.bob
    tasks.sweep()
    answers = [thank(alice, bob, 5) for _time in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.content for answer in answers}) == 1
    assert (available(alice), available(bob)) == (95, 105)
    assert Transfer.objects.filter(reason="kudos").count() == Kudos.objects.count() == 1
    assert Notification.objects.filter(person=bob, event="kudos_received").count() == 1
    assert thank(alice, bob, 6).status_code == 422
    [given] = api(alice).get("/api/v1/kudos/given").json()["items"]
    [received] = api(bob).get("/api/v1/kudos/received").json()["items"]
    assert given == received
    assert (given["note"], given["credits"], given["giver"]) == ("Voor je hulp!", 5, "Alice Achterberg")
    assert api(quiet_cast.charlie).get("/api/v1/kudos/given").json()["items"] == []
    assert api(alice).get("/api/v1/kudos/received").json()["items"] == []


def test_a_quarter_of_the_allowance_is_the_most_in_a_month(quiet_cast: Cast) -> None:
    alice = quiet_cast.alice
    tasks.sweep()
    earn(alice, 500)
    assert thank(alice, quiet_cast.bob, 20, "thanks-01").status_code == 201
    assert thank(alice, quiet_cast.charlie, 6, "thanks-02").json()["code"] == "limit_reached"
    assert thank(alice, quiet_cast.charlie, 5, "thanks-03").status_code == 201
    assert thank(alice, quiet_cast.bob, 1, "thanks-04").json()["code"] == "limit_reached"
    assert thank(alice, quiet_cast.bob, 0, "thanks-05").status_code == 201
    later(days=31)
    tasks.sweep()
    assert thank(alice, quiet_cast.bob, 25, "thanks-06").status_code == 201


def test_earned_credits_are_not_for_colleagues(quiet_cast: Cast) -> None:
    earn(quiet_cast.alice, 500)
    assert thank(quiet_cast.alice, quiet_cast.bob, 5).json()["code"] == "not_enough_credits"
    assert Kudos.objects.count() == Fact.objects.count() == 0


def test_nobody_thanks_themselves_a_leaver_or_without_a_word(quiet_cast: Cast) -> None:
    alice = quiet_cast.alice
    tasks.sweep()
    Person.objects.filter(pk=quiet_cast.charlie.pk).update(left_on="2026-01-01")
    assert thank(alice, alice, 5, "thanks-01").status_code == 422
    assert thank(alice, quiet_cast.charlie, 5, "thanks-02").status_code == 404
    assert thank(alice, quiet_cast.bob, 5, "thanks-03", note="   ").status_code == 422
    assert thank(alice, quiet_cast.bob, -5, "thanks-04").status_code == 422
    assert Kudos.objects.count() == 0
    assert available(alice) == 100


def test_lists_page_newest_first(quiet_cast: Cast) -> None:
    for number in range(5):
        later(seconds=1)
        thank(quiet_cast.alice, quiet_cast.bob, 0, f"thanks-{number:02}", note=f"nummer {number}")
    client, notes, cursor = api(quiet_cast.bob), [], ""
    while True:
        page = client.get(f"/api/v1/kudos/received?limit=2{cursor}").json()
        notes += [item["note"] for item in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert notes == [f"nummer {number}" for number in (4, 3, 2, 1, 0)]


def test_by_sms_the_same_cap_holds(cast: Cast) -> None:
    tasks.sweep()
    text(cast.alice, "BEDANK Bob 26 voor alles")
    work()
    digits = next(word for word in reversed(texts(cast.alice)[-1].split()) if word.isdecimal() and len(word) == 4)
    text(cast.alice, f"BEDANK {digits}")
    work()
    assert "grens" in texts(cast.alice)[-1].lower()
    assert Kudos.objects.count() == 0
    assert available(cast.alice) == 100
