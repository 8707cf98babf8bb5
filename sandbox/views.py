"""The sandbox page: pretend phones and mailboxes side by side, and the questions as they move.

Everything typed here goes through the product's real entrances; everything shown came out of its real exits.
"""

import functools
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from backend.manners import BadRequest
from notifications import segments
from notifications.models import Address
from people.models import Person
from questions import links, words
from questions.models import Answer, Assignment, Event, Question, Topic, TopicExample
from sandbox import acting, fcm, twilio
from sandbox.journey import LINES
from sandbox.models import App, Letter, PhoneTrouble, Switch

DEMO = Path(__file__).resolve().parent / "demo"
LETTERS_MAX = 200  # of one poll; what is left comes with the next
HISTORY_MAX = 120  # of one phone or mailbox
CHANGES_MAX = 80  # newest letters whose delivery status may still move
QUESTIONS_SHOWN = 15
IDEAS_PER_TOPIC = 2
TEXT_CHARACTERS = 1600  # what Twilio takes
MAIL_CHARACTERS = 20_000
SUBJECT_CHARACTERS = 200
ID_MAX = 2**53  # what JavaScript can count to
CLOCK_HOURS_MAX = 24 * 60
Body = dict[str, Any]


def _language() -> str:
    return "en" if (translation.get_language() or "").startswith("en") else "nl"


# --- the page --------------------------------------------------------------------------------------------------------


@require_GET
@never_cache
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """The frame with its words; people, letters and questions are fetched by its script."""
    setup = {
        "asker": LINES["asker"],
        "expert": LINES["expert"],
        "ideas": _ideas(),
        "answers": _example_answers(),
        "ask_addresses": _ask_addresses(),
        "sms_from": settings.SMS_FROM,
        "gsm": {"basic": "".join(segments.GSM_BASIC), "extended": "".join(segments.GSM_EXTENDED)},
        "limits": {"sms": TEXT_CHARACTERS, "mail": MAIL_CHARACTERS, "subject": SUBJECT_CHARACTERS},
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "language": _language(),
        "words": _words(),
    }
    return render(request, "sandbox/page.html", {"language": _language(), "setup": setup})


def _ideas() -> dict[str, list[str]]:
    """Questions to text with one press, a few per topic; the journey's own comes first."""
    rows = TopicExample.objects.filter(source=TopicExample.Source.GIVEN, topic__is_active=True).order_by("pk")
    chosen: dict[str, dict[UUID, list[str]]] = {"nl": defaultdict(list), "en": defaultdict(list)}
    for topic_id, language, text in rows.values_list("topic_id", "language", "text"):
        if language in chosen and len(chosen[language][topic_id]) < IDEAS_PER_TOPIC:
            chosen[language][topic_id].append(text)
    first = {"nl": LINES["ask_sms"].removeprefix("VRAAG "), "en": LINES["en"]["ask_api"]}
    return {language: [first[language], *_one_of_each(list(chosen[language].values()))] for language in first}


def _one_of_each(groups: list[list[str]]) -> list[str]:
    """The first of every group, then the second of every group: neighbours are about different things."""
    return [group[place] for place in range(IDEAS_PER_TOPIC) for group in groups if place < len(group)]


@functools.cache
def _example_answers() -> dict[str, dict[str, str]]:
    """An answer per topic and language that an expert may borrow; the empty topic is for all others."""
    found: dict[str, dict[str, str]] = {
        "": {
            "nl": "Ja, dat kan. In de app staat onder Mijn Vonk precies hoe; in elke winkel helpen we ook graag.",
            "en": "Yes, that can be done. The app tells how under My Vonk, and every shop is glad to help too.",
        },
        "billing": {"nl": LINES["answer_mail"]},
        "roaming": {"en": LINES["en"]["answer_api"]},
    }
    for data in json.loads((DEMO / "questions.json").read_text()):
        if data.get("answer") and data.get("topic"):
            found.setdefault(data["topic"], {}).setdefault(data["language"], data["answer"])
    return found


def _ask_addresses() -> list[dict[str, str]]:
    topics = [
        {"address": f"{topic.mail_key}@{settings.MAIL_DOMAIN}", "name": topic.name(_language())}
        for topic in Topic.objects.filter(is_active=True)
    ]
    return [{"address": f"vraag@{settings.MAIL_DOMAIN}", "name": _("Any question")}, *topics]


def _words() -> dict[str, Any]:
    """What the script says, in the page's language. `{name}` is filled in by the script."""
    return {
        # devices
        "phone_of": _("Phone of {name}"),
        "mailbox_of": _("Mailbox of {name}"),
        "open_phone": _("Open the phone of {name}"),
        "open_mailbox": _("Open the mailbox of {name}"),
        "close": _("Close"),
        "back": _("Back"),
        "none_open": _("Choose somebody from the list to open a phone or a mailbox."),
        "unread": _("{count} unread"),
        "friend": _("A friend"),
        "outside": _("outside the company"),
        "left": _("has left"),
        "sms_only": _("SMS only"),
        "today": _("Today"),
        # SMS
        "sms_from": _("Text message from {name}"),
        "type_sms": _("Text message"),
        "send": _("Send"),
        # the app and its pushes
        "fresh_push": _("New notification for {name}"),
        "install": _("Install the app"),
        "remove": _("Remove the app"),
        "installing": _("Signing in with a code by SMS…"),
        "installed": _("{name} has the app: what follows comes as a notification first."),
        "removed": _("The app is gone. The next notification finds that out, and SMS or mail follows."),
        "not_installed": _("Signing in did not work; try again in a minute."),
        "signed_out": _("Somebody else installed this app. Install it here to use its buttons."),
        "actions": {"accept": _("Accept"), "decline": _("Decline")},
        "open_push": _("Open"),
        # what is wrong with a phone
        "line": _("Network"),
        "line_kinds": {
            "": _("works"),
            "no_coverage": _("no coverage"),
            "landline": _("landline"),
            "stopped": _("stopped"),
            "app_removed": _("app removed"),
        },
        "opted_out": _("Opted out: nothing more is sent here. START undoes it."),
        "opted_out_mail": _("Nothing more is sent to this address."),
        "error": _("error {code}"),
        "as_text": _("Text"),
        "as_html": _("HTML"),
        "playing": _("Stop"),
        "done": _("Done"),
        "no_sms": _("Nothing here yet. Text {ask} and a question, as a friend would ask it."),
        "segment": _("1 segment"),
        "segments": _("{count} segments"),
        "left_over": _("{count} left"),
        "ucs2_why": _("“{char}” makes it UCS-2: fewer characters fit"),
        "another": _("Another question"),
        "status": {
            "queued": _("on its way"),
            "sent": _("sent"),
            "delivered": _("delivered"),
            "undelivered": _("not delivered"),
            "failed": _("failed"),
            "waiting": _("sending"),
            "passed": _("handed in"),
        },
        # mail
        "inbox": _("Inbox"),
        "new_mail": _("New mail"),
        "no_mail": _("No mail yet."),
        "no_choice": _("Choose a mail to read it."),
        "from": _("From"),
        "to": _("To"),
        "subject": _("Subject"),
        "no_subject": _("(no subject)"),
        "message": _("Message"),
        "sent_mail": _("Sent"),
        "copies": _("came {count} times, shown once"),
        "reply": _("Reply"),
        "type_reply": _("Write your reply here, as in any mail program"),
        "borrow": _("Example answer"),
        # questions
        "no_questions": _("No questions yet. Text one from a phone and watch it move here."),
        "steps": [_("Received"), _("Routed"), _("Offered"), _("Accepted"), _("Answered"), _("Passed on")],
        "closed": _("Closed"),
        "by": {
            "sms": _("by SMS"),
            "email": _("by mail"),
            "api": _("in the app"),
            "link": _("on the web"),
            "desk": _("by the desk"),
        },
        "why": _("Why {name}"),
        "no_topic": _("The duty desk chooses a topic in the back office."),
        "unstaffed": _("Nobody can take it now; it is tried again."),
        "waits_asker": _("Waiting for the asker."),
        "helped": _("The friend says: this helped"),
        "not_helped": _("The friend says: not yet"),
        "time_left": _("{time} left"),
        "overdue": _("{time} overdue"),
        "kept": _("Promise kept"),
        "breached": _("Promise broken"),
        "void": _("No answer needed any more"),
        "due": _("Due {at}"),
        "promise": _("The promise: {part} of the time has passed"),
        "round": _("round {number}"),
        "thread": _("Thread ({count})"),
        "friends_page": _("The friend's page"),
        "new_tab": _("opens a new tab"),
        "day": _("d"),
        "hour": _("h"),
        "minute": _("min"),
        "second": _("s"),
        # the first steps and the top bar
        "step_reply": _("Reply as {name}"),
        "fresh_sms": _("New text message for {name}"),
        "fresh_mail": _("New mail for {name}: {subject}"),
        "sent_off": _("Sent. It goes in through the same door as in real life."),
        "moved": _("It is now {at} for the product. Reminders and offers follow within seconds."),
        "clock_right": _("The clock runs with real time"),
        "nobody": _("Nobody found."),
        "lost": _("No connection to the server; trying again."),
        "refused": _("That did not work. Load the page again and try once more."),
    }


# --- what has happened -----------------------------------------------------------------------------------------------


@require_GET
@never_cache
def state(request: HttpRequest) -> HttpResponse:
    """What happened after `since` (a letter's id), the newest questions and the clock. Polled every second.

    Without `since` it is the first look: people and addresses instead of letters, and where to go on from.
    """
    since = _whole_number(request.GET.get("since"))
    seen = _first_look() if since is None else _since(since)
    now = {"now": clock.now().isoformat(), "ahead_seconds": round(clock.offset().total_seconds())}
    return JsonResponse({**seen, "questions": _questions(), **_switches(), "clock": now})


def _switches() -> dict[str, Any]:
    """What is wrong with the providers and the phones, which phones have the app, and who opted out of what."""
    return {
        "apps": list(App.objects.filter(removed_at__isnull=True).values_list("number", flat=True)),
        "troubles": dict(Switch.objects.values_list("provider", "trouble")),
        "phones": dict(PhoneTrouble.objects.values_list("number", "kind")),
        "stopped": list(Address.objects.filter(stopped_at__isnull=False).values_list("value", flat=True)),
    }


def _whole_number(value: str | None) -> int | None:
    """A letter's id out of a query string; None for anything else."""
    return int(value) if value and value.isascii() and value.isdecimal() and len(value) <= 15 else None


def _first_look() -> dict[str, Any]:
    boxes = list(Letter.objects.values("address", "channel").annotate(newest=Max("id")).order_by("address"))
    newest = max((box["newest"] for box in boxes), default=0)
    return {"people": _people(), "boxes": boxes, "letters": [], "changes": {}, "newest": newest, "is_stale": False}


def _since(since: int) -> dict[str, Any]:
    rows = list(Letter.objects.filter(id__gt=since).order_by("id")[:LETTERS_MAX])
    fields = ("id", "status", "copies", "data__error_code")
    known = Letter.objects.filter(id__lte=since).order_by("-id").values_list(*fields)[:CHANGES_MAX]
    changes = {pk: {"status": status, "copies": copies, "error": error or ""} for pk, status, copies, error in known}
    return {
        "letters": [_letter(row) for row in rows],
        "changes": changes,
        "newest": rows[-1].pk if rows else since,
        "is_stale": since > 0 and not rows and since not in changes,  # a number we never gave: another database
    }


def _people() -> list[dict[str, Any]]:
    today = clock.now().date()
    return [
        {
            "number": person.employee_number,
            "name": person.name,
            "team": person.team.name if person.team else "",
            "roles": [role for role in person.roles if role != "employee"],
            "role_names": [_role_name(role) for role in person.roles if role != "employee"],
            "language": person.language,
            "mobile": person.mobile,
            "email": person.email,
            "has_left": person.left_on is not None and person.left_on <= today,
        }
        for person in Person.objects.select_related("team").order_by("name")
    ]


def _role_name(role: str) -> str:
    names = {
        "expert": _("expert"),
        "duty_desk": _("duty desk"),
        "topic_lead": _("topic lead"),
        "programme_manager": _("programme manager"),
        "administrator": _("administrator"),
    }
    return names.get(role, role)


def _letter(row: Letter) -> dict[str, Any]:
    names = ("id", "direction", "channel", "address", "other", "subject", "body", "html", "status", "copies")
    fields = {name: getattr(row, name) for name in names}
    size: dict[str, Any] = {}
    if row.channel == "sms":
        size = {"segments": segments.count(row.body), "is_gsm": segments.is_gsm(row.body)}
    push = {"push": row.data.get("data", {})} if row.channel == "push" else {}
    return {**fields, **size, **push, "error": row.data.get("error_code", ""), "at": row.created_at.isoformat()}


@require_GET
@never_cache
def letters(request: HttpRequest) -> HttpResponse:
    """The newest letters of one phone or mailbox, for a device that is being opened."""
    address = request.GET.get("address", "")[:254].replace("\x00", "")
    rows = list(Letter.objects.filter(address=address).order_by("-id")[:HISTORY_MAX])
    return JsonResponse({"letters": [_letter(row) for row in reversed(rows)]})


# --- questions -------------------------------------------------------------------------------------------------------


def _questions() -> list[dict[str, Any]]:
    """The newest questions, each with its last assignment, its answer and its thread: four queries, however many."""
    newest = Question.objects.select_related("asker", "topic", "current_round").order_by("-received_at", "-id")
    rows = list(newest[:QUESTIONS_SHOWN])
    offers = _by_question(Assignment.objects.select_related("expert", "question__topic").order_by("offered_at"), rows)
    answers = _by_question(Answer.objects.filter(state=Answer.State.RELEASED).order_by("received_at"), rows)
    events = _by_question(Event.objects.select_related("actor").order_by("id"), rows)
    return [_question(row, offers[row.pk], answers[row.pk], events[row.pk]) for row in rows]


def _by_question(found: Any, rows: list[Question]) -> dict[UUID, list[Any]]:
    grouped: dict[UUID, list[Any]] = defaultdict(list)
    for one in found.filter(question__in=rows):
        grouped[one.question_id].append(one)
    return grouped


def _question(row: Question, offers: list[Assignment], answers: list[Answer], events: list[Event]) -> dict[str, Any]:
    promise, offer = row.current_round, _last_main(offers)
    reader = Person(language=_language(), time_zone=settings.TIME_ZONE)
    answer = next((given for given in reversed(answers) if given.round_id == promise.pk), None)
    names = {str(one.expert_id): one.expert.name for one in offers}
    return {
        "reference": row.reference,
        "text": row.text,
        "language": row.language,
        "source": row.source,
        "asker": {"number": row.asker.employee_number, "name": row.asker.name},
        "state": row.state,
        "state_name": words.state_name(row.state),
        "topic": {"slug": row.topic.slug, "name": row.topic.name(_language())} if row.topic else None,
        "expert": {"number": offer.expert.employee_number, "name": offer.expert.name} if offer else None,
        "why": words.why(offer, reader) if offer else "",
        "answer": {"text": answer.text, "source": answer.source, "helped": answer.helped} if answer else None,
        "received_at": row.received_at.isoformat(),
        "started_at": promise.started_at.isoformat(),
        "due_at": promise.due_at.isoformat(),
        "round": promise.number,
        "promise": promise.status(clock.now()),
        "unanswered": row.is_unanswered,
        "friend_link": links.friend_link(row),
        "events": [{"at": one.at.isoformat(), "kind": one.kind, "text": _told(one, row, names)} for one in events],
    }


def _last_main(offers: list[Assignment]) -> Assignment | None:
    """Who has it, or answered it; otherwise who was asked last. Of a swarm only the one who answered counts."""
    mine = [one for one in offers if not one.is_swarm or one.state == Assignment.State.ANSWERED]
    return mine[-1] if mine else None


def _told(event: Event, question: Question, names: dict[str, str]) -> str:
    """One event of the thread as a sentence."""
    known = _sentences()
    sentence = known.get(event.kind, event.kind.replace("_", " "))
    if event.kind == "offered" and event.data.get("swarm"):
        sentence = known["offered_too"]
    told = sentence % {
        "who": event.actor.name if event.actor else _("The friend"),
        "expert": names.get(str(event.data.get("expert")), ""),
        "topic": _topic_told(event, question),
        "round": event.data.get("round", ""),
    }
    return f"{told} ({_('skipped')})" if event.data.get("skipped") else told


def _topic_told(event: Event, question: Question) -> str:
    slug, sure = str(event.data.get("topic", "")), event.data.get("confidence")
    name = question.topic.name(_language()) if question.topic and question.topic.slug == slug else slug
    return f"{name} ({round(sure * 100)}%)" if isinstance(sure, int | float) else name


def _sentences() -> dict[str, str]:
    return {
        "received": _("%(who)s passed the question on"),
        "topic_chosen": _("Topic chosen: %(topic)s"),
        "triage": _("No topic is close enough: to the duty desk"),
        "unstaffed": _("Nobody can take it now: the duty desk knows"),
        "offered": _("Offered to %(expert)s"),
        "offered_too": _("Also offered to %(expert)s"),
        "offer_expired": _("The offer to %(expert)s lapsed"),
        "accepted": _("%(who)s took it"),
        "declined": _("%(who)s said no"),
        "answered": _("%(who)s answered"),
        "answer_refused": _("A text of %(who)s came too late; it is kept"),
        "relayed": _("%(who)s passed the answer on"),
        "delivered": _("The answer went to the friend"),
        "friend_confirmed": _("The friend confirmed an address"),
        "helped": _("%(who)s says: this helped"),
        "not_helped": _("%(who)s says: not yet"),
        "closed": _("Closed"),
        "reopened": _("Opened again: round %(round)s"),
        "withdrawn": _("%(who)s withdrew it"),
        "reminded": _("Half of the time: the expert is reminded"),
        "swarmed": _("Three quarters: more experts are asked"),
        "desk_told": _("Nine tenths: the duty desk is told"),
        "breached": _("The time is over: the promise is broken"),
    }


# --- what people do --------------------------------------------------------------------------------------------------


def _acting(act: Callable[[Body], Body]) -> Callable[[HttpRequest], HttpResponse]:
    """A POST endpoint: the JSON body in, `act`'s result out with 201, a Refusal as `{"error": …}`."""

    @require_POST
    @functools.wraps(act)
    def view(request: HttpRequest) -> HttpResponse:
        try:
            return JsonResponse(act(_body(request)), status=201)
        except Refusal as refusal:
            return JsonResponse({"error": refusal.message, "code": refusal.code}, status=refusal.status)

    return view


def _body(request: HttpRequest) -> Body:
    """orjson and not json: it refuses lone surrogates, which PostgreSQL could not store."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _string(body: Body, name: str, limit: int, *, needed: bool = True) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > limit:
        raise Invalid(f"{name} must be a text of at most {limit} characters")
    if any(char < " " and char not in "\n\r\t" for char in value):
        raise Invalid(f"{name} must not hold control characters")
    if needed and not value.strip():
        raise Invalid(f"{name} must not be empty")
    return value.strip()


def _check_known(channel: str, address: str) -> None:
    """Only people of the demo, and friends whom the product wrote to, can be acted for."""
    person = {"mobile": address} if channel == "sms" else {"email": address}
    written_to = Letter.objects.filter(address=address, channel=channel, direction=Letter.Direction.TO_PERSON)
    if not Person.objects.filter(**person).exists() and not written_to.exists():
        raise NotFound("nobody here has this number" if channel == "sms" else "nobody here has this address")


@_acting
def text(body: Body) -> Body:
    """Somebody texts from their pretend phone."""
    number, words_sent = _string(body, "number", 16), _string(body, "text", TEXT_CHARACTERS)
    _check_known("sms", number)
    return {"letter": acting.text(number, words_sent).pk}


@_acting
def mail(body: Body) -> Body:
    """Somebody writes a new mail from their pretend mailbox."""
    sender, to = _string(body, "sender", 254).lower(), _string(body, "to", 254).lower()
    subject = " ".join(_string(body, "subject", SUBJECT_CHARACTERS, needed=False).split())
    words_sent = _string(body, "text", MAIL_CHARACTERS)
    _check_known("email", sender)
    try:
        validate_email(to)
    except ValidationError as error:
        raise Invalid("to is not a mail address") from error
    if not to.endswith(f"@{settings.MAIL_DOMAIN}"):
        raise Invalid(f"mail from here goes to addresses at {settings.MAIL_DOMAIN} only")
    return {"letter": acting.mail(sender, to, subject, words_sent).pk}


@_acting
def reply(body: Body) -> Body:
    """Somebody answers a mail in their pretend mailbox."""
    pk, words_sent = body.get("letter"), _string(body, "text", MAIL_CHARACTERS)
    if not isinstance(pk, int) or isinstance(pk, bool) or not 0 < pk < ID_MAX:
        raise Invalid("letter must be the number of a letter")
    letter = Letter.objects.filter(pk=pk, channel="email", direction=Letter.Direction.TO_PERSON).first()
    if letter is None:
        raise NotFound("there is no such mail")
    return {"letter": acting.reply(letter, words_sent).pk}


@_acting
def app(body: Body) -> Body:
    """The app is put on somebody's pretend phone (`on`), or removed. What it gets is the address that Firebase gives it.

    Signing in and registering is the app's own work, through the product's API.
    """
    number, is_on = _string(body, "number", 16), body.get("on")
    if not isinstance(is_on, bool):
        raise Invalid("on must be true or false")
    if not Person.objects.filter(mobile=number).exists():
        raise NotFound("nobody here has this number")
    if is_on:
        return {"token": fcm.install(number)}
    fcm.uninstall(number)
    return {}


@_acting
def trouble(body: Body) -> Body:
    """A provider answers as if something were wrong; empty for nothing."""
    known = {"fcm": list(fcm.TROUBLES), "twilio": list(twilio.TROUBLES)}
    provider, kind = _string(body, "provider", 8), _string(body, "kind", 20, needed=False)
    if provider not in known:
        raise Invalid(f"provider must be one of {', '.join(known)}")
    if kind and kind not in known[provider]:
        raise Invalid(f"kind must be one of {', '.join(known[provider])}")
    Switch.objects.update_or_create(provider=provider, defaults={"trouble": kind})
    return {"kind": kind}


@_acting
def phone(body: Body) -> Body:
    """Something is wrong with somebody's phone; empty for nothing. `app_removed` takes the app off it."""
    number, kind = _string(body, "number", 16), _string(body, "kind", 20, needed=False)
    _check_known("sms", number)
    if kind and kind not in {*PhoneTrouble.Kind.values, "app_removed"}:
        raise Invalid(f"kind must be one of {', '.join(PhoneTrouble.Kind.values)}, app_removed")
    if kind == "app_removed":
        fcm.uninstall(number)
    elif kind:
        PhoneTrouble.objects.update_or_create(number=number, defaults={"kind": kind})
    else:
        PhoneTrouble.objects.filter(number=number).delete()
    return {"kind": kind}


@_acting
def move_clock(body: Body) -> Body:
    """Let hours go by, or go back to real time (`hours` 0)."""
    hours = body.get("hours")
    if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 <= hours <= CLOCK_HOURS_MAX:
        raise Invalid(f"hours must be a number from 0 to {CLOCK_HOURS_MAX}")
    if hours and clock.offset() + timedelta(hours=hours) > timedelta(hours=CLOCK_HOURS_MAX):
        raise Invalid("the clock is far enough ahead; go back to real time first")
    if hours:
        clock.move(timedelta(hours=hours))
    else:
        clock.reset()
    return {"now": clock.now().isoformat(), "ahead_seconds": round(clock.offset().total_seconds())}
