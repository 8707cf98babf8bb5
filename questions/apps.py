from django.apps import AppConfig


class QuestionsConfig(AppConfig):
    name = "questions"

    def ready(self) -> None:
        from questions import replies, verbs

        verbs.fill_registry()
        replies.fill_registry()
