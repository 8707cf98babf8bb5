"""Why somebody was chosen stands on the assignment and can be read in both languages, by program and by person."""

from datetime import UTC, datetime, timedelta

from django.utils import translation

from questions import words
from questions.models import Assignment, Question, Topic
from tests.conftest import Cast, api, ask, mails, offer_of, work

OFFERED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
REASONS = [
    {"code": "knows", "level": 2, "topic": "roaming"},
    {"code": "load", "open": 2, "capacity": 5},
    {"code": "works_until", "at": "2026-03-02T16:30:00+00:00"},
    {"code": "speaks", "language": "en"},
]


def _assignment(cast: Cast) -> Assignment:
    topic = Topic.objects.get(slug="roaming")
    return Assignment(question=Question(topic=topic), expert=cast.mallory, reasons=REASONS, offered_at=OFFERED)


def test_in_english_and_in_dutch(quiet_cast: Cast) -> None:
    one = _assignment(quiet_cast)
    assert words.why(one, quiet_cast.mallory) == "knows Roaming well, 2 of 5 open, works until 17:30, speaks English"
    assert words.why(one, quiet_cast.bob) == "kent Buitenland goed, 2 van 5 open, werkt tot 17:30, spreekt Engels"


def test_every_reason_has_words_in_both_languages(quiet_cast: Cast) -> None:
    one = _assignment(quiet_cast)
    one.reasons = [
        *({"code": "knows", "level": level, "topic": "roaming"} for level in (1, 2, 3)),
        *({"code": "speaks", "language": language} for language in ("nl", "en")),
        {"code": "works_now"},
        {"code": "answered_before"},
        {"code": "works_from", "at": (OFFERED + timedelta(days=1)).isoformat()},
        {"code": "stands_in", "person": "Bob Bakker"},
        {"code": "chosen_by", "person": "Dana Dijk"},
    ]
    english, dutch = words.reasons(one, quiet_cast.mallory), words.reasons(one, quiet_cast.bob)
    assert len(english) == len(dutch) == len(one.reasons)
    assert not set(english) & set(dutch)
    assert english[7] == "works from Tue 3 Mar 10:00"  # another day is named
    with translation.override("nl"):
        assert words.why(one, quiet_cast.mallory).startswith("knows Roaming")  # the reader's language, not the thread's


def test_the_topic_it_had_then_is_named(quiet_cast: Cast) -> None:
    one = _assignment(quiet_cast)
    one.question.topic = quiet_cast.topic
    assert "Roaming" in words.why(one, quiet_cast.mallory)


def test_they_stand_in_the_api_as_codes_and_text_and_in_the_mail(cast: Cast) -> None:
    question = ask(cast.alice)
    [item] = api(cast.bob).get("/api/v1/assignments").json()["items"]
    assert [reason["code"] for reason in item["reasons"]] == ["knows", "load", "works_now", "speaks"]
    assert item["reasons"][0]["text"] == "kent Rekening het best"
    assert item["why"] == ", ".join(reason["text"] for reason in item["reasons"])
    assert offer_of(question).reasons[0] == {"code": "knows", "level": 3, "topic": "billing"}
    work()
    assert any("kent Rekening het best" in body for body in mails(cast.bob))
