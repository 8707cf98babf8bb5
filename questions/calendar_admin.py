"""The company's calendars in the back office: opening times as people write them, closures, holidays.

A change reaches the promises that run. A calendar under which a promise would never be due is refused.
"""

import re
from datetime import timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import holidays
from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from backend import clock
from backend.ring import ring
from people.models import check_time_zone
from questions import calendars
from questions.calendars import DAY_MINUTES, Policy, Week
from questions.models import Calendar, CalendarSlot, Closure

WEEKDAYS = list(
    enumerate((_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")))
)
CLOCK_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def follow() -> None:
    """Running promises follow what has just been saved."""
    ring("questions.tasks.adopt_policies")


def refuse_never_due(week: Week, hours: int) -> None:
    """Raises ValidationError when a promise of so many working hours would not be due within a year or so."""
    try:
        calendars.due_at(Policy(timedelta(hours=hours), week), clock.now())
    except ValueError as error:
        sentence = _now("With these opening times a promise of %(hours)s working hours would never be due.")
        raise forms.ValidationError(sentence % {"hours": hours}) from error


class ClockTimeField(forms.CharField):
    """`HH:MM`, also 24:00; in minutes from midnight."""

    widget = UnfoldAdminTextInputWidget

    def to_python(self, value: Any) -> Any:
        found = CLOCK_TIME.fullmatch((super().to_python(value) or "").strip())
        minutes = int(found[1]) * 60 + int(found[2]) if found else DAY_MINUTES + 1
        if minutes > DAY_MINUTES:
            raise forms.ValidationError(_now("Write a time as 09:00, up to 24:00."))
        return minutes


def clock_time(minutes: int) -> str:
    hours, rest = divmod(minutes if minutes <= DAY_MINUTES else minutes - DAY_MINUTES, 60)
    return f"{hours:02}:{rest:02}"


class SlotForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    """One opening time; one that closes before it opens runs into the next day."""

    weekday = forms.TypedChoiceField(choices=WEEKDAYS, coerce=int, widget=UnfoldAdminSelectWidget, label=_("day"))
    opens = ClockTimeField(label=_("opens"))
    closes = ClockTimeField(label=_("closes"))

    class Meta:
        model = CalendarSlot
        fields = ("weekday",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["opens"] = clock_time(self.instance.starts_minute)
            self.initial["closes"] = clock_time(self.instance.ends_minute)

    def clean(self) -> Any:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if {"opens", "closes"} <= cleaned.keys():
            opens, closes = cleaned["opens"] % DAY_MINUTES, cleaned["closes"]
            self.instance.starts_minute = opens
            self.instance.ends_minute = closes if closes > opens else closes + DAY_MINUTES
        return cleaned


class SlotInline(TabularInline):
    model = CalendarSlot
    form = SlotForm
    fields = ("weekday", "opens", "closes")
    extra = 0
    verbose_name_plural = _("opening times")


class ClosureFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The last of the page's forms: it sees the calendar as it would be."""

    opening_times: Any = None  # the other formset of the page

    def clean(self) -> None:
        super().clean()
        calendar = self.instance
        slots = kept(self.opening_times)
        if any(self.errors) or slots is None:
            return
        week = Week(
            ZoneInfo(calendar.time_zone),
            tuple((slot.weekday, slot.starts_minute, slot.ends_minute) for slot in slots),
            closed=tuple((closure.first_day, closure.last_day) for closure in kept(self) or ()),
            country=calendar.country,
            subdivision=calendar.subdivision,
        )
        hours = calendar.topics.values_list("promise_hours", flat=True) if calendar.pk else []
        refuse_never_due(week, max(hours, default=1))


def kept(formset: Any) -> list[Any] | None:
    """The rows that the page leaves; None when something of them is wrong."""
    if any(formset.errors):
        return None
    gone = set(formset.deleted_forms)
    return [form.instance for form in formset.forms if form not in gone and (form.instance.pk or form.has_changed())]


class ClosureInline(TabularInline):
    model = Closure
    formset = ClosureFormSet
    extra = 0
    verbose_name_plural = _("closed days")


class CalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    time_zone = forms.CharField(
        max_length=40, validators=[check_time_zone], widget=UnfoldAdminTextInputWidget, label=_("time zone")
    )  # checked here and not only by the model: the closed days below are judged in it

    class Meta:
        model = Calendar
        fields = ("name", "time_zone", "country", "subdivision")

    def clean(self) -> Any:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        country = cleaned["country"] = cleaned.get("country", "").upper()
        subdivision = cleaned.get("subdivision", "")
        known = holidays.list_supported_countries()
        if country and country not in known:
            self.add_error("country", _now("The national holidays of %(country)s are not known.") % {"country": country})
        elif subdivision and subdivision not in known.get(country, ()):
            self.add_error("subdivision", _now("%(country)s has no %(part)s.") % {"country": country, "part": subdivision})
        return cleaned


@admin.register(Calendar)
class CalendarAdmin(ModelAdmin):
    form = CalendarForm
    list_display = ("name", "time_zone", "country")
    search_fields = ("name",)
    inlines = (SlotInline, ClosureInline)
    fieldsets: ClassVar = [(None, {"fields": ("name", ("time_zone", "country", "subdivision"))})]

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> Any:  # noqa: FBT001 — Django's signature
        formsets, instances = super()._create_formsets(request, obj, change)
        slots, closures = formsets
        closures.opening_times = slots
        return formsets, instances

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)
        follow()
