"""The sandbox page: pretend phones and mailboxes side by side, and the questions as they move; the frame and its words."""

import functools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET

from backend.manners import language
from notifications import segments
from questions.models import Topic, TopicExample
from sandbox.acts import MAIL_CHARACTERS, SUBJECT_CHARACTERS, TEXT_CHARACTERS
from sandbox.journey import LINES

DEMO = Path(__file__).resolve().parent / "demo"
IDEAS_PER_TOPIC = 2


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
        "language": language(),
        "words": _words(),
    }
    return render(request, "sandbox/page.html", {"language": language(), "setup": setup})


def _ideas() -> dict[str, list[str]]:
    """Questions to text with one press, a few per topic; the journey's own comes first."""
    rows = TopicExample.objects.filter(source=TopicExample.Source.GIVEN, topic__is_active=True).order_by("pk")
    chosen: dict[str, dict[UUID, list[str]]] = {"nl": defaultdict(list), "en": defaultdict(list)}
    for topic_id, spoken, text in rows.values_list("topic_id", "language", "text"):
        if spoken in chosen and len(chosen[spoken][topic_id]) < IDEAS_PER_TOPIC:
            chosen[spoken][topic_id].append(text)
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
        {"address": f"{topic.mail_key}@{settings.MAIL_DOMAIN}", "name": topic.name(language())}
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
