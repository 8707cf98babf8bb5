"""The whole path: a text, a mailed answer, the friend's page."""

from django.test import Client

from questions.models import Answer, Question
from tests.conftest import Cast, ask, letters, mail, mails, offer_of, reply_to, texts, work

ANSWER = """De eerste rekening telt een stukje van twee maanden op.

--- intern
Pro rata na tariefwijziging.

Op di 24 nov 2026 om 12:00 schreef CEO-app <app@vragen.vonkmobiel.example>:
> Schrijf je antwoord boven deze regel ---
> Een collega kreeg de vraag
"""


def test_a_text_is_answered_by_mail_and_read_by_the_friend(cast: Cast) -> None:
    question = ask(cast.alice)
    assert question.topic == cast.topic
    assert question.state == "offered"
    assert question.reference in texts(cast.alice)[0]

    assignment = offer_of(question)
    assert assignment.expert == cast.bob
    assert question.text in mails(cast.bob)[0]

    mail(str(cast.bob.email), reply_to(assignment), ANSWER)
    work()

    answer = Answer.objects.get()
    assert answer.text == "De eerste rekening telt een stukje van twee maanden op."
    assert answer.internal_note == "Pro rata na tariefwijziging."
    assert answer.text in texts(cast.alice)[-1]
    assert "Pro rata" not in texts(cast.alice)[-1]
    assert answer.text in mails(cast.bob)[-1]

    friend = Client()
    path = f"/q/{question.friend_key}"
    page = friend.get(path)
    assert answer.text in page.content.decode()
    assert "Pro rata" not in page.content.decode()
    assert page["Referrer-Policy"] == "no-referrer"
    friend.post(path, {"action": "helped"})
    question.refresh_from_db()
    assert (question.state, question.close_reason) == ("closed", "helped")
    assert Question.objects.get(pk=question.pk).current_round.verdict == "kept"


def test_opening_the_friends_page_changes_nothing(cast: Cast) -> None:
    question = ask(cast.alice)
    mail(str(cast.bob.email), reply_to(offer_of(question)), "Het klopt zo.")
    work()
    before = list(question.events.values_list("kind", flat=True))
    for _ in range(3):
        assert Client().get(f"/q/{question.friend_key}?action=helped").status_code == 200
    assert list(question.events.values_list("kind", flat=True)) == before
    assert Answer.objects.get().helped is None


def test_a_friends_key_that_nobody_gave_out_is_not_found(cast: Cast) -> None:
    assert Client().get("/q/AAAAAAAAAAAAAAAAAAAAAA").status_code == 404


def test_nothing_is_told_to_the_wrong_people(cast: Cast) -> None:
    ask(cast.alice)
    assert letters(cast.mallory.mobile) == []
    assert letters(cast.mallory.email) == []
    assert letters(cast.charlie.email) == []
