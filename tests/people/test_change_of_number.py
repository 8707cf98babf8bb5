"""A new number is theirs once they say so where we know them; and a number that went to somebody else tells nothing."""

import re

from django.conf import settings

from notifications.models import Address, ItemCode
from people import joining, roster
from people.models import AddressClaim, Person
from questions.models import Answer, Question
from tests.conftest import Cast, ask, code_of, later, letters, mail, mails, offer_of, text, texts, work

NEW = "+31687654321"
SAME = "Als we je kennen"


def heard(number: str = NEW) -> list[str]:
    work()
    return [letter.body for letter in letters(number, "sms")]


def claim_reply_address(who: Person) -> str:
    claim = AddressClaim.objects.get(person=who)
    return f"{ItemCode.objects.get(person=who, item=claim.item).reply_key}@{settings.MAIL_DOMAIN}"


def test_a_new_number_is_confirmed_by_mail_and_the_old_one_is_theirs_no_more_at_once(cast: Cast) -> None:
    old = str(cast.bob.mobile)
    text(NEW, f"NUMMER {cast.bob.email}")
    assert heard()[-1].startswith(SAME)
    cast.bob.refresh_from_db()
    assert cast.bob.mobile == old  # asking changes nothing
    assert NEW in mails(cast.bob)[-1]
    question = ask(cast.alice)
    mail(str(cast.bob.email), claim_reply_address(cast.bob), "Ja, klopt\n\nGroet, Bob")
    work()
    cast.bob.refresh_from_db()
    assert cast.bob.mobile == NEW
    text(old, "Dit is een antwoord van wie het oude nummer nu heeft.")
    work()
    assert not Answer.objects.exists()
    text(NEW, "Het is een dubbele maand.")
    work()
    assert Answer.objects.get().question == question


def test_an_sms_person_confirms_on_the_old_phone(cast: Cast) -> None:
    text(NEW, "nummer E1")
    work()
    asked = texts(cast.alice)[-1]
    code = re.search(r"JA (\w\w)", asked)
    assert code
    assert NEW in asked
    text(cast.alice, f"JA {code.group(1)}")
    assert any("voortaan van jou" in body for body in heard())
    cast.alice.refresh_from_db()
    assert cast.alice.mobile == NEW


def test_no_stays_no_and_too_late_is_too_late(cast: Cast) -> None:
    old = cast.bob.mobile
    text(NEW, f"NUMMER {cast.bob.email}")
    work()
    address = claim_reply_address(cast.bob)
    mail(str(cast.bob.email), address, "NEE")
    mail(str(cast.bob.email), address, "JA")
    work()
    AddressClaim.objects.all().delete()
    text(NEW, f"NUMMER {cast.bob.email}")
    work()
    address = claim_reply_address(cast.bob)
    later(hours=24)
    mail(str(cast.bob.email), address, "JA")
    work()
    cast.bob.refresh_from_db()
    assert cast.bob.mobile == old
    assert not AddressClaim.objects.filter(is_confirmed=True).exists()


def test_a_bare_ja_never_gives_a_number_away(cast: Cast) -> None:
    old = cast.alice.mobile
    text(cast.alice, "SALDP")
    text(NEW, "NUMMER E1")
    work()
    text(cast.alice, "JA")
    work()
    assert "Je kunt 0 credits" in texts(cast.alice)[-1]
    text(cast.alice, "JA")
    work()
    cast.alice.refresh_from_db()
    assert cast.alice.mobile == old


def test_what_nobody_confirmed_leaves_no_open_code(cast: Cast) -> None:
    text(NEW, "NUMMER E1")
    work()
    later(hours=24)
    work()
    assert not ItemCode.objects.filter(person=cast.alice, closed_at__isnull=True).exists()


def test_somebody_else_cannot_confirm_it(cast: Cast) -> None:
    text(NEW, f"NUMMER {cast.bob.email}")
    work()
    address = claim_reply_address(cast.bob)
    code = ItemCode.objects.get(person=cast.bob, item__startswith="address").code
    mail(str(cast.mallory.email), address, "JA")
    text(NEW, f"JA {code}")
    text(cast.mallory, f"ACCEPT {code}")
    work()
    assert not Address.objects.filter(value=NEW).exists()


def test_nothing_tells_whether_somebody_is_known(cast: Cast) -> None:
    text(NEW, f"NUMMER {cast.bob.email}")
    text("+31687650001", "NUMMER nobody@vonkmobiel.example")
    text("+31687650002", "NUMMER E999")
    replies = {heard(number)[-1] for number in (NEW, "+31687650001", "+31687650002")}
    assert len(replies) == 1


def test_nobody_is_flooded_with_questions_about_new_numbers(cast: Cast) -> None:
    for place in range(6):
        text(f"+3168765000{place}", f"NUMMER {cast.bob.email}")
    work()
    assert AddressClaim.objects.filter(person=cast.bob).count() == 3
    assert len([body for body in mails(cast.bob) if "zegt jou te zijn" in body]) == 3


def test_a_number_that_hr_gives_to_a_newcomer_brings_nothing_of_the_leavers(cast: Cast) -> None:
    question = ask(cast.alice)
    old = str(cast.alice.mobile)
    code = code_of(cast.alice, question.subject_key)
    Person.objects.filter(pk=cast.alice.pk).update(left_on="2020-01-01")
    report = roster.import_csv(f"employee_number,name,email,mobile\nE9,Nina Nieuw,,{old}")
    assert report.refused == []
    before = len(heard(old))
    text(old, f"STATUS {code}")
    assert "Je hebt niets met code" in heard(old)[-1]
    text(old, "Vraag: Werkt mijn bundel in Spanje?")
    text(cast.bob, "Het antwoord voor Alice.")
    work()
    nina = Person.objects.get(employee_number="E9")
    assert Question.objects.latest("received_at").asker == nina
    assert all("Het antwoord voor Alice" not in body for body in heard(old)[before:])


def test_a_text_written_before_the_number_moved_acts_as_nobody(cast: Cast) -> None:
    ask(cast.alice)
    text(cast.bob, "VRAAG Van Bob, maar pas later gelezen: waarom is haar rekening zo hoog?")
    text(cast.bob, "saldo")
    number = str(cast.bob.mobile)
    later(minutes=1)
    cast.bob.mobile = None
    cast.bob.save()
    cast.charlie.mobile = number
    cast.charlie.save()
    work()
    assert Question.objects.count() == 1  # Alice's
    assert letters(number, "sms") == []  # and Charlie hears no balance


def test_a_number_silent_for_weeks_after_stop_proves_nothing_until_confirmed(cast: Cast) -> None:
    text(cast.bob, "STOP")
    work()
    later(days=42)
    question = ask(cast.alice)
    number, before = str(cast.bob.mobile), len(texts(cast.bob))
    text(number, "START")
    text(number, f"ANTW {code_of(cast.bob, offer_of(question).item)} Van een vreemde.")
    work()
    assert not Answer.objects.filter(text__contains="vreemde").exists()
    assert Address.objects.get(value=number).stopped_at
    assert len(texts(cast.bob)) <= before + 1
    assert all("rekening" not in body for body in texts(cast.bob)[before:])
    text(number, f"NUMMER {cast.bob.email}")
    work()
    mail(str(cast.bob.email), claim_reply_address(cast.bob), "JA")
    work()
    text(number, "saldo")
    work()
    assert "credits" in texts(cast.bob)[-1]


def test_a_code_from_hr_takes_a_number_over_from_a_colleague_and_tells_nothing_of_theirs(cast: Cast) -> None:
    nina = Person.objects.create(employee_number="E9", name="Nina Nieuw", roles=["employee"])
    ask(cast.alice)
    number = str(cast.bob.mobile)
    text(number, f"MEEDOEN {joining.make_code(nina)}")
    work()
    text(number, "Een antwoord?")
    work()
    assert not Answer.objects.exists()
    cast.bob.refresh_from_db()
    assert cast.bob.mobile is None
    assert Address.objects.get(value=number).person == nina


def test_a_new_mail_address_is_confirmed_on_the_phone(cast: Cast) -> None:
    mail("bob@nieuw.example", f"doe@{settings.MAIL_DOMAIN}", "NUMMER E2")
    work()
    code = re.search(r"JA (\w\w)", texts(cast.bob)[-1])
    assert code
    text(cast.bob, f"JA {code.group(1)}")
    work()
    cast.bob.refresh_from_db()
    assert cast.bob.email == "bob@nieuw.example"
    assert offer_of(ask(cast.alice)).expert == cast.bob
