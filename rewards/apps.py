from django.apps import AppConfig


class RewardsConfig(AppConfig):
    name = "rewards"

    def ready(self) -> None:
        from people import lifecycle
        from rewards import ledger, verbs

        verbs.fill_registry()
        lifecycle.on_left.append(ledger.freeze)
