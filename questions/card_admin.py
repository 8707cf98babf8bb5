"""Topic cards in the back office: every version, who wrote and who approved it. An edit is a new version."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from backend.errors import Refusal
from people.models import Role
from questions import cards
from questions.models import Topic, TopicCard

TEXTS = ("say_nl", "say_en", "not_to_say_nl", "not_to_say_en")
FIELDS = (*TEXTS, "valid_until")


class CardForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no argument at run time
    class Meta:
        model = TopicCard
        fields = ("topic", *FIELDS)
        widgets: ClassVar = {name: UnfoldAdminTextareaWidget(attrs={"rows": 3}) for name in TEXTS}

    def clean(self) -> Any:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                cards.check(self.texts())
            except Refusal as refusal:
                raise forms.ValidationError(refusal.message) from refusal
        return cleaned

    def texts(self) -> cards.Texts:
        return cards.Texts(**{name: self.cleaned_data[name] for name in FIELDS})


@admin.register(TopicCard)
class TopicCardAdmin(ModelAdmin):
    form = CardForm
    list_display = ("topic", "say_nl", "state", "written_by", "written_at", "approved_by", "valid_until")
    list_filter = ("is_current", "topic")
    list_select_related = ("topic", "written_by", "approved_by")
    ordering = ("topic__slug", "-written_at")
    fields = ("topic", ("say_nl", "say_en"), ("not_to_say_nl", "not_to_say_en"), "valid_until")
    actions = ("approve_selected",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was approved is what was read: add a new version instead."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_role(Role.ADMINISTRATOR))  # type: ignore[union-attr]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new version begins with the words of the one that is shown."""
        slug_or_id = super().get_changeform_initial_data(request).get("topic", "")
        known = TopicCard.objects.filter(is_current=True, topic__slug=slug_or_id).first()
        topic = Topic.objects.filter(slug=slug_or_id).first()
        return {"topic": topic, **({name: getattr(known, name) for name in FIELDS} if known else {})}

    def save_model(self, request: HttpRequest, obj: TopicCard, form: Any, change: bool) -> None:  # noqa: FBT001
        made = cards.write(request.user, obj.topic.slug, form.texts())  # type: ignore[arg-type]
        obj.pk = made.pk

    @display(
        description=_("state"),
        label={"shown": "success", "waits": "warning"},
    )
    def state(self, card: TopicCard) -> tuple[str, str]:
        if card.is_current:
            return "shown", gettext("is shown")
        return ("before", gettext("was shown")) if card.approved_at else ("waits", gettext("not approved"))

    @action(description=_("Approve: this may be said from now on"), permissions=["approve"])
    def approve_selected(self, request: HttpRequest, rows: QuerySet[TopicCard]) -> None:
        for card in rows:
            try:
                approved = cards.approve(request.user, card.pk)  # type: ignore[arg-type]
            except Refusal as refusal:
                self.message_user(request, f"{card}: {refusal.message}", messages.ERROR)
            else:
                self.log_change(request, approved, "approve")
                told = gettext("The card of %(topic)s is shown now.") % {"topic": approved.topic}
                self.message_user(request, told, messages.SUCCESS)
