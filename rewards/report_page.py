"""The reports in the back office: choose one, get a file. Opening and downloading change nothing."""

from typing import Any, TypeAlias

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from backend import clock
from backend.errors import Refusal
from rewards import days, reports
from rewards.models import Campaign
from rewards.reports_api import may_read
from rewards.spreadsheet import download

Response: TypeAlias = HttpResponse | StreamingHttpResponse
CAMPAIGN, DISCOUNTS, LAPSED = "campaign", "employee_discounts", "lapsed"


class ReportForm(forms.Form):
    """Which report, of what, in which format."""

    report = forms.ChoiceField(
        label=_("report"),
        choices=(
            (CAMPAIGN, _("A campaign: issued, held, redeemed, lapsed, cost")),
            (DISCOUNTS, _("Employees' discounts of a calendar year (tax)")),
            (LAPSED, _("What lapsed in a calendar year")),
        ),
        widget=UnfoldAdminSelectWidget,
    )
    campaign = forms.ModelChoiceField(
        Campaign.objects.order_by("-starts_on", "name"),
        label=_("campaign"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    year = forms.IntegerField(
        label=_("calendar year"),
        min_value=reports.YEARS.start,
        max_value=reports.YEARS.stop - 1,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    format = forms.ChoiceField(
        label=_("file"), choices=(("xlsx", "Excel (xlsx)"), ("csv", "CSV")), widget=UnfoldAdminSelectWidget
    )

    def clean(self) -> dict[str, Any]:
        chosen = super().clean() or self.cleaned_data
        needed = "campaign" if chosen.get("report") == CAMPAIGN else "year"
        if not chosen.get(needed) and needed not in self.errors:
            self.add_error(needed, _("Choose one."))
        return chosen

    def read(self) -> reports.Report:
        """Raises Refusal."""
        chosen = self.cleaned_data
        if chosen["report"] == CAMPAIGN:
            return reports.campaign(chosen["campaign"].pk)
        if chosen["report"] == DISCOUNTS:
            return reports.employee_discounts(chosen["year"], (get_language() or "nl")[:2])
        return reports.lapsed(chosen["year"])


@require_safe
def report_page(request: HttpRequest) -> Response:
    """The form; with a choice, the file. Raises PermissionDenied for the desk."""
    if not may_read(request.user):
        raise PermissionDenied
    form = ReportForm(request.GET if "report" in request.GET else None)
    form.fields["year"].initial = days.day_of(clock.now()).year
    if form.is_valid():
        try:
            return download(form.read(), form.cleaned_data["format"])
        except Refusal as refusal:
            form.add_error(None, refusal.message)
    context = {**admin.site.each_context(request), "title": _("Reports"), "form": form}
    return render(request, "admin/rewards/reports.html", context, status=400 if form.errors else 200)
