"""Providers deliver twice, networks retry: one message is one question."""

from notifications.models import InboundMessage
from questions.models import Question
from tests.conftest import Cast, in_parallel, letters, mail, text, texts, work


def test_the_same_sms_twenty_times_in_parallel_makes_one_question(cast: Cast) -> None:
    sid = "SM" + "a" * 32
    responses = in_parallel(20, lambda _n: text(cast.alice, "VRAAG Waarom is de rekening zo hoog?", sid).status_code)
    work()
    assert responses == [200] * 20
    assert Question.objects.count() == 1
    assert InboundMessage.objects.count() == 1
    assert len(texts(cast.alice)) == 1


def test_the_same_mail_twenty_times_in_parallel_makes_one_question(cast: Cast) -> None:
    sender = str(cast.mallory.email)
    to = "rekening@vragen.vonkmobiel.example"
    sent = in_parallel(20, lambda _n: mail(sender, to, "Why is the bill so high?", message_id="<one@mail.example>"))
    work()
    assert set(sent) == {"<one@mail.example>"}
    question = Question.objects.get()
    assert (question.topic, question.topic_chosen_by) == (cast.topic, "address")
    assert len(letters(sender)) == 1


def test_one_message_handled_by_many_workers_has_one_effect(cast: Cast) -> None:
    from notifications.inbound import handling

    text(cast.alice, "VRAAG Waarom is de rekening zo hoog?")
    message_id = InboundMessage.objects.get().pk
    in_parallel(8, lambda _n: handling.handle(message_id))
    work()
    assert Question.objects.count() == 1
    assert len(texts(cast.alice)) == 1
