"""What a push holds: ids, a title, where to go, what can be done; never what somebody wrote."""

import json
import uuid

from notifications import delivery, outbox
from notifications.channels import push
from notifications.models import Delivery, Device, Notification
from questions.models import Question
from tests.conftest import Cast, api, ask, offer_of, post, work
from tests.notifications.phones import Phone, deliveries, phone, put, tell

WORDS = "Mijn zus Geertruida vraagt waarom haar rekening zo hoog is?"


def _offer(cast: Cast) -> tuple[Phone, Question]:
    bobs = phone(cast.bob)
    return bobs, ask(cast.alice, WORDS)


def test_an_offer_holds_ids_and_a_title_and_not_the_question(cast: Cast) -> None:
    bobs, question = _offer(cast)
    [shown] = bobs.pushes
    offer = offer_of(question)
    assert "Geertruida" not in json.dumps(shown.data)
    assert shown.subject == f"Vraag {question.reference}: Rekening"
    assert shown.data["notification"] == {"title": shown.subject}
    data = shown.data["data"]
    assert (data["subject"], data["item"], data["actions"]) == (question.subject_key, offer.item, "accept,decline")
    assert data["link"] == f"ceo-app://assignment/{offer.pk}"
    assert (data["category"], shown.data["apns"]["payload"]["aps"]["category"]) == ("offer", "offer")
    assert all(isinstance(value, str) for value in data.values())
    assert Notification.objects.filter(pk=data["notification"], person=cast.bob).exists()


def test_no_push_of_a_whole_questions_life_holds_what_people_wrote(cast: Cast) -> None:
    phones = [phone(cast.alice), phone(cast.bob)]
    question = ask(cast.alice, WORDS)
    mine, offer = api(cast.bob), offer_of(question)
    secret = "Antwoordtekst over Geertruida"
    assert post(mine, f"/assignments/{offer.pk}/accept").status_code == 200
    body = {"text": secret}
    assert post(mine, f"/assignments/{offer.pk}/answer", body, key="antwoord-1").status_code == 201
    work()
    whole = json.dumps([shown.data for one in phones for shown in one.pushes])
    assert phones[1].pushes
    assert "Geertruida" not in whole
    assert "Antwoordtekst" not in whole


def test_what_is_about_nothing_leads_to_the_inbox(cast: Cast) -> None:
    bobs = phone(cast.bob)
    told = tell(cast.bob)
    delivery.send_due()
    [shown] = bobs.pushes
    assert shown.data["data"]["link"] == f"ceo-app://inbox/{told.pk}"
    assert "actions" not in shown.data["data"]


def test_the_badge_is_what_is_unread(cast: Cast) -> None:
    bobs, mine = phone(cast.bob), api(cast.bob)
    first = tell(cast.bob, "one", subject_key="thing:1")
    tell(cast.bob, "two", subject_key="thing:2")
    post(mine, f"/inbox/{first.pk}/read")
    tell(cast.mallory, "hers")
    tell(cast.bob, "three", subject_key="thing:3")
    delivery.send_due()
    shown = bobs.pushes[-1].data
    badges = {shown["data"]["badge"], str(shown["apns"]["payload"]["aps"]["badge"])}
    assert badges | {str(shown["android"]["notification"]["notification_count"])} == {"2"}


def test_each_phone_shows_it_once_and_has_its_own_outcome(cast: Cast) -> None:
    first, second = phone(cast.bob), phone(cast.bob, platform="ios")
    second.remove_app()
    told = tell(cast.bob)
    delivery.send_due()
    assert (len(first.pushes), len(second.pushes)) == (1, 0)
    states = Delivery.objects.filter(notification=told).values_list("to", "state")
    assert set(states) == {(str(first.id), "sent"), (str(second.id), "failed")}
    assert set(deliveries(told)) == {"push"}  # one of them has it: nothing else is sent


def test_a_reminder_takes_the_place_of_what_it_reminds_of(cast: Cast) -> None:
    bobs = phone(cast.bob)
    tell(cast.bob, "offer", subject_key="question:1", title="Eerst")
    tell(cast.bob, "other", subject_key="question:2", title="Anders")
    delivery.send_due()
    tell(cast.bob, "reminder", subject_key="question:1", title="Later")
    delivery.send_due()
    assert [shown.subject for shown in bobs.pushes] == ["Anders", "Later"]


def test_the_largest_title_fits_and_a_payload_too_large_never_leaves(cast: Cast) -> None:
    bobs = phone(cast.bob, platform="ios")
    tell(
        cast.bob, "emoji", title="👩‍👩‍👧‍👦" * 60, subject_key=f"question:{uuid.uuid4()}", item=f"assignment:{uuid.uuid4()}"
    )
    delivery.send_due()
    assert len(bobs.pushes) == 1
    assert len(json.dumps(bobs.pushes[0].data, ensure_ascii=False).encode()) < push.PAYLOAD_BYTES
    assert len(push.collapse_key(Notification(subject_key="q" * 80))) <= 64


def test_a_fid_is_sent_as_a_fid(cast: Cast) -> None:
    bobs = phone(cast.bob)
    assert put(bobs.client, bobs.id, fid=bobs.token).status_code == 200
    tell(cast.bob)
    delivery.send_due()
    [shown] = bobs.pushes
    assert (shown.data["fid"], "token" in shown.data) == (bobs.token, False)


def test_a_push_without_something_to_tell_fails_and_harms_no_phone(cast: Cast) -> None:
    bobs = phone(cast.bob)
    row = outbox.enqueue(key="odd", channel="push", to=str(bobs.id), person=cast.bob, body="")
    delivery.send_due()
    row.refresh_from_db()
    assert row.state == "failed"
    assert Device.objects.get(pk=bobs.id).dead_at is None
