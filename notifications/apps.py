from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import reply_targets, views  # noqa: F401 — connects Anymail's signals
        from notifications.inbound import confirming

        reply_targets.register_item(confirming.KIND, confirming.answer)
