"""`manage.py receive_mail`: the SMTP server that takes mail for our domain."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from backend import pulse
from backend.stopping import Stop
from notifications.inbound import smtp


class Command(BaseCommand):
    help = "Take mail for our domain by SMTP, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        server = smtp.controller(settings.MAIL_IN_HOST, settings.MAIL_IN_PORT)
        server.start()
        pulse.start("mail-in")
        self.stdout.write(f"mail in on {settings.MAIL_IN_HOST}:{settings.MAIL_IN_PORT}")
        stop.wait()
        server.stop()
