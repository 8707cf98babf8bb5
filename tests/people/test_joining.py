"""A number becomes somebody's by a code that HR knows: once, for thirty days, and guessing leads nowhere."""

import re

import pytest
from django.conf import settings
from django.test import Client

from notifications.models import Address, Delivery, InboundMessage
from people import joining, roster
from people.models import JoinCode, Person
from questions.models import Question
from tests.conftest import Cast, in_parallel, later, letters, mail, text, texts, work

NUMBER = "+31687654321"
HEADER = "employee_number,name,email,mobile,join_code"


def newcomer() -> tuple[Person, str]:
    made = Person.objects.create(employee_number="E9", name="Nina Nieuw", roles=["employee"])
    return made, joining.make_code(made)


def heard(number: str = NUMBER) -> list[str]:
    work()
    return [letter.body for letter in letters(number, "sms")]


def test_a_code_texted_from_a_phone_makes_it_theirs_and_they_can_ask(cast: Cast) -> None:
    nina, code = newcomer()
    text(NUMBER, f"meedoen {code.lower()}")
    assert heard()[-1].startswith("Welkom Nina!")
    nina.refresh_from_db()
    assert nina.mobile == NUMBER
    text(NUMBER, "VRAAG Waarom is mijn rekening zo hoog?")
    work()
    assert Question.objects.get().asker == nina


def test_a_code_works_once(cast: Cast) -> None:
    _nina, code = newcomer()
    text(NUMBER, f"MEEDOEN {code}")
    work()
    text("+31687650000", f"MEEDOEN {code}")
    assert "werkt niet" in heard("+31687650000")[-1]
    assert not Address.objects.filter(value="+31687650000").exists()


def test_of_two_phones_at_once_one_gets_it(cast: Cast) -> None:
    _nina, code = newcomer()
    for number in range(4):
        text(f"+3168765000{number}", f"MEEDOEN {code}")
    from notifications import inbound
    from notifications.inbound import handling

    ids = inbound.due_ids(10)
    in_parallel(4, lambda place: handling.handle(ids[place]))
    work()
    assert Address.objects.filter(value__startswith="+3168765000").count() == 1


def test_an_old_code_a_leavers_a_replaced_and_a_wrong_one_hear_the_same(cast: Cast) -> None:
    nina, replaced = newcomer()
    old = joining.make_code(nina)
    later(days=30)
    gone = Person.objects.create(employee_number="E8", name="Gijs Gone", left_on="2020-01-01")
    codes = [replaced, old, joining.make_code(gone), "ACDE-FGHJ"]
    for place, code in enumerate(codes):
        text(f"+3168765000{place}", f"MEEDOEN {code}")
    work()
    replies = {heard(f"+3168765000{place}")[-1] for place in range(len(codes))}
    assert len(replies) == 1
    assert not Address.objects.filter(value__startswith="+3168765000").exists()


def test_after_five_tries_even_the_right_code_does_nothing_that_day_and_there_is_silence(cast: Cast) -> None:
    nina, code = newcomer()
    for place in range(5):
        text(NUMBER, f"MEEDOEN ACDE-FGH{'ACDEF'[place]}")
    assert len(heard()) == 5
    text(NUMBER, f"MEEDOEN {code}")
    assert len(heard()) == 5
    nina.refresh_from_db()
    assert nina.mobile is None
    assert InboundMessage.objects.filter(reason="too_many_tries").count() == 1
    later(hours=25)
    text(NUMBER, f"MEEDOEN {code}")
    assert heard()[-1].startswith("Welkom Nina!")


def test_only_a_keyed_hash_of_the_code_is_kept(cast: Cast) -> None:
    import hashlib

    _nina, code = newcomer()
    plain = joining.normal(code).encode()
    kept = bytes(JoinCode.objects.get().digest)
    assert plain not in kept
    assert kept != hashlib.sha256(plain).digest()


def test_english_is_spoken_to_who_joins_in_english(cast: Cast) -> None:
    text(NUMBER, "JOIN ACDE-FGHJ")
    assert heard()[-1].startswith("This code does not work")


def test_hr_may_print_codes_and_the_same_file_wakes_no_used_one(cast: Cast) -> None:
    file = f"{HEADER}\nE9,Nina Nieuw,,,QRTV-3467\nE10,Otto Oud,,,kort"
    report = roster.import_csv(file)
    assert report.created == 1
    assert any("join_code" in line for line in report.refused)
    text(NUMBER, "MEEDOEN qrtv 3467")
    assert heard()[-1].startswith("Welkom Nina!")
    again = roster.import_csv(file)
    assert (again.created, again.changed) == (0, 0)
    nina = Person.objects.get(employee_number="E9")
    assert nina.mobile == NUMBER  # HR's empty cell says nothing new
    text("+31687650000", "MEEDOEN QRTV3467")
    assert "werkt niet" in heard("+31687650000")[-1]


def test_what_hr_says_anew_counts_again(cast: Cast) -> None:
    roster.import_csv(f"{HEADER}\nE9,Nina Nieuw,,,QRTV-3467")
    text(NUMBER, "MEEDOEN QRTV-3467")
    work()
    roster.import_csv(f"{HEADER}\nE9,Nina Nieuw,,0612344321,")
    assert Person.objects.get(employee_number="E9").mobile == "+31612344321"
    assert not Address.objects.filter(value=NUMBER).exists()


def test_a_language_that_the_person_chose_survives_the_next_import(cast: Cast) -> None:
    file = f"{HEADER},language\nE9,Nina Nieuw,,0612344321,,nl"
    roster.import_csv(file)
    text("+31612344321", "TAAL EN")
    work()
    roster.import_csv(file)
    assert Person.objects.get(employee_number="E9").language == "en"


def test_the_back_office_makes_a_code_and_shows_it_once(cast: Cast) -> None:
    admin = Person.objects.create(employee_number="E8", name="Ada", roles=["administrator"], email="ada@vonkmobiel.example")
    nina, _code = newcomer()
    client = Client()
    client.force_login(admin, backend="allauth.account.auth_backends.AuthenticationBackend")
    fields = {"action": "make_join_code", "_selected_action": [str(nina.pk)]}
    answer = client.post("/admin/people/person/", fields, follow=True)
    page = " ".join(str(message) for message in answer.context["messages"])
    found = re.search(r"(?:JOIN|MEEDOEN) (\w{4}-\w{4})", page)
    assert found, page[-3000:]
    assert found.group(1) not in client.get("/admin/people/person/").content.decode()
    text(NUMBER, f"JOIN {found.group(1)}")
    work()
    nina.refresh_from_db()
    assert nina.mobile == NUMBER


def test_joining_by_mail(cast: Cast) -> None:
    nina, code = newcomer()
    mail("nina@thuis.example", f"doe@{settings.MAIL_DOMAIN}", f"MEEDOEN {code}\n\nGroet, Nina")
    work()
    nina.refresh_from_db()
    assert nina.email == "nina@thuis.example"
    assert "Welkom Nina!" in letters("nina@thuis.example", "email")[-1].body


@pytest.mark.parametrize("body", ["MEEDOEN", "MEEDOEN ????", "JOIN '; DROP TABLE people"])
def test_rubbish_joins_nobody(cast: Cast, body: str) -> None:
    newcomer()
    text(NUMBER, body)
    work()
    assert not Address.objects.filter(value=NUMBER).exists()


def test_what_waits_to_go_out_follows_to_the_new_number(cast: Cast) -> None:
    from notifications.notify import notify

    code = joining.make_code(cast.alice)
    old = str(cast.alice.mobile)
    notify(cast.alice, key="k1", event="test", title="Hallo", body="Hallo", sms="Alleen voor Alice", urgent=True)
    text(NUMBER, f"MEEDOEN {code}")
    work(sending=False)
    assert set(Delivery.objects.filter(body="Alleen voor Alice").values_list("to", flat=True)) == {NUMBER}
    work()
    assert "Alleen voor Alice" in heard()
    assert all("Alleen voor Alice" not in body for body in texts(Person(mobile=old)))
