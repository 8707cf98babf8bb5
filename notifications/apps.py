from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import guide, verbs, views  # noqa: F401 — connects Anymail's inbound signal

        guide.fill_registry()
