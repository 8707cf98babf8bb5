from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import guide, mail_webhooks, reply_targets, silent  # noqa: F401 — connects Anymail's signals
        from notifications.inbound import confirming

        guide.fill_registry()
        silent.fill_registry()
        reply_targets.register_item(confirming.KIND, confirming.answer)
