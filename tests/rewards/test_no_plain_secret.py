"""After a whole life of gifts neither the database nor a log holds a code, a link's secret, a shop's key or an address."""

import logging
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from backend import clock
from backend.log_lines import HideSecrets
from rewards import suspicions, tasks
from rewards.models import LateConflict
from tests.conftest import Cast, api, post, text, texts, work
from tests.rewards.conftest import Mall, claim, earn, give, path_of, sell

FRIEND = "vriend@elders.example"
PRETEND = {"sandbox_letter"}  # the pretend phones: what a real provider would have delivered


def everything_stored() -> dict[str, str]:
    """Each table's rows as text, bytes as hex."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = {name for (name,) in cursor.fetchall()} - PRETEND
        stored = {}
        for name in sorted(names):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{name}\" t")  # noqa: S608
            stored[name] = str(cursor.fetchone()[0])
    return stored


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every line that any logger writes, as the product's handler would after its filter."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            HideSecrets().filter(record)
            lines.append(self.format(record))

    handler = Keep(level=logging.DEBUG)
    loggers = [logging.getLogger(name) for name in ("", "django.request", "django.server", "rewards", "notifications")]
    for logger in loggers:
        logger.addHandler(handler)
    monkeypatch.setattr(logging.getLogger("rewards"), "level", logging.DEBUG)
    yield lines
    for logger in loggers:
        logger.removeHandler(handler)


def test_no_code_link_key_or_address_is_stored_or_logged(cast: Cast, mall: Mall, logged: list[str]) -> None:
    tasks.sweep()
    earn(cast.bob, 100)
    mall.coffee.per_recipient_max = 5
    mall.coffee.save()
    text(cast.alice, "GEEF koffie Geniet ervan!")
    work()
    text(cast.alice, texts(cast.alice)[-1].split("Antwoord ")[1].split(" binnen")[0])
    work()
    link = next(line for line in texts(cast.alice)[-1].split() if "/g/" in line)
    given = give(cast.bob, mall.coffee)
    renewed = post(api(cast.bob), f"/gifts/{given['id']}/link").json()
    codes_ = [claim(one, recipient=FRIEND) for one in (link, renewed["link"])]
    for number, code in enumerate(codes_):
        sell(mall.till, code, 100, "r-1", key=f"key-{number:08}")
        sell(mall.till, code, 900, "r-2")
        post(mall.till, "/till/lookup", {"code": code[:-1]})
        late = {"code": code, "amount_cents": 499, "receipt": "r-9", "sold_at": clock.now().isoformat()}
        post(mall.till, "/till/sales/late", {"sales": [late]})
    browser = Client()
    browser.post("/till/", {"action": "sign_in", "key": mall.key})
    browser.post("/till/", {"action": "sell", "code": codes_[0], "amount": "1", "receipt": "r-3"})
    browser.post("/till/", {"action": "sell", "code": codes_[0], "amount": "999", "receipt": "r-4"})
    Client().post(path_of(given["link"]))
    Client().get(path_of(renewed["link"]) + "/nothing")
    suspicions.refresh()
    work()
    assert LateConflict.objects.count() == 2

    bare = [code.replace("-", "") for code in codes_]
    secrets = [one.rsplit("/", 1)[1] for one in (link, given["link"], renewed["link"])]
    hidden = [*codes_, *bare, *secrets, mall.key, FRIEND]
    anyhow = [way.lower() for what in hidden for way in (what, what.encode().hex())]  # binary columns read as hexadecimal
    assert [(name, what) for name, rows in everything_stored().items() for what in anyhow if what in rows.lower()] == []
    assert [(line, what) for line in logged for what in hidden if what in line] == []
    assert any("/g/…" in line for line in logged)
