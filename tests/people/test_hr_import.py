"""HR's file: repeatable, with a dry run, and a clear line for every row refused."""

from pathlib import Path

import pytest
from django.core.management import call_command

from notifications.models import Address
from people import roster
from people.models import AccessToken, Person, WorkingHours

HEADER = "employee_number,name,email,mobile,language,time_zone,team,roles,working_hours,left_on"
ANNA = "1,Anna Aalst,anna@work.example,0612345678,,,Shop,expert,mon-fri 09:00-12:30,"
BEN = "2,Ben Bos,ben@work.example,+31612345679,en,Europe/London,Shop,,,"


def run(*rows: str, dry_run: bool = False) -> roster.Report:
    return roster.import_csv("\n".join([HEADER, *rows]), dry_run=dry_run)


def test_people_are_made_with_everything_the_file_says(db: None) -> None:
    report = run(ANNA, BEN)
    assert (report.created, report.refused) == (2, [])
    anna = Person.objects.get(employee_number="1")
    assert (anna.mobile, anna.language, anna.time_zone, anna.roles) == (
        "+31612345678",
        "nl",
        "Europe/Amsterdam",
        ["employee", "expert"],
    )
    assert WorkingHours.objects.filter(person=anna).count() == 5
    assert set(Address.objects.values_list("value", flat=True)) == {
        *("anna@work.example", "+31612345678"),
        *("ben@work.example", "+31612345679"),
    }


def test_the_same_file_again_changes_nothing(db: None) -> None:
    run(ANNA, BEN)
    report = run(ANNA, BEN)
    assert (report.created, report.changed, report.unchanged) == (0, 0, 2)


def test_a_dry_run_tells_all_and_writes_nothing(db: None) -> None:
    report = run(ANNA, BEN, dry_run=True)
    assert report.created == 2
    assert not Person.objects.exists()


def test_two_people_may_swap_addresses_in_one_file(db: None) -> None:
    run(ANNA, BEN)
    report = run(ANNA.replace("anna@", "x@").replace("x@", "ben@"), BEN.replace("ben@", "anna@"))
    assert (report.changed, report.refused) == (2, [])
    assert Person.objects.get(employee_number="1").email == "ben@work.example"
    assert Address.objects.get(value="anna@work.example").person.employee_number == "2"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("3,Cor,not-a-mail,,,,,,,", "line 2, 3, email: 'not-a-mail' is not a mail address"),
        ("3,Cor,c@work.example,123,,,,,,", "mobile: '123' is not a valid phone number"),
        ("3,Cor,c@work.example,,fr,,,,,", "language: 'fr' is not one of nl, en"),
        ("3,Cor,c@work.example,,,Mars/Base,,,,", "time_zone: 'Mars/Base' is not an IANA time zone"),
        ("3,Cor,c@work.example,,,,,king,,", "roles: unknown role 'king'"),
        ("3,Cor,c@work.example,,,,,,mon 9-17,", "working_hours: '9-17' is not a slot like 09:00-17:30"),
        ('3,Cor,c@work.example,,,,,,"mon 09:00-12:00,11:00-13:00",', "working_hours: slots overlap"),
        ("3,Cor,c@work.example,,,,,,,31-12-2026", "left_on: '31-12-2026' is not a date like 2026-12-31"),
        ("3,,c@work.example,,,,,,,", "name: a name of 1 to 120 characters is needed"),
        ("3,Cor,,,,,,,,", "neither mail nor mobile"),
    ],
)
def test_a_row_that_is_wrong_is_refused_with_its_reason_and_the_others_are_taken(db: None, row: str, why: str) -> None:
    report = run(row, BEN)
    assert len(report.refused) == 1
    assert why in report.refused[0]
    assert report.created == 1


def test_what_is_in_the_file_twice_is_refused_both_times(db: None) -> None:
    report = run(ANNA, ANNA.replace("1,Anna", "9,Annie").replace("0612345678", "0612345670"), BEN)
    assert len(report.refused) == 2
    assert all("anna@work.example is in the file more than once" in line for line in report.refused)


def test_an_address_of_somebody_who_keeps_it_is_refused_by_name(db: None) -> None:
    run(ANNA)
    report = run(BEN.replace("ben@", "anna@"))
    assert "belongs to Anna Aalst (1)" in report.refused[0]


def test_the_file_that_excel_makes_is_read(db: None) -> None:
    text = "\ufeff" + "\r\n".join([HEADER, ANNA]).replace(",", ";")
    assert roster.import_csv(text).created == 1


def test_a_leaver_loses_access_at_once(db: None) -> None:
    run(ANNA)
    AccessToken.issue(Person.objects.get())
    run(ANNA + "2020-01-01")
    assert AccessToken.objects.get().revoked_at
    assert not Person.objects.get().is_active


def test_the_command_exits_with_one_when_a_row_was_refused(db: None, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("\n".join([HEADER, "3,Cor,,,,,,,,"]))
    with pytest.raises(SystemExit) as exit_:
        call_command("import_people", str(file))
    assert exit_.value.code == 1


def test_nights_days_and_midnight_are_read() -> None:
    assert roster.parse_working_hours("sun 22:00-06:00; sat 18:00-24:00") == ((5, 1080, 1440), (6, 1320, 1800))
    assert len(roster.parse_working_hours("mon-fri 09:00-12:30,13:00-17:30")) == 10
