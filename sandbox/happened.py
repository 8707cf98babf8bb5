"""What has happened, for the sandbox page to show: it came out of the product's real exits."""

from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from backend import clock
from notifications import segments
from notifications.models import Address
from people.models import Person
from sandbox import followed
from sandbox.models import App, Letter, PhoneTrouble, Switch

LETTERS_MAX = 200  # of one poll; what is left comes with the next
HISTORY_MAX = 120  # of one phone or mailbox
CHANGES_MAX = 80  # newest letters whose delivery status may still move


@require_GET
@never_cache
def state(request: HttpRequest) -> HttpResponse:
    """What happened after `since` (a letter's id), the newest questions and the clock. Polled every second.

    Without `since` it is the first look: people and addresses instead of letters, and where to go on from.
    """
    since = _whole_number(request.GET.get("since"))
    seen = _first_look() if since is None else _since(since)
    now = {"now": clock.now().isoformat(), "ahead_seconds": round(clock.offset().total_seconds())}
    return JsonResponse({**seen, "questions": followed.questions(), **_switches(), "clock": now})


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
