from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import (
            silent,
            views,  # noqa: F401 — connects Anymail's inbound signal
        )

        silent.fill_registry()
