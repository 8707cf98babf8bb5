"""The back office: questions, and what people asked in a week. Topics, calendars and workloads have files of their own.

A question is only looked at: its state moves through the named moves and its events are append-only. What the desk does
about it goes through the desk's own functions (`desk_admin`).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from backend import clock
from backend.errors import Refusal
from notifications.admin import LookOnly
from people.models import Person
from questions import card_admin as card_admin  # registers its page
from questions import desk, desk_admin, duty, words
from questions import handoff_admin as handoff_admin  # registers its page
from questions import topic_admin as topic_admin  # registers its pages
from questions import workload_admin as workload_admin  # likewise
from questions.models import AskedGroup, Question, Topic
from questions.question_page import CLOCK_COLOURS, STATE_COLOURS, STATE_NAMES, local, page, promise_clock


class Standing(admin.SimpleListFilter):
    """What the desk wants to see first."""

    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("overdue", _("Overdue")), ("desk", _("Waits for the desk"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Question]) -> QuerySet[Question]:
        wanted = standing(clock.now()).get(self.value() or "")
        return queryset.filter(wanted) if wanted else queryset


def standing(at: datetime) -> dict[str, Q]:
    """The filters' meaning; the dashboard counts by it too."""
    unanswered = Q(state__in=Question.UNANSWERED)
    return {
        "open": unanswered,
        "overdue": unanswered & Q(current_round__due_at__lt=at),
        "desk": unanswered & Q(pk__in=desk.item_ids()),
    }


@admin.register(Question)
class QuestionAdmin(LookOnly):
    list_display = ("reference", "asker", "shown_topic", "shown_state", "due", "promise", "received")
    list_filter = (Standing, "state", "topic")
    list_select_related = ("asker", "topic", "current_round")
    search_fields = ("reference", "text")
    ordering = ("-received_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Question]:
        rows: QuerySet[Question] = super().get_queryset(request)
        return rows if for_the_desk(request) else rows.defer("text")

    def get_ordering(self, request: HttpRequest) -> Any:
        return ("current_round__due_at", "pk") if for_the_desk(request) else self.ordering

    def get_list_display(self, request: HttpRequest) -> Any:
        """The desk reads what it is about, and who of them has it."""
        desks = ("reference", "promise", "about", "shown_topic", "shown_state", "holder")
        return desks if for_the_desk(request) else self.list_display

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return (*self.list_select_related, "desk_holder")

    def get_urls(self) -> list[URLPattern]:
        topic = self.admin_site.admin_view(self.choose_topic)
        act = self.admin_site.admin_view(self.desk_acts)
        return [
            path("<uuid:question_id>/topic/", topic, name="questions_question_choose_topic"),
            path("<uuid:question_id>/desk/", act, name="questions_question_desk"),
            *super().get_urls(),
        ]

    @display(description=_("question"))
    def about(self, question: Question) -> str:
        return words.label(question)

    @display(description=_("has it"), ordering="desk_holder")
    def holder(self, question: Question) -> str:
        return question.desk_holder.name if question.desk_holder else "–"

    @display(description=_("topic"), ordering="topic")
    def shown_topic(self, question: Question) -> str:
        return words.topic_name(question.topic, get_language() or "en")

    @display(description=_("state"), ordering="state", label=STATE_COLOURS)
    def shown_state(self, question: Question) -> tuple[str, str]:
        return question.state, str(STATE_NAMES[question.state])

    @display(description=_("due"), ordering="current_round__due_at")
    def due(self, question: Question) -> str:
        return local(question.current_round.due_at)

    @display(description=_("promise"), ordering="current_round__due_at", label=CLOCK_COLOURS)
    def promise(self, question: Question) -> tuple[str, str]:
        return promise_clock(question, clock.now())

    @display(description=_("received"), ordering="received_at")
    def received(self, question: Question) -> str:
        return local(question.received_at)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The question's page. No form of Django's stands behind it, so there is nothing to post to it."""
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        if not self.has_view_permission(request):
            raise PermissionDenied
        question = self.get_object(request, unquote(object_id))
        if question is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return self._page(request, question)

    def _page(self, request: HttpRequest, question: Question, **typed: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": question, **typed}
        return TemplateResponse(request, "admin/questions/question.html", {**context, **page(question, request.user)})

    def desk_acts(self, request: HttpRequest, question_id: UUID) -> HttpResponse:
        """A press of the desk. Opening shows, pressing acts; what was typed comes back when it is refused."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        person = desk_person(request)
        try:
            said = desk_admin.act(person, question_id, request.POST)
        except Refusal as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            question = self.get_object(request, str(question_id))
            if question and request.POST.get("text"):
                return self._page(request, question, typed=request.POST)
        else:
            self.message_user(request, said, messages.SUCCESS)
        return redirect("admin:questions_question_change", question_id)

    def choose_topic(self, request: HttpRequest, question_id: UUID) -> HttpResponse:
        """The desk says what it is about. A GET does nothing."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        person = desk_person(request)
        topic = _topic(request.POST.get("topic", ""))
        if topic is None:
            self.message_user(request, gettext("Choose a topic."), messages.ERROR)
            return redirect("admin:questions_question_change", question_id)
        try:
            question = desk.choose_topic(person, question_id, topic)
        except Refusal as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
        else:
            told = {"reference": question.reference, "topic": topic.name(get_language() or "en")}
            self.message_user(request, gettext("%(reference)s goes to the experts of %(topic)s.") % told, messages.SUCCESS)
        return redirect("admin:questions_question_change", question_id)


def for_the_desk(request: HttpRequest) -> bool:
    """Is this the list of what waits for the desk?"""
    return request.GET.get("standing") == "desk"


def desk_person(request: HttpRequest) -> Person:
    """Raises PermissionDenied for everybody else."""
    person = request.user
    assert isinstance(person, Person)  # noqa: S101 — admin_view has seen to it
    if not duty.is_desk(person):
        raise PermissionDenied
    return person


def _topic(pk: str) -> Topic | None:
    try:
        return Topic.objects.filter(pk=UUID(pk)).first()
    except ValueError:
        return None


@admin.register(AskedGroup)
class AskedGroupAdmin(LookOnly):
    """What people ask, a week at a time."""

    list_display = ("week", "topic", "shown_text", "count", "shown_share", "shown_change")
    list_filter = ("week", "topic")
    list_select_related = ("topic", "week")
    search_fields = ("text",)
    fields = ("week", "topic", "text", "count", "total", "previous_count")

    @display(description=_("what people ask"))
    def shown_text(self, group: AskedGroup) -> str:
        return Truncator(group.text).chars(100)

    @display(description=_("share"))
    def shown_share(self, group: AskedGroup) -> str:
        return f"{group.share:.0%}"

    @display(description=_("change"))
    def shown_change(self, group: AskedGroup) -> str:
        return f"{group.change:+}"
