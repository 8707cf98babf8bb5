"""The register of what people carry by hand, in the back office: a list, what it comes to, and a file."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from backend import clock
from notifications.admin import LookOnly
from questions import handoffs
from questions.models import Event, HandOff
from rewards.spreadsheet import download


class KindFilter(admin.SimpleListFilter):
    title = _("by hand")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, handoffs.label(kind)) for kind in handoffs.LABELS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(HandOff)
class HandOffAdmin(LookOnly):
    """Each row: what a person had to do, for which question, and how long it had waited for them. Not who."""

    list_display = ("at", "by_hand", "question", "topic", "minutes")
    list_display_links = None
    list_filter = (KindFilter, ("at", admin.DateFieldListFilter))
    search_fields = ("question__reference",)
    ordering = ("-at",)
    show_full_result_count = False
    list_after_template = "admin/questions/hand_offs.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        ids = handoffs.register().values("pk")
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(pk__in=ids).select_related("question__topic")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.as_csv)
        return [path("csv/", view, name="questions_handoff_csv"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None)
        if shown and "cl" in shown:
            ids = shown["cl"].queryset.order_by().values("pk")
            shown["summary"] = handoffs.summary(Event.objects.filter(pk__in=ids))
        return response

    def as_csv(self, request: HttpRequest) -> Any:
        """The whole register, or a year of it: `?year=2026`."""
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        year = request.GET.get("year", "")
        rows = handoffs.register()
        if year.isascii() and year.isdecimal() and len(year) == 4:
            rows = rows.filter(at__year=int(year))
        return download(handoffs.as_report(rows.filter(at__lte=clock.now())), "csv")

    @display(description=_("by hand"), ordering="kind")
    def by_hand(self, row: Event) -> str:
        return handoffs.label(row.kind)

    @display(description=_("topic"))
    def topic(self, row: Event) -> str:
        return row.question.topic.slug if row.question.topic else "–"

    @display(description=_("minutes waited"))
    def minutes(self, row: Event) -> int:
        return int(row.data["minutes"])
