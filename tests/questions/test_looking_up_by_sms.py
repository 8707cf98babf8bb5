"""Earlier answers, colleagues, topics and who knows them, and reading what one is asked: by SMS."""

from people.models import Person
from questions.models import Expertise, Question, Reuse
from tests.conftest import Cast, answered, ask, code_of, offer_of, text, texts, work


def say(who: Person, body: str) -> str:
    text(who, body)
    work()
    return texts(who)[-1]


def test_an_earlier_answer_is_found_read_and_used(cast: Cast) -> None:
    answered(cast, "Waarom is de rekening deze maand dubbel?", "De eerste maand is anderhalf.")
    told = say(cast.alice, "ZOEK Waarom is mijn rekening dubbel?")
    code, _space, answer = told.splitlines()[0].partition(" ")
    assert answer == "De eerste maand is anderhalf."
    assert "anderhalf" in say(cast.alice, f"MEER {code}")
    assert "gesloten met dit antwoord" in say(cast.alice, f"HERGEBRUIK {code}")
    made = Question.objects.get(asker=cast.alice)
    assert (made.state, made.close_reason, made.text) == ("closed", "reused", "Waarom is mijn rekening dubbel?")
    assert Reuse.objects.get().person == cast.alice


def test_nothing_found_says_how_to_ask(cast: Cast) -> None:
    assert "VRAAG" in say(cast.alice, "ZOEK paarse olifanten")


def test_colleagues_are_found_by_name_and_topic_and_contact_shows_only_of_who_opted_in(cast: Cast) -> None:
    told = say(cast.alice, "WIE rekening")
    assert "Bob Bakker, Rekening" in told
    assert "Charlie Cohen" in told
    assert str(cast.bob.email) not in told
    Person.objects.filter(pk=cast.bob.pk).update(shows_contact=True)
    told = say(cast.alice, "wie Bob?")
    assert str(cast.bob.mobile) in told
    assert "Charlie" not in told


def test_topics_and_whom_to_pass_to(cast: Cast) -> None:
    assert say(cast.alice, "ONDERWERPEN") == "Rekening, Buitenland"
    question = ask(cast.alice)
    code = code_of(cast.bob, offer_of(question).item)
    assert "Charlie Cohen" in say(cast.bob, f"DOOR {code}")
    assert offer_of(question).expert == cast.bob


def test_a_lead_says_who_knows_their_topic_and_nobody_else_does(cast: Cast) -> None:
    cast.topic.lead = cast.dana
    cast.topic.save()
    assert say(cast.dana, "EXPERTS rekening") == "Bob Bakker 3, Charlie Cohen 1"
    assert "Charlie Cohen 2" in say(cast.dana, "EXPERTS rekening Charlie 2")
    assert "Charlie" not in say(cast.dana, "EXPERTS rekening Charlie 0")
    say(cast.bob, "EXPERTS rekening Charlie 2")
    assert not Expertise.objects.filter(person=cast.charlie).exists()


def test_an_expert_reads_the_whole_question_masked(cast: Cast) -> None:
    again = " ".join("Waarom is haar rekening zo hoog?" for _ in range(12))
    question = ask(cast.alice, f"Mijn zus, 06-12345678, vraagt: {again} Dat was het.")
    code = code_of(cast.bob, offer_of(question).item)
    read = " ".join(say(cast.bob, f"MEER {code}") for _ in range(3))
    assert "Mijn zus" in read
    assert "Dat was het." in read
    assert "12345678" not in read
    assert offer_of(question).state == "offered"


def test_wishes_before_the_colon_exclude_somebody_and_keep_it_confidential(cast: Cast) -> None:
    say(cast.alice, "VRAAG behalve Bob, vertrouwelijk: Waarom is haar rekening zo hoog?")
    question = Question.objects.get()
    assert question.not_to == [cast.bob.pk]
    assert question.is_confidential
    assert question.text == "Waarom is haar rekening zo hoog?"
    assert offer_of(question).expert == cast.charlie


def test_direct_goes_straight_to_the_friend(cast: Cast) -> None:
    say(cast.alice, "VRAAG direct: Waarom is haar rekening zo hoog?")
    assert Question.objects.get().answer_mode == "direct"


def test_a_colon_in_a_question_is_no_wish_and_an_unknown_name_asks_nothing(cast: Cast) -> None:
    say(cast.alice, "VRAAG Even kort: waarom is haar rekening zo hoog?")
    assert Question.objects.get().text == "Even kort: waarom is haar rekening zo hoog?"
    assert "geen collega Zoltan" in say(cast.alice, "VRAAG behalve Zoltan: waarom is haar rekening hoog?")
    assert Question.objects.count() == 1


def test_status_shows_what_waits_for_my_approval_too(cast: Cast) -> None:
    question = ask(cast.alice)
    assert code_of(cast.bob, offer_of(question).item) in say(cast.bob, "STATUS")
