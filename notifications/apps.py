from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import mail_webhooks, reply_targets  # noqa: F401 — connects Anymail's signals
        from notifications.inbound import confirming

        reply_targets.register_item(confirming.KIND, confirming.answer)
