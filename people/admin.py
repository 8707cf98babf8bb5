"""The back office's pages about people. HR's file is the truth; here one looks, and mends what cannot wait for it."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from notifications import stops
from people import joining, lifecycle, sessions
from people.models import Absence, AccessToken, GroundRules, Person, Role, Team, WorkingHours

JOIN_CODES_AT_ONCE = 50


class WorkingHoursInline(TabularInline):
    model = WorkingHours
    extra = 0


class AbsenceInline(TabularInline):
    model = Absence
    fk_name = "person"
    extra = 0
    autocomplete_fields: ClassVar = ["stand_in"]


class RoleFilter(admin.SimpleListFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in Role.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> QuerySet[Person]:
        return queryset.filter(roles__contains=[self.value()]) if self.value() else queryset


class ReachFilter(admin.SimpleListFilter):
    """After STOP, without work mail and without the app nothing gets there: HR or the desk must speak to them."""

    title = _("reach")
    parameter_name = "reach"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", str(_("out of reach")))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> QuerySet[Person]:
        here = Person.objects.present().values("pk")
        return stops.unreachable(queryset.filter(pk__in=here)) if self.value() == "none" else queryset


@admin.register(Person)
class PersonAdmin(ModelAdmin):
    list_display = ("name", "employee_number", "team", "email", "mobile", "language", "left_on")
    list_filter = (RoleFilter, ReachFilter, "team", "language")
    list_select_related = ("team",)
    search_fields = ("name", "employee_number", "email", "mobile")
    exclude = ("password", "last_login")
    readonly_fields = ("shows_contact", "shows_badges")  # theirs to choose
    inlines = (WorkingHoursInline, AbsenceInline)
    list_per_page = 50
    actions: ClassVar = ["make_join_code"]

    @admin.action(description=_("Make a join code"), permissions=["change"])
    def make_join_code(self, request: HttpRequest, queryset: QuerySet[Person]) -> None:
        """Shown once, for HR to hand over: whoever texts it has shown whose phone that is."""
        for person in queryset[:JOIN_CODES_AT_ONCE]:
            code = joining.make_code(person)
            text = _("%(name)s: JOIN %(code)s, to be texted to %(number)s within 30 days. It is not shown again.")
            self.message_user(request, text % {"name": person.name, "code": code, "number": settings.SMS_FROM})

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the person, their hours and absences are saved: gone, back, or something in between."""
        super().save_related(request, form, formsets, change)
        person: Person = form.instance
        lifecycle.changed(person)
        for absence_id in person.absences.filter(begun_at__isnull=True).values_list("pk", flat=True):
            lifecycle.begin_absence(absence_id)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """An absence that is moved begins, and ends, once more."""
        super().save_formset(request, form, formset, change)
        moved = [row.pk for row, _fields in formset.changed_objects if isinstance(row, Absence)]
        Absence.objects.filter(pk__in=moved).update(begun_at=None, over_at=None)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        """People leave (`left_on`); what they did stays."""
        return False


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    search_fields = ("name",)


@admin.register(AccessToken)
class AccessTokenAdmin(ModelAdmin):
    """Who is signed in where. Nothing here can be used to sign in."""

    list_display = ("person", "created_at", "expires_at", "revoked_at", "user_agent")
    list_select_related = ("person",)
    search_fields = ("person__name", "person__employee_number")
    exclude = ("digest",)
    actions: ClassVar = ["revoke"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        return False

    @admin.action(description=_("Sign out"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> None:
        if request.user.is_superuser:
            for token in queryset.filter(revoked_at__isnull=True):
                sessions.sign_out(str(token.pk))


@admin.register(GroundRules)
class GroundRulesAdmin(ModelAdmin):
    list_display = ("version", "published_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What somebody has said that they read stays as it was."""
        read = obj is not None and obj.acceptances.exists()
        return not read and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
