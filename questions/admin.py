"""The back office: topics with their experts and examples; questions with their clock and thread.

Topics are edited by administrators. A question is only looked at: its state moves through the named moves and its events
are append-only. What the desk does about it goes through the desk's own functions (`admin_desk`). Times are the company's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from backend import clock
from backend.errors import Refusal
from notifications.admin import LookOnly
from notifications.models import Delivery, Notification
from people.models import Language, Person, Role
from questions import admin_desk, after, calendar_admin, desk, duty, handover, rounds, topics, words
from questions import workload_admin as workload_admin  # registers its page
from questions.masking import masked
from questions.models import Answer, AskedGroup, Assignment, Event, Expertise, Question, Topic, TopicExample, TopicModel

EVENTS_SHOWN = 500
SOON_SHARE = 0.25  # of the promise: with less time left its clock turns orange
LEVELS = [(1, _("1 · can answer")), (2, _("2 · knows it well")), (3, _("3 · whom the others ask"))]
STATE_COLOURS = {
    **dict.fromkeys(("received", "routing", "offered", "accepted", "waiting_for_asker", "pending_approval"), "info"),
    **dict.fromkeys(("triage", "unstaffed"), "warning"),
    **dict.fromkeys(("answered", "relayed", "delivered", "closed"), "success"),
    "withdrawn": "",
}
CLOCK_COLOURS = {"running": "info", "soon": "warning", "late": "danger", "kept": "success", "breached": "danger"}
CLOCK_COLOURS |= {"void": "", "paused": "info"}
STATE_NAMES = {
    "received": _("received"),
    "routing": _("looking for an expert"),
    "triage": _("at the duty desk"),
    "unstaffed": _("nobody can take it"),
    "offered": _("offered"),
    "accepted": _("an expert is on it"),
    "waiting_for_asker": _("waits for the asker"),
    "pending_approval": _("being checked"),
    "answered": _("answered"),
    "relayed": _("passed on to the friend"),
    "delivered": _("delivered to the friend"),
    "closed": _("closed"),
    "withdrawn": _("withdrawn"),
}
EVENT_NAMES = {
    "received": _("received"),
    "topic_chosen": _("topic chosen"),
    "triage": _("sent to the duty desk"),
    "unstaffed": _("nobody can take it"),
    "offered": _("offered"),
    "accepted": _("accepted"),
    "declined": _("declined"),
    "offer_expired": _("offer lapsed"),
    "reminded": _("experts reminded"),
    "swarmed": _("offered to more experts"),
    "desk_told": _("duty desk told"),
    "moved": _("moved to somebody else"),
    "breached": _("promise broken"),
    "promise_changed": _("promise changed"),
    "answered": _("answered"),
    "answer_refused": _("an answer came too late"),
    "relayed": _("passed on to the friend"),
    "delivered": _("delivered to the friend"),
    "friend_confirmed": _("the friend confirmed an address"),
    "helped": _("it helped"),
    "not_helped": _("it did not help"),
    "reopened": _("reopened"),
    "closed": _("closed"),
    "withdrawn": _("withdrawn"),
    "asked_back": _("the asker was asked something"),
    "clarified": _("the asker replied"),
    "paused": _("the clock stands still"),
    "resumed": _("the clock runs on"),
    "handed_back": _("handed back"),
    "passed_on": _("passed to a colleague"),
    "answer_held": _("the answer waits ten minutes"),
    "answer_held_back": _("the answer is held back"),
    "approval_asked": _("a second pair of eyes was asked"),
    "approved": _("approved"),
    "approval_refused": _("not approved"),
    "corrected": _("corrected"),
    "relay_reminded": _("the asker was reminded"),
    "desk_took": _("taken by the desk"),
    "desk_handed_back": _("back to the desk"),
    "desk_assigned": _("assigned by the desk"),
    "desk_answered": _("answered by the desk"),
    "desk_closed": _("closed by the desk"),
    "suggested": _("an earlier answer suggested"),
    "reused": _("an earlier answer used"),
    "answer_expired": _("the answer is no longer valid"),
}

NAMELESS = frozenset(
    {"assignment", "assignments", "answer", "guesses", "clarification", "old", "source"}
)  # in an event's data: ids that tell a reader nothing


# --- the clock, in words ---------------------------------------------------------------------------------------------


def span(delta: timedelta) -> str:
    """`2 d 4 h`, `3 h 20 m` or `20 m`."""
    minutes = int(delta.total_seconds() // 60)
    values = {"d": minutes // 1440, "h": minutes // 60, "m": minutes % 60}
    if minutes >= 2 * 1440:
        return gettext("%(d)s d %(h)s h") % {**values, "h": minutes // 60 % 24}
    return (gettext("%(h)s h %(m)s m") if minutes >= 60 else gettext("%(m)s m")) % values


def promise_clock(question: Question, at: datetime) -> tuple[str, str]:
    """How the promise stands at `at`, as a colour's key and in words. Asks the clock and not the worker's last sweep."""
    round_ = question.current_round
    status = round_.status(at)
    if status == "paused":
        return "paused", gettext("waits for the asker")
    if question.is_unanswered and at > round_.due_at:
        return "late", gettext("overdue %(span)s") % {"span": span(at - round_.due_at)}
    if status == "running":
        left = round_.due_at - at
        soon = left < (round_.due_at - round_.started_at) * SOON_SHARE
        return "soon" if soon else "running", gettext("in %(span)s") % {"span": span(left)}
    return status, {"kept": gettext("kept"), "breached": gettext("broken"), "void": gettext("withdrawn")}.get(
        status, status
    )


def local(at: datetime) -> str:
    return date_format(localtime(at), "D j M H:i")


# --- topics ----------------------------------------------------------------------------------------------------------


class ExampleForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    language = forms.ChoiceField(choices=Language.choices, widget=UnfoldAdminSelectWidget, label=_("language"))

    class Meta:
        model = TopicExample
        fields = ("text", "language")
        widgets: ClassVar = {"text": UnfoldAdminTextareaWidget(attrs={"rows": 2})}


class ExampleInline(TabularInline):
    """Twenty-five a page: a topic gathers hundreds, and Django takes no form with more than a thousand fields."""

    model = TopicExample
    form = ExampleForm
    fields = ("text", "language", "source")
    readonly_fields = ("source",)
    ordering = ("id",)
    extra = 0
    per_page = 25
    tab = True
    verbose_name_plural = _("examples")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TopicExample]:
        rows: QuerySet[TopicExample] = super().get_queryset(request).filter(is_counter_example=False)
        return rows


class ExpertiseForm(forms.ModelForm):  # type: ignore[type-arg]
    level = forms.TypedChoiceField(choices=LEVELS, coerce=int, widget=UnfoldAdminSelectWidget, label=_("level"))

    class Meta:
        model = Expertise
        fields = ("person", "level")

    def clean_person(self) -> Person:
        """Routing asks experts only; somebody else here would look like an expert and never get a question."""
        person: Person = self.cleaned_data["person"]
        if "person" in self.changed_data and not (person.has_role(Role.EXPERT) and person.is_active):
            raise forms.ValidationError(gettext("%(name)s is not an expert.") % {"name": person.name})
        return person


class ExpertiseInline(TabularInline):
    model = Expertise
    form = ExpertiseForm
    autocomplete_fields = ("person",)
    ordering = ("-level", "person__name")
    extra = 0
    tab = True
    verbose_name_plural = _("experts")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the icons that add or edit a person: they push the row off a phone's screen, and HR does that."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "person":
            field.widget.can_add_related = field.widget.can_change_related = field.widget.can_view_related = False
        return field

    def get_queryset(self, request: HttpRequest) -> QuerySet[Expertise]:
        rows: QuerySet[Expertise] = super().get_queryset(request).select_related("person", "topic")
        return rows


def count_of(rows: Any) -> Coalesce:
    """How many of `rows` a topic has. A subquery each: two joins would multiply each other."""
    of_topic = rows.filter(topic=OuterRef("pk")).order_by().values("topic").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(of_topic), 0)


class TopicForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Topic
        fields = "__all__"  # noqa: DJ007 — the page names them

    def clean(self) -> Any:
        """A promise that its calendar could never keep is refused."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        calendar, hours = cleaned.get("calendar"), cleaned.get("promise_hours")
        if calendar and hours:
            try:
                calendar_admin.refuse_never_due(rounds.week_of(calendar), hours)
            except forms.ValidationError as refusal:
                self.add_error("calendar", refusal)
        return cleaned


@admin.register(Topic)
class TopicAdmin(ModelAdmin):
    form = TopicForm
    list_display = ("name_nl", "name_en", "mail_key", "experts", "examples", "promise_hours", "lead", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("lead",)
    search_fields = ("slug", "name_nl", "name_en", "mail_key")
    prepopulated_fields: ClassVar = {"slug": ["name_en"]}
    autocomplete_fields = ("lead",)
    inlines = (ExpertiseInline, ExampleInline)
    fields = (
        ("name_nl", "name_en"),
        ("slug", "mail_key"),
        ("promise_hours", "calendar", "is_active"),
        "lead",
        "description_nl",
        "description_en",
    )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Offers follow the list of experts, and what waits for a new one goes to them at once."""
        super().save_related(request, form, formsets, change)
        handover.experts_changed(form.instance)
        topics.labels_changed()  # names, descriptions and examples are what the choice of topics learns from

    def get_queryset(self, request: HttpRequest) -> QuerySet[Topic]:
        may_be_asked = Expertise.objects.filter(person__roles__contains=[Role.EXPERT], person__in=Person.objects.present())
        rows: QuerySet[Topic] = super().get_queryset(request)
        return rows.annotate(n_experts=count_of(may_be_asked), n_examples=count_of(TopicExample.objects))

    def save_model(self, request: HttpRequest, obj: Topic, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        if change and not {"promise_hours", "calendar"}.isdisjoint(form.changed_data):
            calendar_admin.follow()

    @display(description=_("experts"), ordering="n_experts", label={"0": "danger"})
    def experts(self, topic: Topic) -> str:
        return str(topic.n_experts)  # type: ignore[attr-defined]

    @display(description=_("examples"), ordering="n_examples", label={"0": "danger"})
    def examples(self, topic: Topic) -> str:
        return str(topic.n_examples)  # type: ignore[attr-defined]


@admin.register(TopicModel)
class TopicModelAdmin(LookOnly):
    """The versions of what chooses topics: the newest in use chooses. An administrator may go back to another one."""

    list_display = ("version", "trained_at", "examples", "share_right", "share_before", "is_active")
    ordering = ("-version",)
    actions = ("use_selected",)
    fields = ("version", "trained_at", "examples", "share_right", "share_before", "is_active")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TopicModel]:
        rows: QuerySet[TopicModel] = super().get_queryset(request).defer("data")
        return rows

    def has_use_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_role(Role.ADMINISTRATOR))  # type: ignore[union-attr]

    @display(description=_("right on examples it had not seen"), ordering="accuracy")
    def share_right(self, row: TopicModel) -> str:
        return f"{row.accuracy:.1%}"

    @display(description=_("the version before it"), ordering="previous_accuracy")
    def share_before(self, row: TopicModel) -> str:
        return "" if row.previous_accuracy is None else f"{row.previous_accuracy:.1%}"

    @action(description=_("Use this version and none newer"), permissions=["use"])
    def use_selected(self, request: HttpRequest, rows: QuerySet[TopicModel]) -> None:
        chosen = list(rows)
        if len(chosen) != 1:
            self.message_user(request, gettext("Choose one version."), messages.ERROR)
            return
        topics.use(chosen[0].version)
        self.log_change(request, chosen[0], "use")
        told = gettext("Version %(n)s chooses topics now.") % {"n": chosen[0].version}
        self.message_user(request, told, messages.SUCCESS)


# --- questions -------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class Line:
    """One event of the thread, readable."""

    at: str
    name: str
    actor: str
    facts: str


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
            said = admin_desk.act(person, question_id, request.POST)
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


# --- a question's page -----------------------------------------------------------------------------------------------


def page(question: Question, reader: Any) -> dict[str, Any]:
    """Everything the page shows. The number of queries does not depend on how much happened."""
    sees_all = reader.has_role(Role.DUTY_DESK)  # everybody else but the asker reads numbers and addresses as dots
    assignments = list(question.assignments.select_related("expert", "round").order_by("offered_at", "pk"))
    answers = list(question.answers.select_related("author").order_by("received_at"))
    colour, promise = promise_clock(question, clock.now())
    return {
        "title": question.reference,
        "question": question,
        "text": question.text if sees_all else masked(question.text),
        "is_masked": not sees_all,
        "topic": words.topic_name(question.topic, get_language() or "en"),
        "state_colour": STATE_COLOURS[question.state],
        "state_name": STATE_NAMES[question.state],
        "promise_colour": CLOCK_COLOURS[colour],
        "promise": promise,
        "due": local(question.current_round.due_at),
        "received": local(question.received_at),
        "desk": admin_desk.panel(question, reader),
        "clarifications": _clarifications(question, sees_all=sees_all),
        "rounds": question.rounds.order_by("number"),
        "assignments": _assignments(question, assignments, reader),
        "answers": answers,
        "thread": _thread(question, assignments),
        "notifications": Notification.objects.filter(subject_key=question.subject_key)
        .select_related("person")
        .defer("body", "sms_text")
        .order_by("created_at"),
        "deliveries": _deliveries(question, answers),
    }


def _clarifications(question: Question, *, sees_all: bool) -> list[dict[str, str]]:
    """What the asker was asked, and what they replied."""
    rows = question.clarifications.order_by("asked_at")
    return [{"text": row.text, "reply": row.reply if sees_all else masked(row.reply)} for row in rows]


def _assignments(question: Question, assignments: list[Assignment], reader: Any) -> list[tuple[Assignment, str]]:
    shown = []
    for assignment in assignments:
        assignment.question = question  # the very object, so that its topic is not asked for again
        shown.append((assignment, words.why(assignment, reader)))
    return shown


def _thread(question: Question, assignments: list[Assignment]) -> list[Line]:
    """Who did what when. Ids in an event's data become names; ids of things without a name are left out."""
    names = {str(assignment.expert_id): assignment.expert.name for assignment in assignments}
    rows = Event.objects.filter(question=question).select_related("actor").order_by("at", "id")[:EVENTS_SHOWN]
    return [
        Line(
            at=date_format(localtime(event.at), "D j M H:i:s"),
            name=str(EVENT_NAMES.get(event.kind, event.kind.replace("_", " "))),
            actor=event.actor.name if event.actor else "",
            facts=_facts(event.data, names),
        )
        for event in rows
    ]


def _facts(data: dict[str, Any], names: dict[str, str]) -> str:
    shown = {key: names.get(str(value), value) for key, value in data.items() if key not in NAMELESS}
    return ", ".join(f"{key} {value}" for key, value in shown.items() if value not in {"", None, False})


def _deliveries(question: Question, answers: list[Answer]) -> QuerySet[Delivery]:
    """What was sent about this question, also the answer that went straight to the friend."""
    to_friend = [after.friend_key(answer.pk) for answer in answers]
    about = Q(notification__subject_key=question.subject_key) | Q(key__in=to_friend)
    return Delivery.objects.filter(about).select_related("person").defer("body").order_by("created_at")
