from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import guide, views  # noqa: F401 — connects Anymail's inbound signal

        guide.fill_registry()
