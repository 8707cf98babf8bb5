from django.apps import AppConfig


class QuestionsConfig(AppConfig):
    name = "questions"

    def ready(self) -> None:
        from people import lifecycle
        from questions import handover, replies, vocabulary

        vocabulary.fill_registry()
        replies.fill_registry()
        lifecycle.on_left.append(handover.left)
        lifecycle.on_absent.append(handover.absent)
        lifecycle.on_changed.append(handover.changed)
