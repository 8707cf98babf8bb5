"""An offer is for whom its audience says: role, team, language, time here. For everybody else it does not exist."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from backend import clock
from people.models import Person, Team
from rewards import tasks
from rewards.models import Gift, Offer
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, api, person, post, text, texts, work
from tests.rewards.conftest import Mall, earn, make_offer


def listed(who: Person) -> list[str]:
    return [offer["slug"] for offer in api(who).get("/api/v1/offers").json()]


def asked_for(who: Person, offer_id: Any) -> tuple[int, Any]:
    answer = post(api(who), "/gifts", {"offer_id": str(offer_id)}, key=f"gift-{offer_id}")
    return answer.status_code, {name: value for name, value in answer.json().items() if name != "instance"}


@pytest.fixture
def shops(quiet_cast: Cast) -> Team:
    """Alice's team. Bob has another, Mallory none."""
    mine, other = Team.objects.create(name="Winkels"), Team.objects.create(name="Factuur")
    Person.objects.filter(pk=quiet_cast.alice.pk).update(team=mine, joined_on=None)
    Person.objects.filter(pk=quiet_cast.bob.pk).update(team=other, joined_on=clock.now().date() - timedelta(days=90))
    Person.objects.filter(pk=quiet_cast.mallory.pk).update(joined_on=clock.now().date() - timedelta(days=89))
    for who in (quiet_cast.alice, quiet_cast.bob, quiet_cast.mallory):
        earn(who, 50)
        who.refresh_from_db()
    return mine


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({}, {"alice", "bob", "mallory"}),
        ({"audience_roles": ["expert"]}, {"bob"}),
        ({"audience_team_ids": ["mine"]}, {"alice"}),
        ({"audience_languages": ["en"]}, {"mallory"}),
        ({"audience_employed_days_min": 90}, {"alice", "bob"}),
        ({"audience_team_ids": ["mine"], "audience_roles": ["expert"]}, set()),
    ],
)
def test_who_is_meant_sees_it_and_gives_it_and_for_others_it_does_not_exist(
    quiet_cast: Cast, quiet_mall: Mall, shops: Team, audience: dict[str, Any], expected: set[str]
) -> None:
    if "audience_team_ids" in audience:
        audience = {**audience, "audience_team_ids": [shops.pk]}
    offer = make_offer(quiet_mall.campaign, quiet_mall.shop, "bioscoop", **audience)
    unknown = "00000000-0000-7000-8000-000000000000"
    for name in ("alice", "bob", "mallory"):
        who = getattr(quiet_cast, name)
        status, body = asked_for(who, offer.pk)
        assert ("bioscoop" in listed(who)) == (status == 201) == (name in expected), name
        if name not in expected:
            assert (status, body) == asked_for(who, unknown)
    assert Gift.objects.count() == len(expected)


def test_an_offer_that_is_over_is_closed_only_for_whom_it_was_meant(
    quiet_cast: Cast, quiet_mall: Mall, shops: Team
) -> None:
    quiet_mall.coffee.audience_team_ids = [shops.pk]
    quiet_mall.coffee.is_active = False
    quiet_mall.coffee.save()
    assert asked_for(quiet_cast.alice, quiet_mall.coffee.pk)[1]["code"] == "offer_closed"
    assert asked_for(quiet_cast.bob, quiet_mall.coffee.pk)[1]["code"] == "not_found"


def test_by_sms_it_is_neither_named_nor_given(cast: Cast, mall: Mall) -> None:
    tasks.sweep()
    team = Team.objects.create(name="Winkels")
    make_offer(mall.campaign, mall.shop, "bioscoop", audience_team_ids=[team.pk])
    for body in ("GEEF", "GEEF bioscoop", "GEEF onbekend"):
        text(cast.alice, body)
        work()
        assert "bioscoop" not in texts(cast.alice)[-1]
        assert "koffie (10)" in texts(cast.alice)[-1]
    Person.objects.filter(pk=cast.alice.pk).update(team=team)
    text(cast.alice, "GEEF")
    work()
    assert "bioscoop (10)" in texts(cast.alice)[-1]
    text(cast.alice, "GEEF bioscoop")
    work()
    digits = texts(cast.alice)[-1].split("GEEF ")[1][:4]
    Person.objects.filter(pk=cast.alice.pk).update(team=None)
    text(cast.alice, f"GEEF {digits}")
    work()
    assert texts(cast.alice)[-1].startswith("Dit aanbod bestaat niet.")
    assert Gift.objects.count() == 0


def test_an_administrator_ticks_the_audience(quiet_cast: Cast, quiet_mall: Mall, shops: Team) -> None:
    admin: Client = signed_in(person("E11", "Ada Aarts", "administrator"))
    path = f"/admin/rewards/offer/{quiet_mall.coffee.pk}/change/"
    page = admin.get(path).content.decode()
    assert "Winkels" in page
    form = admin.get(path).context["adminform"].form
    fields = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    kept = {name: value for name, value in fields.items() if value not in (None, [], "")}
    kept |= {
        "campaign": str(quiet_mall.campaign.pk),
        "shops": [str(quiet_mall.shop.pk)],
        "audience_roles": ["employee"],
        "audience_team_ids": [str(shops.pk)],
        "audience_languages": ["nl"],
        "audience_employed_days_min": "30",
    }
    answer = admin.post(path, kept)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    offer = Offer.objects.get(pk=quiet_mall.coffee.pk)
    assert (offer.audience_team_ids, offer.audience_roles) == ([shops.pk], ["employee"])
    assert (offer.audience_languages, offer.audience_employed_days_min) == (["nl"], 30)
    looking = signed_in(person("E12", "Petra Prins", "programme_manager")).get(path)
    assert looking.status_code == 200
    assert 'name="audience_team_ids"' not in looking.content.decode()
    again = admin.get(path).content.decode()
    assert f'<option value="{shops.pk}" selected>' in again
