"""The back office of rewards: shops with their keys, campaigns with their budgets, offers, rules.

Administrators edit what can be given away. Nothing here edits the books: money comes in by `ledger.fund`, and a gift
moves by the named moves of `gifts` and `review`.
"""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
)

from backend import clock
from backend.ids import uuid7
from backend.retry import until_done
from notifications.admin import LookOnly
from people.models import Language, Role, Team
from rewards import ledger, review, words
from rewards.models import (
    Account,
    Allowance,
    BadgeRule,
    Campaign,
    DiscountRule,
    EarningRule,
    Gift,
    LateConflict,
    Offer,
    Shop,
    ShopKey,
    Transfer,
)
from rewards.review_admin import may_review


class ShopKeyInline(TabularInline):
    """Keys are made by an action and shown once; here they are named, narrowed and revoked."""

    model = ShopKey
    fields = ("label", "scopes", "created_at", "revoked_at")
    readonly_fields = ("created_at",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Shop)
class ShopAdmin(ModelAdmin):
    list_display = ("name", "is_active")
    fields = ("name", "is_active")
    search_fields = ("name",)
    inlines = (ShopKeyInline,)
    actions = ("new_key",)

    def save_model(self, request: HttpRequest, obj: Shop, form: Any, change: bool) -> None:
        if not change:
            obj.account = ledger.open_account(Account.Kind.SHOP)
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Make a new key for the tills"), permissions=["change"])
    def new_key(self, request: HttpRequest, shops: QuerySet[Shop]) -> None:
        for shop in shops:
            key = ShopKey.issue(shop, label=f"{clock.real():%Y-%m-%d}")
            text = _now("%(shop)s: %(key)s. Copy it now: it is shown this once.") % {"shop": shop.name, "key": key}
            messages.warning(request, text)


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    add_cents = forms.IntegerField(
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        label=_("add to the budget, in cents"),
        help_text=_("Below zero takes back what is not committed to a gift."),
    )

    class Meta:
        model = Campaign
        fields: ClassVar = [
            *("name", "starts_on", "ends_on", "gifts_max", "gifts_per_giver_max", "gifts_per_team_max", "is_active"),
        ]

    def clean_add_cents(self) -> int:
        cents = self.cleaned_data["add_cents"] or 0
        left = (Account.objects.get(pk=self.instance.budget_id).balance or 0) if self.instance.budget_id else 0
        if left + cents < 0:
            raise forms.ValidationError(_now("The budget has less than that left."))
        return int(cents)


class Limited(ModelAdmin):
    """Setting a limit counts the gifts anew, among hand-outs that count too: what loses against one is done again."""

    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return until_done(super().changeform_view, *args, **kwargs)


@admin.register(Campaign)
class CampaignAdmin(Limited):
    form = CampaignForm
    list_display = ("name", "starts_on", "ends_on", "left", "is_active")
    list_select_related = ("budget",)

    @display(description=_("left to give"))
    def left(self, campaign: Campaign) -> str:
        return words.money(campaign.budget.balance or 0, "nl")

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        if not change:
            obj.budget = ledger.open_account(Account.Kind.BUDGET)
        super().save_model(request, obj, form, change)
        if form.cleaned_data.get("add_cents"):
            ledger.fund(obj.budget, form.cleaned_data["add_cents"], key=uuid7())


class OfferForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    """For whom it is, ticked instead of typed."""

    audience_roles = forms.MultipleChoiceField(
        choices=Role, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget, label=_("for these roles")
    )
    audience_team_ids = forms.ModelMultipleChoiceField(
        Team.objects.order_by("name"), required=False, widget=UnfoldAdminSelectMultipleWidget, label=_("for these teams")
    )
    audience_languages = forms.MultipleChoiceField(
        choices=Language, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget, label=_("for these languages")
    )

    def clean_audience_team_ids(self) -> list[int]:
        return [team.pk for team in self.cleaned_data["audience_team_ids"]]


@admin.register(Offer)
class OfferAdmin(Limited):
    form = OfferForm
    list_display = ("slug", "title_nl", "kind", "price_credits", "campaign", "is_active")
    list_filter = ("kind", "is_active", "campaign")
    list_select_related = ("campaign",)
    search_fields = ("slug", "title_nl", "title_en")
    filter_horizontal = ("shops",)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **more: Any) -> Any:
        if db_field.name == "picture_url":
            more["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **more)


@admin.register(EarningRule)
class EarningRuleAdmin(ModelAdmin):
    list_display = ("kind", "name_nl", "credits", "per_day_max", "per_month_max", "per_pair_month_max", "is_active")


@admin.register(BadgeRule)
class BadgeRuleAdmin(ModelAdmin):
    list_display = ("slug", "name_nl", "kind", "count", "is_active")
    list_filter = ("kind", "is_active")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Switched off, not deleted: people have it."""
        return False


@admin.register(Allowance)
class AllowanceAdmin(ModelAdmin):
    list_display = ("starts_on", "credits")


@admin.register(DiscountRule)
class DiscountRuleAdmin(ModelAdmin):
    """A new year's rule is a new row: what an earlier year was held against stays."""

    list_display = ("valid_from", "percentage", "yearly_cap_cents")


@admin.register(Gift)
class GiftAdmin(LookOnly):
    list_display = ("id", "giver", "offer", "state", "frozen_at", "handed_out_at", "ends_at")
    list_filter = ("state", ("frozen_at", admin.EmptyFieldListFilter), "campaign")
    list_select_related = ("giver", "offer")
    search_fields = ("giver__name",)
    exclude = ("secret_digest", "code_digest", "recipient_digest")
    actions = ("put_on_review_list",)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return may_review(request.user)

    @admin.action(description=_("Put on the review list"), permissions=["review"])
    def put_on_review_list(self, request: HttpRequest, rows: QuerySet[Gift]) -> HttpResponse:
        """What to do about them is decided, with a reason, on the finding's own page."""
        person: Any = request.user
        ids = list(rows.values_list("pk", flat=True))
        item = review.put_on_list(ids, person, reason=_now("Chosen from the list of gifts."))
        return redirect("admin:rewards_reviewitem_change", item.pk)


@admin.register(LateConflict)
class LateConflictAdmin(LookOnly):
    """Sales that tills made offline and that could not be booked: to be settled with the shop."""

    list_display = ("reported_at", "shop", "receipt", "amount_cents", "reason", "sold_at")
    list_filter = ("shop", "reason")
    list_select_related = ("shop",)
    exclude = ("code_digest",)


@admin.register(Transfer)
class TransferAdmin(LookOnly):
    list_display = ("created_at", "amount", "unit", "reason", "subject")
    list_filter = ("reason", "unit")
    search_fields = ("subject", "=key")
    show_full_result_count = False
