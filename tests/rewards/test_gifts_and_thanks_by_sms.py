"""What I gave, taking it back, a new link, my lines, thanks and badges: by SMS."""

import re

from django.test import Client

from people.models import Person, Team
from rewards import gifts, kudos, tasks
from rewards.models import Gift
from tests.conftest import Cast, text, texts, work
from tests.rewards.conftest import Mall, available, path_of


def say(who: Person, body: str) -> str:
    text(who, body)
    work()
    return texts(who)[-1]


def give(cast: Cast, mall: Mall, key: str = "k1") -> Gift:
    tasks.sweep()
    return gifts.hand_out(cast.alice, mall.coffee.pk, request_key=key)


def test_a_gift_is_listed_and_taken_back_with_its_code(cast: Cast, mall: Mall) -> None:
    give(cast, mall)
    line = say(cast.alice, "GIFTEN").splitlines()[0]
    assert line.endswith("Een koffie: nog niet opgehaald")
    assert available(cast.alice) == 90
    assert "ingetrokken" in say(cast.alice, f"INTREKKEN {line[:2]}")
    assert available(cast.alice) == 100
    assert say(cast.alice, "GIFTEN").startswith("- Een koffie: ingetrokken")


def test_a_new_link_kills_the_old_one(cast: Cast, mall: Mall) -> None:
    from rewards import sharing

    gift = give(cast, mall)
    old = sharing.link(gift)
    code = say(cast.alice, "GIFTEN")[:2]
    new = re.search(r"http\S+/g/[\w-]+", say(cast.alice, f"LINK {code}"))
    assert new
    assert "koffie" in Client().get(path_of(new.group())).content.decode()
    assert "Een koffie" not in Client().get(path_of(old)).content.decode()


def test_somebody_elses_gift_code_does_nothing(cast: Cast, mall: Mall) -> None:
    gift = give(cast, mall)
    code = say(cast.alice, "GIFTEN")[:2]
    say(cast.bob, f"INTREKKEN {code}")
    gift.refresh_from_db()
    assert gift.state == "handed_out"


def test_lines_page_by_page_each_with_the_balance_after_it(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    for number in range(7):
        kudos.thank(cast.alice, cast.bob, "Dank!", credits_=1, request_key=f"k{number}")
    first = say(cast.alice, "AFSCHRIFT").splitlines()
    assert len(first) == 7
    assert first[0].endswith("-1 dank (93)")
    assert "AFSCHRIFT 2" in first[-1]
    second = say(cast.alice, "AFSCHRIFT 2").splitlines()
    assert second[-1].endswith("+100 maandtegoed (100)")
    assert len(second) == 2


def test_thanks_that_came_and_went(cast: Cast, mall: Mall) -> None:
    assert say(cast.bob, "KUDOS") == "Niemand bedankte je nog."
    say(cast.alice, "BEDANK Bob voor je hulp")
    assert say(cast.bob, "KUDOS") == "Alice: voor je hulp"
    assert say(cast.alice, "KUDOS GEGEVEN") == "Bob: voor je hulp"


def test_badges_and_the_teams_only_of_who_shows_them(cast: Cast, mall: Mall) -> None:
    team = Team.objects.create(name="Winkel")
    Person.objects.filter(pk__in=[cast.alice.pk, cast.bob.pk]).update(team=team)
    for number in range(30):
        kudos.thank(cast.alice, cast.bob, "Dank!", request_key=f"k{number}")
    assert "(behaald)" in say(cast.bob, "BADGES")
    assert say(cast.alice, "BADGES TEAM").startswith("Niemand van je team toont badges.")
    say(cast.bob, "TOON BADGES AAN")
    assert say(cast.alice, "BADGES TEAM").startswith("Bob: ")
