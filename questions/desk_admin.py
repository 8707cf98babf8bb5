"""The desk's part of the back office: what it can do about a question, and its rota."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from backend import clock
from backend.errors import Invalid, Refusal
from people.models import Person, Role
from questions import after, answering, corrections, desk, desk_commands, duty, words
from questions.models import DutyShift, Question, Topic

# --- a question ------------------------------------------------------------------------------------------------------


def panel(question: Question, reader: Person) -> dict[str, Any] | None:
    """What the desk can do about this question; None for everybody else, and when there is nothing to be done."""
    is_out = after.released(question) is not None and not question.is_unanswered
    if not duty.is_desk(reader) or not (question.is_unanswered or is_out):
        return None
    if is_out:
        return {"can_correct": question.state != Question.State.WITHDRAWN}
    return {
        "holder": question.desk_holder,
        "is_mine": question.desk_holder == reader,
        "choice": _topics(question) if question.state in duty.WAITING else None,
        "experts": desk.experts_for(question),
        "can_assign": question.topic is not None and question.state != Question.State.PENDING_APPROVAL,
        "can_answer": question.asker_id != reader.pk,
        "reasons": [("not_a_question", _("not a question")), ("duplicate", _("duplicate"))],
    }


def _topics(question: Question) -> dict[str, Any]:
    """The topics to choose from: the best guesses first."""
    order = {pk: place for place, pk in enumerate(question.topic_guesses)}
    language = get_language() or "en"
    named = [(topic.pk, topic.name(language)) for topic in Topic.objects.filter(is_active=True)]
    guesses = sorted((pair for pair in named if pair[0] in order), key=lambda pair: order[pair[0]])
    return {"guesses": guesses, "topics": sorted(named, key=lambda pair: pair[1])}


def act(person: Person, question_id: UUID, form: QueryDict) -> str:
    """Do what was pressed; returns the sentence that says so. Raises Refusal."""
    doing = ACTS.get(form.get("act", ""))
    if doing is None:
        raise Invalid(gettext("Choose what is to be done."))
    return doing(person, question_id, form)


def _take(person: Person, pk: UUID, form: QueryDict) -> str:
    return desk_commands.take(person, pk)


def _back(person: Person, pk: UUID, form: QueryDict) -> str:
    return desk_commands.back(person, pk)


def _assign(person: Person, pk: UUID, form: QueryDict) -> str:
    try:
        expert = Person.objects.get(pk=UUID(form.get("expert", "")))
    except (ValueError, Person.DoesNotExist) as error:
        raise Invalid(gettext("Choose an expert.")) from error
    question = desk.assign(person, pk, expert.pk)
    return gettext("%(reference)s goes to %(name)s.") % {"reference": question.reference, "name": expert.name}


def _draft(form: QueryDict) -> answering.Draft:
    note = form.get("internal_note", "")
    return answering.Draft(form.get("text", "").replace("\r\n", "\n"), clock.now(), "desk", note.replace("\r\n", "\n"))


def _answer(person: Person, pk: UUID, form: QueryDict) -> str:
    given = desk.answer(person, pk, _draft(form))
    return words.heard_back_short(given, Question.objects.get(pk=pk))


def _correct(person: Person, pk: UUID, form: QueryDict) -> str:
    return words.heard_back_short(corrections.correct(person, pk, _draft(form)), Question.objects.get(pk=pk))


def _close(person: Person, pk: UUID, form: QueryDict) -> str:
    question = desk.close(person, pk, form.get("reason", ""))
    return gettext("%(reference)s is closed.") % {"reference": question.reference}


ACTS: dict[str, Callable[[Person, UUID, QueryDict], str]] = {
    "take": _take,
    "back": _back,
    "assign": _assign,
    "answer": _answer,
    "correct": _correct,
    "close": _close,
}


# --- the rota --------------------------------------------------------------------------------------------------------


class ShiftForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    class Meta:
        model = DutyShift
        fields = ("person", "starts_at", "ends_at")
        labels: ClassVar = {"person": _("colleague"), "starts_at": _("from"), "ends_at": _("until")}

    def clean(self) -> dict[str, Any] | None:
        given = super().clean() or self.cleaned_data
        if given.get("starts_at") and given.get("ends_at"):
            try:
                desk.check_span(given["starts_at"], given["ends_at"])
            except Refusal as refusal:
                raise ValidationError(refusal.message) from refusal
        return given


class Coming(admin.SimpleListFilter):
    title = _("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("coming", _("now and to come"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DutyShift]) -> QuerySet[DutyShift]:
        return queryset.filter(ends_at__gt=clock.now()) if self.value() == "coming" else queryset


@admin.register(DutyShift)
class DutyShiftAdmin(ModelAdmin):
    """Who of the desk is on duty when. The desk keeps it itself; the rest of the back office looks."""

    form = ShiftForm
    list_display = ("colleague", "begins", "ends", "is_now")
    list_filter = (Coming,)
    list_select_related = ("person",)
    ordering = ("starts_at",)
    list_per_page = 50
    fields: ClassVar = ["person", "starts_at", "ends_at"]

    def _is_desk(self, request: HttpRequest) -> bool:
        return isinstance(request.user, Person) and request.user.is_active and duty.is_desk(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_desk(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_desk(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_desk(request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the icons that add or edit a person: HR does that."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "person":
            field.widget.can_add_related = field.widget.can_change_related = field.widget.can_view_related = False
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "person":
            kwargs["queryset"] = Person.objects.present().filter(roles__contains=[Role.DUTY_DESK])
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: DutyShift, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        duty.rota_changed(obj.starts_at)

    @display(description=_("colleague"), ordering="person__name")
    def colleague(self, shift: DutyShift) -> str:
        return shift.person.name

    @display(description=_("from"), ordering="starts_at")
    def begins(self, shift: DutyShift) -> str:
        return date_format(localtime(shift.starts_at), "D j M H:i")

    @display(description=_("until"), ordering="ends_at")
    def ends(self, shift: DutyShift) -> str:
        return date_format(localtime(shift.ends_at), "D j M H:i")

    @display(description=_("on duty now"), boolean=True)
    def is_now(self, shift: DutyShift) -> bool:
        return shift.starts_at <= clock.now() < shift.ends_at
