"""Who does not answer the topic any more is asked no more: an open offer moves on, what they accepted stays theirs."""

from datetime import timedelta

from backend import clock
from people import roster
from people.models import Person
from questions import answering, experts, skills
from questions.models import Assignment, Expertise, Question, Topic
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, api, ask, offer_of, person, work


def test_an_expert_who_drops_the_topic_loses_the_offer(cast: Cast) -> None:
    question = ask(cast.alice)
    response = api(cast.bob).delete("/api/v1/me/expertise/billing")
    assert response.status_code == 204
    assert Assignment.objects.get(expert=cast.bob).state == "moved"
    work()
    assert offer_of(question).expert == cast.charlie


def test_what_was_accepted_stays(cast: Cast) -> None:
    question = ask(cast.alice)
    answering.accept(cast.bob, offer_of(question).pk)
    skills.drop_own(cast.bob, cast.topic)
    work()
    assert offer_of(question).expert == cast.bob
    assert offer_of(question).state == "accepted"


def test_hr_takes_the_role_and_the_offer_moves(cast: Cast) -> None:
    question = ask(cast.alice)
    header = "employee_number,name,email,mobile,language,roles\n"
    roster.import_csv(f"{header}E2,Bob Bakker,bob@vonkmobiel.example,{cast.bob.mobile},nl,\n")
    work()
    assert offer_of(question).expert == cast.charlie
    assert not Assignment.objects.filter(expert=cast.bob, state__in=Assignment.OPEN).exists()


def test_an_offer_on_its_way_looks_again_once_it_has_the_place(cast: Cast) -> None:
    question = ask(cast.alice)
    question.topic = cast.topic
    Expertise.objects.filter(person=cast.charlie).delete()
    assert not experts.take_slot(question, cast.charlie.pk)
    assert cast.charlie.workload.open_count == 0
    cast.charlie.absences.all().delete()
    Expertise.objects.create(topic=cast.topic, person=cast.charlie)
    now = clock.now()
    away = cast.charlie.absences.create(starts_at=now, ends_at=now + timedelta(hours=1))
    assert not experts.take_slot(question, cast.charlie.pk)
    away.delete()
    assert experts.take_slot(question, cast.charlie.pk)


def test_a_topic_that_is_not_in_use_any_more_goes_to_the_desk_for_another(cast: Cast) -> None:
    question = ask(cast.alice)
    Topic.objects.filter(pk=cast.topic.pk).update(is_active=False)
    work()
    assert offer_of(question).expert == cast.bob  # who has the offer may answer it
    answering.decline(cast.bob, offer_of(question).pk, "no_time")
    work()
    question.refresh_from_db()
    assert question.state == "triage"
    assert question.events.filter(kind="triage", data__reason="topic_not_in_use").exists()
    assert not Assignment.objects.filter(expert=cast.charlie).exists()


def test_the_back_office_edits_the_list_and_offers_follow(cast: Cast) -> None:
    admin = person("E8", "Ada Admin", "administrator")
    cleo = person("E7", "Cleo Claes", "expert")
    question = ask(cast.alice)
    waiting = Question.objects.get(pk=question.pk)
    page = signed_in(admin)
    rows = list(Expertise.objects.filter(topic=cast.topic).order_by("-level", "person__name"))
    response = page.post(
        f"/admin/questions/topic/{cast.topic.pk}/change/", _form(cast.topic, rows, drop=cast.bob, add=cleo)
    )
    assert response.status_code == 302, response.context["errors"] if response.context else response.content[:400]
    assert not Expertise.objects.filter(person=cast.bob).exists()
    work()
    assert offer_of(waiting).expert in {cast.charlie, cleo}
    assert Assignment.objects.get(expert=cast.bob).state == "moved"


def _form(topic: Topic, rows: list[Expertise], *, drop: object, add: Person) -> dict[str, object]:
    names = ("name_nl", "name_en", "slug", "mail_key", "promise_hours", "description_nl", "description_en")
    form: dict[str, object] = {name: getattr(topic, name) for name in names} | {"is_active": "on", "lead": ""}
    form |= {"expertise-TOTAL_FORMS": len(rows) + 1, "expertise-INITIAL_FORMS": len(rows)}
    form |= {"examples-TOTAL_FORMS": 0, "examples-INITIAL_FORMS": 0}
    for number, row in enumerate([*rows, Expertise(topic=topic, person=add, level=2)]):
        form |= {
            f"expertise-{number}-id": row.pk or "",
            f"expertise-{number}-topic": topic.pk,
            f"expertise-{number}-person": row.person_id,
            f"expertise-{number}-level": row.level,
        }
        if row.person == drop:
            form[f"expertise-{number}-DELETE"] = "on"
    return form
