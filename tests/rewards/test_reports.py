"""The reports say what the transfers say, for those who run the programme, as files that no spreadsheet runs."""

import csv
import io
from collections import Counter
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from people.models import Person, Team
from rewards import days
from rewards.models import LAPSED, DiscountRule, Gift, Redemption, Transfer
from rewards.spreadsheet import safe
from tests.conftest import Cast, api, person
from tests.rewards.conftest import Mall, claim, earn, give, make_offer, sell
from tests.rewards.mixture import live

YEARS = (2025, 2026, 2027, 2028, 2029)
Table = list[dict[str, Any]]


@pytest.fixture
def petra(quiet_cast: Cast) -> Client:
    return api(person("E12", "Petra Prins", "programme_manager"))


def lines(client: Client, path: str) -> list[list[str]]:
    response = client.get(f"/api/v1/reports/{path}")
    assert response.status_code == 200, response.content
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text), delimiter=";"))


def table(client: Client, path: str, notes: int = 0) -> Table:
    """The rows under the column names, with whole numbers as such."""
    columns, *rows = lines(client, path)[notes:]
    return [{name: _read(value) for name, value in zip(columns, row, strict=True)} for row in rows]


def _read(value: str) -> str | int:
    return int(value) if value.lstrip("-").isdigit() else value


def total(rows: Table, column: str) -> int:
    return sum(row[column] for row in rows)


def week(transfer: Transfer) -> str:
    year, number, _day = days.day_of(transfer.created_at).isocalendar()
    return f"{year}-W{number:02}"


def booked() -> "Counter[tuple[str, str, str]]":
    """(department, week, what) → cents, added up one by one in Python."""
    teams = dict(Team.objects.values_list("pk", "name"))
    gifts = {gift.account_id: teams.get(gift.team_id or 0, "") for gift in Gift.objects.all()}
    found: Counter[tuple[str, str, str]] = Counter()
    for move in Transfer.objects.filter(unit="cent"):
        what = "issued" if move.reason == "gift" else move.reason
        for account in {move.debit_id, move.credit_id} & set(gifts):
            found[gifts[account], week(move), what] += move.amount
    return found


def test_a_campaign_costs_what_its_transfers_say(quiet_cast: Cast, quiet_mall: Mall, petra: Client) -> None:
    campaign = live(quiet_cast, quiet_mall)
    rows = table(petra, f"campaigns/{campaign.pk}", notes=1)
    kinds = ("issued", "redeemed", "refunded", "lapsed", "returned")
    said = {(row["department"], row["iso_week"], kind): row[f"{kind}_cents"] for row in rows for kind in kinds}
    assert {key: cents for key, cents in said.items() if cents} == dict(booked())
    assert all(total(rows, f"{kind}_cents") for kind in kinds), "the mixture has some of everything"
    assert {row["department"] for row in rows} == {"Noord", "Zuid", ""}

    last = {row["department"]: row["held_at_week_end_cents"] for row in rows}
    accounts = Gift.objects.select_related("account")
    assert sum(last.values()) == sum(gift.account.balance or 0 for gift in accounts) > 0
    sold = sum(row.captured_cents - row.refunded_cents for row in Redemption.objects.all())
    assert total(rows, "cost_cents") == sold
    assert total(rows, "gifts_issued") == Gift.objects.count()
    spent = Transfer.objects.filter(unit="credit", reason="gift")
    assert total(rows, "credits_spent") == sum(move.amount for move in spent)


def test_all_years_of_discounts_add_up_to_what_tills_captured_and_did_not_refund(
    quiet_cast: Cast, quiet_mall: Mall, petra: Client
) -> None:
    live(quiet_cast, quiet_mall)
    rows = [row for year in YEARS for row in table(petra, f"employee-discounts/{year}", notes=2)]
    redeemed = Transfer.objects.filter(reason="redeemed")
    refunded = Transfer.objects.filter(reason="refunded")
    cost = sum(move.amount for move in redeemed) - sum(move.amount for move in refunded)
    assert total(rows, "discount_cents") + total(rows, "gift_cents") == cost
    assert total(rows, "gift_cents") > 0
    assert any(row["within_percentage_cents"] > row["within_percentage_and_cap_cents"] == 50_000 for row in rows)
    for row in rows:
        assert row["discount_cents"] == row["within_percentage_and_cap_cents"] + row["above_cents"]


def test_all_years_of_lapses_add_up_to_the_lapsed_account(quiet_cast: Cast, quiet_mall: Mall, petra: Client) -> None:
    live(quiet_cast, quiet_mall)
    rows = [row for year in YEARS for row in table(petra, f"lapsed/{year}")]
    assert total(rows, "credits") == sum(move.amount for move in Transfer.objects.filter(credit_id=LAPSED))
    cents = Transfer.objects.filter(reason="lapsed", unit="cent")
    assert total(rows, "cents") == sum(move.amount for move in cents)
    assert {"allowance", "gift_unclaimed", "gift_unused"} <= {row["what"] for row in rows}


def test_a_discount_is_held_against_the_rule_of_its_year(quiet_cast: Cast, quiet_mall: Mall, petra: Client) -> None:
    offer = make_offer(quiet_mall.campaign, quiet_mall.shop, "fiets", kind="percentage", percentage=40, value_cents=9_000)
    fixed = make_offer(quiet_mall.campaign, quiet_mall.shop, "korting", kind="fixed", value_cents=700)
    earn(quiet_cast.alice, 20)
    sell(quiet_mall.till, claim(give(quiet_cast.alice, offer)["link"]), 4_000, basket_cents=10_000)
    sell(quiet_mall.till, claim(give(quiet_cast.alice, fixed, "gift-0002")["link"]), 700, "r-2")
    year = days.day_of(Redemption.objects.earliest("pk").created_at).year
    path = f"employee-discounts/{year}"
    [row] = table(petra, path, notes=2)
    assert (row["employee_number"], row["discounts"], row["discount_cents"]) == ("E1", 2, 4_700)
    assert (row["within_percentage_cents"], row["basket_unknown_cents"], row["above_cents"]) == (2_000, 700, 2_700)

    note = {"note_nl": "Vraag het na.", "note_en": "Ask."}
    DiscountRule.objects.create(valid_from=date(year, 1, 1), percentage=30, yearly_cap_cents=2_500, **note)
    DiscountRule.objects.create(valid_from=date(year + 1, 1, 1), percentage=1, yearly_cap_cents=1, **note)
    [row] = table(petra, path, notes=2)
    assert (row["within_percentage_cents"], row["within_percentage_and_cap_cents"]) == (3_000, 2_500)
    assert table(petra, f"employee-discounts/{year - 1}", notes=2) == []


def test_the_tax_export_says_that_an_adviser_must_confirm_it(petra: Client) -> None:
    path = "/api/v1/reports/employee-discounts/2027"
    for language, words in (("nl", "belastingadviseur"), ("en", "tax adviser must confirm")):
        response: Any = petra.get(path, headers={"Accept-Language": language})
        first = b"".join(response.streaming_content).decode().splitlines()[0]
        assert words in first
    refused = petra.get("/api/v1/reports/employee-discounts/2014")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_a_workbook_holds_the_same_rows(quiet_cast: Cast, quiet_mall: Mall, petra: Client) -> None:
    campaign = live(quiet_cast, quiet_mall)
    path = f"campaigns/{campaign.pk}"
    response: Any = petra.get(f"/api/v1/reports/{path}?format=xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    assert sheet is not None
    cells = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    wanted = [[_read(cell) for cell in line if cell != ""] for line in lines(petra, path)]
    assert cells == wanted


@pytest.mark.parametrize("name", ["=1+1", "+31 bel", "-2", "@sum(a1)", " =1+1", "\t=1+1", "\r\n@x"])
def test_no_name_becomes_a_formula(quiet_cast: Cast, quiet_mall: Mall, petra: Client, name: str) -> None:
    assert safe(name).startswith("'")
    alice = quiet_cast.alice
    earn(alice, 10)
    give_one = give(alice, quiet_mall.coffee)
    sell(quiet_mall.till, claim(give_one["link"]), 100)
    Person.objects.filter(pk=alice.pk).update(name=name)
    year = days.day_of(Redemption.objects.get().created_at).year
    [row] = table(petra, f"employee-discounts/{year}", notes=2)
    assert row["name"].startswith("'")
    response: Any = petra.get(f"/api/v1/reports/employee-discounts/{year}?format=xlsx")
    sheet: Any = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    cell = sheet["B4"]
    assert (cell.data_type, cell.value) == ("s", row["name"])


def test_numbers_stay_numbers() -> None:
    assert safe(-5) == -5


@pytest.mark.parametrize("path", ["campaigns/{}", "employee-discounts/2027", "lapsed/2027"])
def test_only_the_programme_reads_reports(quiet_cast: Cast, quiet_mall: Mall, petra: Client, path: str) -> None:
    path = f"/api/v1/reports/{path.format(quiet_mall.campaign.pk)}"
    for who in (quiet_cast.alice, quiet_cast.dana):
        refused = api(who).get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert Client().get(path).status_code == 401
    assert api(person("E11", "Ada Aarts", "administrator")).get(path).status_code == 200
    assert petra.get(path).status_code == 200


def test_an_unknown_campaign_is_not_found(quiet_cast: Cast, petra: Client) -> None:
    assert petra.get(f"/api/v1/reports/campaigns/{quiet_cast.alice.pk}").status_code == 404


def test_a_report_is_one_query_however_long_it_is(quiet_cast: Cast, quiet_mall: Mall, petra: Client) -> None:
    paths = {f"campaigns/{quiet_mall.campaign.pk}": 3, "employee-discounts/2027": 3, "lapsed/2027": 2}

    def costs() -> dict[str, int]:
        found = {}
        for path in paths:
            with CaptureQueriesContext(connection) as queries:
                lines(petra, path)
            found[path] = len(queries)
        return found

    assert costs() == paths  # who asks, which campaign or rule, and the rows
    live(quiet_cast, quiet_mall)
    assert costs() == paths


def test_a_report_streams_outside_a_transaction(cast: Cast, mall: Mall) -> None:
    """As in production, where the rows are read after the request's last query has been committed."""
    manager = api(person("E12", "Petra Prins", "programme_manager"))
    earn(cast.alice, 10)
    give(cast.alice, mall.coffee)
    [row] = table(manager, f"campaigns/{mall.campaign.pk}", notes=1)
    assert (row["gifts_issued"], row["issued_cents"], row["held_at_week_end_cents"]) == (1, 500, 500)
