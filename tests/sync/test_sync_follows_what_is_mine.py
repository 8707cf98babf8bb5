"""What comes to be mine appears, what no longer is goes, and what carries a changed name is told again."""

from datetime import timedelta

from backend import clock
from people import lifecycle
from people.models import Person, Team
from questions import skills
from questions.models import Topic
from rewards import listing
from rewards.models import Offer
from tests.conftest import Cast, answered, api, ask, later, offer_of, person, post, work
from tests.rewards.conftest import earn, give, make_mall, make_offer
from tests.sync.mirror import Mirror, whole


def phone_of(who: Person) -> Mirror:
    return Mirror(api(who)).sync()


def look() -> None:
    """What the sweep does."""
    for offer_id in listing.due_ids():
        listing.look(offer_id)


def test_a_draft_is_with_those_who_may_approve_it_until_one_did(cast: Cast) -> None:
    lead = person("E20", "Lena Lind", "topic_lead")
    Topic.objects.filter(pk=cast.topic.pk).update(needs_approval=True, lead=lead)
    phones = {who.first_name: phone_of(who) for who in (lead, cast.dana, cast.charlie, cast.alice, cast.mallory)}
    assignment = offer_of(ask(cast.alice))
    post(api(assignment.expert), f"/assignments/{assignment.pk}/answer", {"text": "In oktober."}, key="draft-key")
    seen = {name: [draft["text"] for draft in phone.sync().of("approval")] for name, phone in phones.items()}
    assert seen == {"Lena": ["In oktober."], "Dana": ["In oktober."], "Charlie": [], "Alice": [], "Mallory": []}
    skills.set_level(lead, Topic.objects.get(pk=cast.topic.pk), cast.charlie.pk, 3)
    best = [draft["text"] for draft in phones["Charlie"].sync().of("approval")]
    assert best == ([] if assignment.expert == cast.charlie else ["In oktober."])
    post(api(lead), f"/approvals/{phones['Lena'].of('approval')[0]['id']}/approve")
    for phone in phones.values():
        assert phone.sync().of("approval") == []
    assert phones["Alice"].of("question")[0]["answer"]["text"] == "In oktober."


def test_an_item_is_with_the_desk_until_it_is_dealt_with(cast: Cast) -> None:
    dana, alice, mallory = (phone_of(who) for who in (cast.dana, cast.alice, cast.mallory))
    question = ask(cast.alice, "Hoe laat is het?")
    assert [(item["id"], item["holder"]) for item in dana.sync().of("desk")] == [(str(question.pk), None)]
    post(api(cast.dana), f"/desk/items/{question.pk}/take")
    assert [item["holder"] for item in dana.sync().of("desk")] == ["Dana Dijk"]
    post(api(cast.dana), f"/desk/items/{question.pk}/close", {"reason": "not_a_question"})
    assert dana.sync().of("desk") == []
    for phone in (alice, mallory):
        assert phone.sync().of("desk") == []
    assert dana.copies == whole(dana.client)


def test_with_another_role_all_is_read_anew_and_what_was_the_roles_is_gone(cast: Cast) -> None:
    ask(cast.alice, "Hoe laat is het?")
    dana, mallory = phone_of(cast.dana), phone_of(cast.mallory)
    assert len(dana.of("desk")) == 1
    Person.objects.filter(pk=cast.dana.pk).update(roles=["employee"])
    Person.objects.filter(pk=cast.mallory.pk).update(roles=["employee", "duty_desk"])
    for phone, items in ((dana, 0), (mallory, 1)):
        answer = phone.ask()
        assert (answer.status_code, answer.json()["code"]) == (410, "resync_required")
        phone.cursor = ""
        assert len(phone.sync().of("desk")) == items


def test_an_offer_comes_and_goes_with_its_days_and_for_those_it_is_meant_for(cast: Cast) -> None:
    mall = make_mall()
    today = clock.now().date()
    days = {"starts_on": today + timedelta(days=3), "ends_on": today + timedelta(days=5)}
    make_offer(mall.campaign, mall.shop, "kort", **days)
    make_offer(mall.campaign, mall.shop, "balie", audience_roles=["duty_desk"])
    Person.objects.filter(pk=cast.mallory.pk).update(joined_on=today - timedelta(days=97))
    make_offer(mall.campaign, mall.shop, "honderd", audience_employed_days_min=100)
    look()
    alice, dana, mallory = (phone_of(who) for who in (cast.alice, cast.dana, cast.mallory))

    def shown(phone: Mirror) -> set[str]:
        return {offer["slug"] for offer in phone.sync().of("offer")}

    assert shown(alice) == {"koffie", "honderd"}
    assert shown(dana) == {"koffie", "honderd", "balie"}
    assert shown(mallory) == {"koffie"}
    later(days=4)
    look()
    assert shown(alice) == {"koffie", "honderd", "kort"}
    assert shown(mallory) == {"koffie", "honderd", "kort"}
    later(days=4)
    look()
    assert shown(mallory) == {"koffie", "honderd"}
    assert "offers" not in mallory.ask().json()
    look()
    assert "offers" not in mallory.ask().json(), "the sweep tells nothing twice"
    Offer.objects.filter(slug="koffie").update(audience_roles=["duty_desk"])
    assert shown(alice) == {"honderd"}
    assert shown(dana) == {"koffie", "honderd", "balie"}


def test_a_new_name_reaches_whatever_shows_it(cast: Cast) -> None:
    team = Team.objects.create(name="Winkel Utrecht")
    Person.objects.filter(pk=cast.bob.pk).update(team=team)
    question = answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.", asker=cast.alice)
    mall = make_mall()
    earn(cast.alice, 50)
    give(cast.alice, mall.coffee)
    expert = offer_of(question).expert
    alice, theirs, bob = phone_of(cast.alice), phone_of(expert), phone_of(cast.bob)
    Person.objects.filter(pk=expert.pk).update(name="Robin Bakker")
    Topic.objects.filter(pk=cast.topic.pk).update(name_nl="Facturen")
    Team.objects.filter(pk=team.pk).update(name="Winkel Amersfoort")
    Offer.objects.filter(slug="koffie").update(title_nl="Een espresso", text_nl="Kort en sterk.")
    alice.sync()
    assert alice.of("question")[0]["answer"]["author"] == "Robin Bakker"
    assert alice.of("question")[0]["topic"]["name"] == "Facturen"
    assert theirs.sync().of("assignment")[0]["topic"]["name"] == "Facturen"
    assert "Robin Bakker" in {one["name"] for one in alice.of("colleague")}
    assert "Winkel Amersfoort" in {one["team"] for one in alice.of("colleague")}
    assert {topic["name"] for one in alice.of("colleague") for topic in one["topics"]} == {"Facturen"}
    assert bob.sync().copies["me"]["team"] == "Winkel Amersfoort"
    assert [gift["title"] for gift in alice.of("gift")] == ["Een espresso"]
    assert [offer["text"] for offer in alice.of("offer")] == ["Kort en sterk."]
    assert alice.copies == whole(alice.client)


def test_who_leaves_is_a_colleague_no_more_also_when_it_was_said_long_before(cast: Cast) -> None:
    alice = phone_of(cast.alice)
    Person.objects.filter(pk=cast.mallory.pk).update(left_on=clock.now().date() + timedelta(days=3))
    assert "Mallory Mulder" in {one["name"] for one in alice.sync().of("colleague")}
    later(days=5)
    for leaver in lifecycle.leavers(10):
        lifecycle.left(Person.objects.get(pk=leaver))
    assert "Mallory Mulder" not in {one["name"] for one in alice.sync().of("colleague")}


def test_what_i_chose_and_when_i_am_away_come_whole(cast: Cast) -> None:
    bob, alice = phone_of(cast.bob), phone_of(cast.alice)
    begins, ends = clock.now() + timedelta(days=1), clock.now() + timedelta(days=2)
    body = {"starts_at": begins.isoformat(), "ends_at": ends.isoformat()}
    made = post(api(cast.bob), "/me/absences", body, key="absence-key")
    assert [one["id"] for one in bob.sync().copies["absences"]] == [made.json()["id"]]
    api(cast.bob).delete(f"/api/v1/me/absences/{made.json()['id']}")
    assert bob.sync().copies["absences"] == []
    api(cast.bob).patch("/api/v1/me/preferences", {"quiet": "none"}, "application/json")
    assert bob.sync().copies["preferences"]["quiet_hours"] is None
    before = alice.copies
    answered(cast, "Waarom is mijn rekening zo hoog?", "Door de zomer.")
    work(sending=False)
    assert [badge["have"] for badge in bob.sync().copies["badges"]] != [badge["have"] for badge in before["badges"]]
    assert alice.sync().copies == before
