"""The sandbox page: pretend phones and mailboxes side by side, and the questions as they move.

Everything typed here goes through the product's real entrances; everything shown came out of its real exits.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend import clock
from backend.errors import Invalid, Refusal
from notifications import segments
from people.models import Person
from questions import links, words
from questions.models import Assignment, Event, Question, Topic
from sandbox import acting
from sandbox.journey import LINES
from sandbox.models import Letter

LETTERS_MAX = 400
RECENT_SMS = 60
QUESTIONS_SHOWN = 12
TEXT_CHARACTERS = 1600
MAIL_CHARACTERS = 20_000
CLOCK_HOURS_MAX = 24 * 60


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The page with its cast; letters and questions are fetched by its script."""
    language = request.GET.get("lang") or translation.get_language() or "nl"
    with translation.override(language if language in {"nl", "en"} else "nl"):
        return render(
            request,
            "sandbox/page.html",
            {
                "language": translation.get_language(),
                "csrf": get_token(request),
                "start": {
                    "people": _people(),
                    "ask_addresses": _ask_addresses(),
                    "asker": LINES["asker"],
                    "expert": LINES["expert"],
                    "idea": LINES["ask_sms"],
                    "words": _words(),
                    "language": translation.get_language(),
                },
            },
        )


def _people() -> list[dict[str, Any]]:
    rows = Person.objects.present().select_related("team").order_by("name")
    return [
        {
            "number": person.employee_number,
            "name": person.name,
            "team": person.team.name if person.team else "",
            "roles": [role for role in person.roles if role != "employee"],
            "language": person.language,
            "mobile": person.mobile,
            "email": person.email,
        }
        for person in rows
    ]


def _ask_addresses() -> list[dict[str, str]]:
    language = translation.get_language() or "nl"
    topics = [{"address": f"{t.mail_key}@{settings.MAIL_DOMAIN}", "name": t.name(language)} for t in Topic.objects.all()]
    return [{"address": f"vraag@{settings.MAIL_DOMAIN}", "name": _("Any question")}, *topics]


def _words() -> dict[str, str]:
    """What the script says, in the page's language."""
    return {
        "send": _("Send"),
        "reply": _("Reply"),
        "new_mail": _("New mail"),
        "to": _("To"),
        "subject": _("Subject"),
        "type_sms": _("Type a text message"),
        "type_mail": _("Write your answer above, as in any mail program"),
        "no_sms": _("No messages yet. Text ASK and a question, or HELP."),
        "no_mail": _("No mail yet."),
        "no_questions": _("No questions yet."),
        "close": _("Close"),
        "segments": _("segments"),
        "queued": _("on its way"),
        "sent": _("sent"),
        "delivered": _("delivered"),
        "waiting": _("sending"),
        "passed": _("handed in"),
        "copies": _("times, shown once"),
        "due": _("due in"),
        "overdue": _("overdue by"),
        "kept": _("promise kept"),
        "breached": _("promise broken"),
        "friend": _("friend"),
        "friends_page": _("The friend's page"),
        "why": _("Why"),
        "lost": _("No connection to the server; trying again."),
        "find": _("Find a colleague"),
    }


# --- what has happened -----------------------------------------------------------------------------------------------


@require_GET
def state(request: HttpRequest) -> HttpResponse:
    """Letters after `since` (an id), the newest questions with their thread, and the clock. Polled every second."""
    since = request.GET.get("since", "0")
    after = int(since) if since.isascii() and since.isdecimal() and len(since) < 16 else 0
    rows = list(Letter.objects.filter(id__gt=after).order_by("-id")[:LETTERS_MAX])[::-1]
    recent = Letter.objects.filter(id__lte=after, channel="sms").order_by("-id").values_list("id", "status")
    return JsonResponse(
        {
            "letters": [_letter(row) for row in rows],
            "statuses": dict(recent[:RECENT_SMS]),
            "questions": _questions(),
            "clock": {"now": clock.now().isoformat(), "hours": clock.offset() / timedelta(hours=1)},
        }
    )


def _letter(row: Letter) -> dict[str, Any]:
    names = ("id", "direction", "channel", "address", "other", "subject", "body", "html", "status", "copies")
    fields = {name: getattr(row, name) for name in names}
    return {**fields, "at": row.created_at.isoformat(), "segments": segments.count(row.body)}


def _questions() -> list[dict[str, Any]]:
    rows = list(
        Question.objects.select_related("asker", "topic", "current_round").order_by("-received_at")[:QUESTIONS_SHOWN]
    )
    assignments, events = _by_question(rows)
    return [_question(row, assignments.get(row.pk), events[row.pk]) for row in rows]


def _by_question(rows: list[Question]) -> tuple[dict[UUID, Assignment], dict[UUID, list[Event]]]:
    """The newest assignment and the thread of each question, in two queries."""
    found = Assignment.objects.filter(question__in=rows).select_related("expert", "question__topic")
    assignments = {one.question_id: one for one in found.order_by("offered_at")}
    events: dict[UUID, list[Event]] = defaultdict(list)
    for event in Event.objects.filter(question__in=rows).order_by("id"):
        events[event.question_id].append(event)
    return assignments, events


def _question(row: Question, assignment: Assignment | None, events: list[Event]) -> dict[str, Any]:
    language = translation.get_language() or "nl"
    reader = Person(language=language, time_zone="Europe/Amsterdam")
    return {
        "reference": row.reference,
        "text": row.text,
        "asker": row.asker.name,
        "state": row.state,
        "state_name": words.state_name(row.state),
        "topic": row.topic.name(language) if row.topic else "",
        "expert": assignment.expert.name if assignment else "",
        "why": words.why(assignment, reader) if assignment else "",
        "due_at": row.current_round.due_at.isoformat(),
        "promise": row.current_round.status(clock.now()),
        "unanswered": row.is_unanswered,
        "friend_link": links.friend_link(row),
        "events": [{"at": event.at.isoformat(), "kind": event.kind.replace("_", " ")} for event in events],
    }


# --- what people do --------------------------------------------------------------------------------------------------


def _act(request: HttpRequest, act: Callable[[dict[str, Any]], None]) -> HttpResponse:
    """Read the JSON body, act, and say what was wrong with it."""
    try:
        body = json.loads(request.body)
        if not isinstance(body, dict):
            raise Invalid("an object is needed")
        act(body)
    except ValueError:
        return JsonResponse({"error": "the body is not JSON"}, status=400)
    except Refusal as refusal:
        return JsonResponse({"error": refusal.message}, status=refusal.status)
    return JsonResponse({}, status=201)


def _string(body: dict[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > limit or "\x00" in value:
        raise Invalid(f"{name} must be a text of 1 to {limit} characters")
    return value.strip()


@require_POST
def text(request: HttpRequest) -> HttpResponse:
    """Somebody texts from their pretend phone."""

    def act(body: dict[str, Any]) -> None:
        number = _string(body, "number", 16)
        if not Person.objects.filter(mobile=number).exists() and not _has_letters(number):
            raise Invalid("nobody has this number")
        acting.text(number, _string(body, "text", TEXT_CHARACTERS))

    return _act(request, act)


@require_POST
def mail(request: HttpRequest) -> HttpResponse:
    """Somebody writes a new mail from their pretend mailbox."""

    def act(body: dict[str, Any]) -> None:
        sender, to = _string(body, "sender", 254), _string(body, "to", 254)
        if not Person.objects.filter(email=sender).exists() and not _has_letters(sender):
            raise Invalid("nobody has this address")
        if not to.endswith("@" + settings.MAIL_DOMAIN):
            raise Invalid(f"mail goes to addresses at {settings.MAIL_DOMAIN} only")
        subject = " ".join(_string(body, "subject", 200).split())
        acting.mail(sender, to, subject, _string(body, "text", MAIL_CHARACTERS))

    return _act(request, act)


def _has_letters(address: str) -> bool:
    return Letter.objects.filter(address=address, direction="to_person").exists()


@require_POST
def reply(request: HttpRequest) -> HttpResponse:
    """Somebody answers a mail in their pretend mailbox."""

    def act(body: dict[str, Any]) -> None:
        pk = body.get("letter")
        if not isinstance(pk, int) or not 0 < pk < 2**53:
            raise Invalid("letter must be a number")
        letter = Letter.objects.filter(pk=pk, channel="email", direction="to_person").first()
        if letter is None:
            raise Invalid("there is no such mail")
        acting.reply(letter, _string(body, "text", MAIL_CHARACTERS))

    return _act(request, act)


@require_POST
def move_clock(request: HttpRequest) -> HttpResponse:
    """Let hours go by, or go back to the wall clock (`hours` 0)."""

    def act(body: dict[str, Any]) -> None:
        hours = body.get("hours")
        if not isinstance(hours, int | float) or not 0 <= hours <= CLOCK_HOURS_MAX:
            raise Invalid(f"hours must be between 0 and {CLOCK_HOURS_MAX}")
        if hours:
            clock.move(timedelta(hours=hours))
        else:
            clock.reset()

    return _act(request, act)
