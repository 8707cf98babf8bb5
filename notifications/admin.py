"""The back office: what was told to whom, how it travelled, and what came in and waits for a person.

All of it is the product's own record: people look. What the messages say is read by the duty desk alone, and a secret
(a sign-in code) by nobody.
"""

from typing import Any, ClassVar
from urllib.parse import parse_qsl
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from backend import clock
from backend.ring import ring
from notifications import timeline
from notifications.models import (
    Channel,
    ChannelTrouble,
    Delivery,
    DeliveryEvent,
    Device,
    InboundMessage,
    Notification,
    SmsSpending,
    StopRecord,
)

RAW_CHARACTERS = 20_000
HIDDEN = _("Only the duty desk reads what messages say.")
SECRET = _("A secret: never shown.")
WIPED = _("Removed: messages are kept for 90 days.")


def reads_words(person: Any) -> bool:
    """What people wrote may hold numbers and addresses; the rest of the back office does without."""
    return bool(person.has_role("duty_desk"))


def as_written(text: str) -> SafeString:
    """Text from anywhere, escaped, with its line breaks."""
    clean = "".join(char for char in text if char in "\n\t" or char.isprintable())
    return format_html('<div style="white-space:pre-wrap;overflow-wrap:anywhere">{}</div>', clean)


def as_table(lines: list[timeline.Line]) -> SafeString:
    """When, on which channel, what; in the product's own zone."""
    cells = [(localtime(line.at).strftime("%d-%m-%Y %H:%M:%S"), line.channel, line.text) for line in lines]
    one = '<tr><td style="white-space:nowrap">{}</td><td style="padding:0 16px">{}</td><td>{}</td></tr>'
    return format_html("<table>{}</table>", format_html_join("", one, cells))


class LookOnly(ModelAdmin):
    """Rows that the product writes: seen by the back office, changed by nobody's hand, an administrator's neither."""

    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Notification)
class NotificationAdmin(LookOnly):
    """Filter on `exhausted` for the people nobody could reach."""

    list_display = ("title", "person", "event", "shown_state", "is_urgent", "created_at", "read_at")
    list_filter = ("state", "is_urgent")
    list_select_related = ("person",)
    search_fields = ("title", "person__name", "event", "subject_key")
    ordering = ("-created_at",)
    facts = ("person", "event", "subject_key", "key", "state", "is_urgent", "language", "created_at", "read_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        rows: QuerySet[Notification] = super().get_queryset(request).defer("body")
        return rows

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        words = ("title", "shown_body", "shown_sms") if reads_words(request.user) else ("hidden",)
        return (
            (None, {"fields": self.facts}),
            (_("Timeline"), {"fields": ("shown_timeline",)}),
            (_("Words"), {"fields": words}),
        )

    @display(description=_("timeline"))
    def shown_timeline(self, row: Notification) -> SafeString:
        return as_table(timeline.of_notification(row))

    @display(
        description=_("state"),
        ordering="state",
        label={"planned": "info", "waiting": "info", "acted": "success", "exhausted": "danger"},
    )
    def shown_state(self, row: Notification) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("mail and inbox"))
    def shown_body(self, row: Notification) -> SafeString:
        return as_written(row.body)

    @display(description=_("SMS"))
    def shown_sms(self, row: Notification) -> SafeString:
        return as_written(row.sms_text)

    @display(description=_("words"))
    def hidden(self, row: Notification) -> str:
        return str(HIDDEN)


class Trouble(admin.SimpleListFilter):
    """What did not arrive, or may not have."""

    title = _("trouble")
    parameter_name = "trouble"
    STATES: ClassVar = ("unknown", "undelivered", "failed", "expired")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("yes", _("not delivered or unknown")),
            ("was_unknown", _("outcome was unknown once")),
            ("polled", _("receipt had to be asked for")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        kind = {"was_unknown": DeliveryEvent.Kind.UNKNOWN, "polled": DeliveryEvent.Kind.POLLED}.get(self.value() or "")
        if kind:
            return queryset.filter(pk__in=DeliveryEvent.objects.filter(kind=kind).values("delivery"))
        return queryset.filter(state__in=self.STATES) if self.value() == "yes" else queryset


class SpentBy(admin.SimpleListFilter):
    title = _("whose")
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("total", _("in all")), ("person", _("each person's"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SmsSpending]) -> QuerySet[SmsSpending]:
        return queryset.filter(scope__startswith=f"{self.value()}:") if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(LookOnly):
    """Every message that was to leave. Links and reply keys open doors, so they are not shown at all."""

    list_display = ("to", "channel", "shown_state", "attempts", "due_at", "sent_at", "finished_at", "error")
    list_filter = (Trouble, "state", "channel")
    search_fields = ("to", "provider_id", "key")
    ordering = ("-created_at",)
    facts = (
        *("channel", "to", "person", "notification", "key", "state", "attempts", "error", "provider_id"),
        *("created_at", "due_at", "attempted_at", "lease_until", "sent_at", "finished_at", "expires_at", "language"),
        *("held_until", "bundle", "segments"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request).defer("body")
        return rows

    def get_fieldsets(self, request: HttpRequest, obj: Delivery | None = None) -> Any:
        words = ("shown_subject", "shown_body") if reads_words(request.user) else ("hidden",)
        if obj is not None and obj.is_secret:
            words = ("secret",)
        return (
            (None, {"fields": self.facts}),
            (_("Timeline"), {"fields": ("shown_timeline",)}),
            (_("Words"), {"fields": words}),
        )

    @display(description=_("timeline"))
    def shown_timeline(self, row: Delivery) -> SafeString:
        return as_table(timeline.of_delivery(row))

    @display(
        description=_("state"),
        ordering="state",
        label={
            **dict.fromkeys(("due", "leased", "sent"), "info"),
            **dict.fromkeys(("unknown", "suppressed"), "warning"),
            **dict.fromkeys(("undelivered", "failed", "expired"), "danger"),
            "delivered": "success",
            **dict.fromkeys(("cancelled", "bundled"), ""),
        },
    )
    def shown_state(self, row: Delivery) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("subject"))
    def shown_subject(self, row: Delivery) -> str:
        return row.subject

    @display(description=_("text"))
    def shown_body(self, row: Delivery) -> SafeString:
        return as_written(row.body)

    @display(description=_("words"))
    def hidden(self, row: Delivery) -> str:
        return str(HIDDEN)

    @display(description=_("words"))
    def secret(self, row: Delivery) -> str:
        return str(SECRET)


@admin.register(StopRecord)
class StopRecordAdmin(LookOnly):
    """The ledger of STOP and START. `under way`: what had been handed on at that moment and may have arrived after it."""

    list_display = ("at", "word", "address", "channel", "source", "starts", "under_way")
    list_filter = ("starts", "source", "channel")
    search_fields = ("address",)
    ordering = ("-at",)
    fields = (*list_display, "person_id")


@admin.register(SmsSpending)
class SmsSpendingAdmin(LookOnly):
    """What SMS cost, in segments: in all, and of each person a day and a month."""

    list_display = ("scope", "segments", "ends_on", "alerted_at")
    list_filter = (SpentBy,)
    search_fields = ("scope",)
    ordering = ("-ends_on", "-segments")
    fields = list_display


@admin.register(Device)
class DeviceAdmin(LookOnly):
    """Who gets pushes. Firebase's address of a phone opens nothing here and is not shown."""

    list_display = ("person", "platform", "app_version", "locale", "last_seen_at", "dead_at")
    list_filter = ("platform", ("dead_at", admin.EmptyFieldListFilter))
    list_select_related = ("person",)
    search_fields = ("person__name",)
    ordering = ("-last_seen_at",)
    fields = (*list_display, "kind", "created_at")


@admin.register(ChannelTrouble)
class ChannelTroubleAdmin(LookOnly):
    """What an operator must mend: our key, our project, a provider that calls everybody dead."""

    list_display = ("key", "channel", "reason", "count", "first_at", "last_at", "blocked_until")
    list_filter = ("channel",)
    ordering = ("-last_at",)
    fields = list_display


def readable_raw(message: InboundMessage) -> str:
    """What came in, as text: a mail with its headers, or the fields of the provider's call. Rubbish becomes �."""
    raw = bytes(message.raw)
    if not raw:
        return str(WIPED)
    text = raw[: RAW_CHARACTERS * 4].decode("utf-8", "replace")
    if message.channel == Channel.SMS:
        text = "\n".join(f"{name}: {value}" for name, value in parse_qsl(text, keep_blank_values=True))
    shown = text.replace("\r\n", "\n")[:RAW_CHARACTERS]
    return shown if len(raw) <= len(shown.encode()) * 2 else f"{shown}\n[… {len(raw)} bytes]"


def handle_again(message_id: UUID) -> bool:
    """A quarantined message goes back to the start, with all its tries. False when it is not quarantined, or wiped.

    It keeps the time it came in: a promise that it starts counts from then.
    """
    moved = (
        InboundMessage.objects.filter(pk=message_id, state=InboundMessage.State.QUARANTINED)
        .exclude(raw=b"")
        .update(state=InboundMessage.State.RECEIVED, attempts=0, due_at=clock.now(), reason="", handled_at=None)
    )
    if moved:
        ring("notifications.tasks.handle_inbound", str(message_id))
    return bool(moved)


@admin.register(InboundMessage)
class InboundMessageAdmin(LookOnly):
    """What came in. The state `quarantined` is the quarantine: nobody's message, or one that broke five times."""

    list_display = ("sender", "recipient", "channel", "shown_state", "reason", "received_at", "person")
    list_filter = ("state", "channel")
    list_select_related = ("person",)
    search_fields = ("sender", "recipient", "reason", "provider_id")
    ordering = ("-received_at",)
    actions: ClassVar = ["handle_selected_again"]
    change_form_outer_before_template = "admin/notifications/handle_again.html"
    facts = (
        *("channel", "sender", "recipient", "person", "received_at", "state", "reason"),
        *("attempts", "due_at", "handled_at", "provider_id"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMessage]:
        rows: QuerySet[InboundMessage] = super().get_queryset(request).defer("raw", "text")
        return rows

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        words = ("shown_text", "attachments", "shown_raw") if reads_words(request.user) else ("hidden",)
        return ((None, {"fields": self.facts}), (_("Words"), {"fields": words}))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.handle_one_again)
        name = "notifications_inboundmessage_handle_again"
        return [path("<uuid:message_id>/handle-again/", view, name=name), *super().get_urls()]

    def has_handle_again_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_role("duty_desk", "administrator"))  # type: ignore[union-attr]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        may = {"may_handle_again": self.has_handle_again_permission(request)}
        return super().change_view(request, object_id, form_url, {**may, **(extra_context or {})})

    def handle_one_again(self, request: HttpRequest, message_id: UUID) -> HttpResponse:
        """The button on the message's page. Opening shows, pressing acts: a GET does nothing."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_handle_again_permission(request):
            return HttpResponse(status=403)
        self._handle_again(request, [message_id])
        return redirect("admin:notifications_inboundmessage_change", message_id)

    @action(description=_("Handle again"), permissions=["handle_again"])
    def handle_selected_again(self, request: HttpRequest, rows: QuerySet[InboundMessage]) -> None:
        self._handle_again(request, list(rows.values_list("pk", flat=True)))

    def _handle_again(self, request: HttpRequest, ids: list[UUID]) -> None:
        moved = [pk for pk in ids if handle_again(pk)]
        for row in InboundMessage.objects.filter(pk__in=moved).defer("raw", "text"):
            self.log_change(request, row, "handle again")
        if moved:
            text = ngettext("%(n)s message is handled again.", "%(n)s messages are handled again.", len(moved))
            self.message_user(request, text % {"n": len(moved)}, messages.SUCCESS)
        left = len(ids) - len(moved)
        if left:
            text = ngettext(
                "%(n)s message cannot be handled again: it is not in quarantine, or its content has been removed.",
                "%(n)s messages cannot be handled again: not in quarantine, or their content has been removed.",
                left,
            )
            self.message_user(request, text % {"n": left}, messages.WARNING)

    @display(
        description=_("state"),
        ordering="state",
        label={"received": "info", "handled": "success", "held": "info", "quarantined": "warning", "refused": "danger"},
    )
    def shown_state(self, row: InboundMessage) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("text"))
    def shown_text(self, row: InboundMessage) -> SafeString:
        return as_written(row.text)

    @display(description=_("as it came in"))
    def shown_raw(self, row: InboundMessage) -> SafeString:
        return as_written(readable_raw(row))

    @display(description=_("words"))
    def hidden(self, row: InboundMessage) -> str:
        return str(HIDDEN)
