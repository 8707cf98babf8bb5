"""The programme manager's page of findings. Opening shows, pressing acts; what to do is decided in `review`."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from backend.errors import Refusal
from notifications.admin import LookOnly
from people.models import Role
from rewards import ledger, review, words
from rewards.models import Gift, Kudos, ReviewAct, ReviewItem

ACTS = {"freeze": review.freeze, "release": review.release, "reverse": review.reverse}
GIFTS_SHOWN = 100
VERSION_DIGITS = 10
# The names in the order of the sentence, with the row itself.
NAMES = """ARRAY(SELECT p.name FROM unnest(rewards_reviewitem.people) WITH ORDINALITY one (id, place)
                 JOIN people_person p ON p.id = one.id ORDER BY one.place)"""


def may_review(person: Any) -> bool:
    """Findings are about people: the duty desk does without."""
    return bool(person.is_active and person.has_role(Role.PROGRAMME_MANAGER, Role.ADMINISTRATOR))


class ReviewActInline(TabularInline):
    model = ReviewAct
    fields = ("at", "actor", "act", "reason", "left_alone_count")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_review(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewAct]:
        rows: QuerySet[ReviewAct] = super().get_queryset(request).select_related("actor")
        return rows

    @display(description=_("were over already"))
    def left_alone_count(self, row: ReviewAct) -> int:
        return len(row.left_alone)


@admin.register(ReviewItem)
class ReviewItemAdmin(LookOnly):
    """What looks odd, with the reason. The state `open` is the list to go through."""

    list_display = ("found_at", "why", "shown_state", "gift_count")
    list_filter = ("state", "reason")
    ordering = ("-found_at", "-id")
    fields = ("why", "reason", "state", "found_at", "shown_gifts", "shown_kudos")
    readonly_fields = fields
    inlines = (ReviewActInline,)
    change_form_outer_before_template = "admin/rewards/review_acts.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewItem]:
        rows: QuerySet[ReviewItem] = super().get_queryset(request).annotate(names=RawSQL(NAMES, []))  # noqa: S611
        return rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_review(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_review(request.user)

    @display(description=_("why"))
    def why(self, row: ReviewItem) -> str:
        return words.suspicion(row.reason, row.names, row.numbers)  # type: ignore[attr-defined]  # annotated

    @display(
        description=_("state"),
        ordering="state",
        label={"open": "warning", "frozen": "danger", "released": "success", "reversed": "info"},
    )
    def shown_state(self, row: ReviewItem) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("gifts"))
    def gift_count(self, row: ReviewItem) -> int:
        return len(row.gifts)

    @display(description=_("gifts"))
    def shown_gifts(self, row: ReviewItem) -> SafeString | str:
        found = Gift.objects.select_related("giver", "offer").filter(pk__in=row.gifts).order_by("handed_out_at")
        lines = [
            (
                reverse("admin:rewards_gift_change", args=[gift.pk]),
                f"{gift.handed_out_at:%Y-%m-%d} {gift.giver} {gift.offer} {gift.get_state_display()}",
            )
            for gift in found[:GIFTS_SHOWN]
        ]
        return format_html_join("", '<div><a href="{}" class="underline">{}</a></div>', lines) or "-"

    @display(description=_("kudos"))
    def shown_kudos(self, row: ReviewItem) -> SafeString | str:
        """Who, whom, when and how much; the note is theirs."""
        found = Kudos.objects.select_related("giver", "receiver").filter(pk__in=row.kudos).order_by("created_at")
        lines = [(f"{made.created_at:%Y-%m-%d} {made.giver} → {made.receiver}: {made.credits}",) for made in found]
        return format_html_join("", "<div>{}</div>", lines[:GIFTS_SHOWN]) or "-"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act)
        return [path("<int:item_id>/act/", view, name="rewards_reviewitem_act"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        more = {"may_review": may_review(request.user), "undecided": list(ReviewItem.UNDECIDED)}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def act(self, request: HttpRequest, item_id: int) -> HttpResponse:
        """The three buttons."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not may_review(request.user):
            return HttpResponse(status=403)
        do, version = ACTS.get(request.POST.get("act", "")), request.POST.get("version", "")
        if do is None or not (version.isascii() and version.isdecimal() and len(version) < VERSION_DIGITS):
            return HttpResponse(status=400)
        person: Any = request.user
        why = request.POST.get("why", "").replace("\x00", "")
        try:
            ledger.retried(lambda: do(item_id, person, reason=why, version=int(version)))
        except Refusal as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, _now("Done."))
        return redirect("admin:rewards_reviewitem_change", item_id)
