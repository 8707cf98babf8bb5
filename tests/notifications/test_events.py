"""Every event that the code names stands in the one table, and says there what the call does."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from notifications import events
from rewards.models import ReviewAct

APPS = ("questions", "rewards", "people", "notifications")
# Calls whose event is put together from a part that the code names elsewhere.
PARTS = {
    "rewards/gifts.py": {"gift_claimed", "gift_redeemed"},
    "rewards/review.py": {f"review_{act}" for act in ReviewAct.Act.values if act != ReviewAct.Act.LIST},
    "questions/duty.py": {"question_needs_a_topic", "question_unstaffed", "question_overdue", "question_nearly_due"},
    "questions/promise.py": {"question_reminder"},
}


def calls() -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Each call of `notify(…, event=…)` outside notifications: its file and keywords."""
    for app in APPS:
        for path in sorted((Path(settings.BASE_DIR) / app).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "notify":
                    words = {word.arg: word.value for word in node.keywords if word.arg}
                    yield str(path.relative_to(settings.BASE_DIR)), words


def named(file: str, value: ast.expr) -> set[str]:
    return {str(value.value)} if isinstance(value, ast.Constant) else PARTS[file]


def test_the_table_holds_exactly_the_events_that_the_code_names() -> None:
    found = set().union(*(named(file, words["event"]) for file, words in calls()))
    assert found == set(events.EVENTS)


def test_what_asks_for_an_act_names_the_item_and_nothing_else_does() -> None:
    said = {name: "item" in words for file, words in calls() for name in named(file, words["event"])}
    assert said == {name: event.asks for name, event in events.EVENTS.items()}


def test_nothing_urgent_or_asked_is_optional_or_waits_for_a_bundle() -> None:
    for name, event in events.EVENTS.items():
        assert event.mandatory or not (event.urgent or event.asks), name
        assert not (event.bundled and event.mandatory), name
        assert 0 < event.push_minutes <= 120, name
        assert 0 < event.sms_minutes <= 240, name


@pytest.mark.parametrize("language", ["nl", "en"])
def test_each_has_a_name_that_people_can_tell_apart(language: str) -> None:
    with translation.override(language):
        labels = [str(event.label) for event in events.EVENTS.values()]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 60


def test_an_event_nobody_knows_is_told_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    assert events.of("no_such_thing").mandatory
    assert "no_such_thing" in caplog.text
