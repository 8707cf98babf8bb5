"""The back office: how much everybody may hold. What they hold is counted, not edited."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from questions import experts
from questions.models import Workload

CAPACITY_MAX = 50


class WorkloadForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    capacity = forms.IntegerField(min_value=0, max_value=CAPACITY_MAX)

    class Meta:
        model = Workload
        fields = ("capacity",)


@admin.register(Workload)
class WorkloadAdmin(ModelAdmin):
    """More takes effect at once, less as places become free."""

    form = WorkloadForm
    list_display = ("person", "open_count", "capacity", "lower_to")
    list_select_related = ("person",)
    search_fields = ("person__name", "person__employee_number")
    ordering: ClassVar = ["person__name"]
    readonly_fields = ("person", "open_count", "lower_to")

    def save_model(self, request: HttpRequest, obj: Workload, form: Any, change: bool) -> None:
        experts.set_capacity(obj.person, form.cleaned_data["capacity"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Workload | None = None) -> bool:
        return False
