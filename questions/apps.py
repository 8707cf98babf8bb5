from django.apps import AppConfig


class QuestionsConfig(AppConfig):
    name = "questions"

    def ready(self) -> None:
        from people import lifecycle
        from questions import replies, routing, verbs

        verbs.fill_registry()
        replies.fill_registry()
        lifecycle.on_left.append(routing.left)
        lifecycle.on_absent.append(routing.absent)
