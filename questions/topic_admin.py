"""Topics in the back office, with their experts and examples; and the versions of what chooses among them.

Edited by administrators.
"""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from notifications.admin import LookOnly
from people.models import Language, Person, Role
from questions import calendar_admin, handover, rounds, topics
from questions.models import Expertise, Topic, TopicExample, TopicModel

LEVELS = [(1, _("1 · can answer")), (2, _("2 · knows it well")), (3, _("3 · whom the others ask"))]


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
