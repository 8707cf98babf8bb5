"""The task app and its timetable. Every timed job is a sweep over due rows: a missed run catches up in the next."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")

app = Celery("ceo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def timetable(sender: Celery, **_: object) -> None:
    from django.conf import settings

    every = settings.SWEEP_SECONDS
    for name in (
        "notifications.tasks.handle_due_inbound",
        "notifications.tasks.follow_held",
        "notifications.tasks.follow_plans",
        "notifications.tasks.send_due",
        "questions.tasks.route_due",
        "questions.tasks.run_due_promises",
        "questions.tasks.expire_offers",
        "questions.tasks.follow_up",
        "questions.tasks.tend_knowledge",
        "questions.tasks.tend_attachments",
        "people.tasks.begin_absences",
        "rewards.tasks.run_due",
    ):
        # A tick that nobody picked up in time is worth nothing: the next one does the same work.
        sender.add_periodic_task(every, sender.signature(name), name=name, expires=max(every * 2, 10))
    pulse = settings.PULSE_SECONDS
    sender.add_periodic_task(
        pulse,
        sender.signature("backend.tasks.keep_timetable"),
        name="backend.tasks.keep_timetable",
        expires=max(pulse * 2, 10),
    )
    sender.add_periodic_task(
        300, sender.signature("questions.tasks.refresh_forecasts"), name="questions.tasks.refresh_forecasts"
    )
    sender.add_periodic_task(300, sender.signature("questions.tasks.adopt_policies"), name="questions.tasks.adopt_policies")
    sender.add_periodic_task(300, sender.signature("questions.tasks.train_topics"), name="questions.tasks.train_topics")
    sender.add_periodic_task(
        60, sender.signature("notifications.tasks.ask_for_receipts"), name="notifications.tasks.ask_for_receipts"
    )
    # Once a week there is something to group; looked for each hour, so that a missed Monday is made up for.
    sender.add_periodic_task(
        3600, sender.signature("questions.tasks.group_questions"), name="questions.tasks.group_questions"
    )
    sender.add_periodic_task(3600, sender.signature("notifications.tasks.purge"), name="notifications.tasks.purge")
    sender.add_periodic_task(3600, sender.signature("questions.tasks.purge"), name="questions.tasks.purge")
    sender.add_periodic_task(3600, sender.signature("rewards.tasks.award_badges"), name="rewards.tasks.award_badges")
    sender.add_periodic_task(900, sender.signature("rewards.tasks.find_for_review"), name="rewards.tasks.find_for_review")
    nightly = crontab(hour=3, minute=17)
    sender.add_periodic_task(nightly, sender.signature("rewards.tasks.check_ledger"), name="rewards.tasks.check_ledger")
