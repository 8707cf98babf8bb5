"""The back office's front page and its menu."""

from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from backend import clock
from notifications.admin import Trouble
from notifications.models import ChannelTrouble, Delivery, Device, InboundMessage, Notification, SmsSpending, StopRecord
from people.models import Person
from questions import reports
from questions.admin import standing
from questions.models import AskedGroup, Calendar, DutyShift, HandOff, Question, Topic, TopicCard
from rewards.models import BadgeRule, Campaign, DiscountRule, EarningRule, Gift, LateConflict, Offer, ReviewItem, Shop
from rewards.reports_api import may_read

# Roles and contact points come from HR: the libraries' own groups and addresses are not used.
admin.site.unregister([Group, EmailAddress])
admin.site.index_title = _("Start")

KEPT_SHOWN = timedelta(weeks=4)
KEPT_ROWS = 40

MENU = (
    (Question, _("Waiting for the desk"), "support_agent", "?standing=desk"),
    (Question, _("Questions"), "forum", ""),
    (DutyShift, _("Duties"), "calendar_month", "?when=coming"),
    (Topic, _("Topics"), "category", ""),
    (TopicCard, _("Topic cards"), "sticky_note_2", ""),
    (Calendar, _("Calendars"), "calendar_month", ""),
    (HandOff, _("Carried by hand"), "pan_tool", ""),
    (AskedGroup, _("What people ask"), "forum", ""),
    (Person, _("People"), "groups", ""),
    (Offer, _("Offers"), "redeem", ""),
    (Campaign, _("Campaigns"), "savings", ""),
    (Shop, _("Partner shops"), "storefront", ""),
    (Gift, _("Gifts"), "card_giftcard", ""),
    (ReviewItem, _("Review list"), "policy", "?state__exact=open"),
    (ReviewItem, _("Under review"), "lock", "?state__exact=frozen"),
    (LateConflict, _("Offline conflicts"), "sync_problem", ""),
    (EarningRule, _("Earning rules"), "rule", ""),
    (DiscountRule, _("Discount rules"), "percent", ""),
    (BadgeRule, _("Badges"), "military_tech", ""),
    (Notification, _("Nobody reached"), "notifications_off", "?state__exact=exhausted"),
    (Person, _("Out of reach"), "phone_disabled", "?reach=none"),
    (StopRecord, _("STOP and START"), "block", ""),
    (SmsSpending, _("SMS spending"), "payments", "?whose=total"),
    (Delivery, _("Deliveries"), "outgoing_mail", ""),
    (ChannelTrouble, _("Trouble with a provider"), "warning", ""),
    (Device, _("Phones with the app"), "phone_iphone", ""),
    (InboundMessage, _("Quarantine"), "shield", "?state__exact=quarantined"),
    (InboundMessage, _("Came in"), "inbox", ""),
)


def _list(model: Any, query: str = "") -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist") + query


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The side bar: what this person may see, in the order of use."""
    here = request.get_full_path()
    items = [
        {"title": title, "icon": icon, "link": _list(model, query), "active": _is_here(here, _list(model), query)}
        for model, title, icon, query in MENU
        if admin.site.is_registered(model) and admin.site.get_model_admin(model).has_view_permission(request)
    ]
    start = {"title": _("Start"), "icon": "home", "link": reverse("admin:index"), "active": here == reverse("admin:index")}
    return [{"items": [start, *items, *_reports(request)]}]


def _reports(request: HttpRequest) -> list[dict[str, Any]]:
    """A page without rows of its own, for those who may read it."""
    if not may_read(request.user):
        return []
    link = reverse("reports")
    return [{"title": _("Reports"), "icon": "summarize", "link": link, "active": request.path == link}]


def _is_here(here: str, path: str, query: str) -> bool:
    if query:
        return here == path + query
    return here.startswith(path) and here not in {path + other for *_rest, other in MENU if other}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Five numbers, each leading to its rows, and how often the promise was kept. Four queries."""
    counts = {name: Count("pk", filter=condition) for name, condition in standing(clock.now()).items()}
    questions = Question.objects.filter(state__in=Question.UNANSWERED).aggregate(**counts)
    astray = Delivery.objects.filter(state__in=Trouble.STATES).count()
    quarantined = InboundMessage.objects.filter(state=InboundMessage.State.QUARANTINED).count()
    numbers = [
        (_("Open questions"), questions["open"], _list(Question, "?standing=open"), False),
        (_("Overdue"), questions["overdue"], _list(Question, "?standing=overdue"), True),
        (_("Wait for the desk"), questions["desk"], _list(Question, "?standing=desk"), True),
        (_("Not delivered, or unknown"), astray, _list(Delivery, "?trouble=yes"), True),
        (_("In quarantine"), quarantined, _list(InboundMessage, "?state__exact=quarantined"), True),
    ]
    at = clock.now()
    kept = reports.kept_rates(at - KEPT_SHOWN, at + KEPT_SHOWN)[:KEPT_ROWS]
    rows = [
        (one.week, one.topic or "–", one.settled, round(100 * one.rate), round(100 * one.rate_without_pauses))
        for one in kept
    ]
    return {**context, "numbers": numbers, "kept": rows}
