"""`manage.py sandbox`: the pretend providers, in one process: look-alikes of Twilio and Firebase, SMTP catcher, courier."""

import logging
import os
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from backend.stopping import Stop
from sandbox import courier, fcm, mailbox
from sandbox.twilio import Server

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.1


class Command(BaseCommand):
    help = "Pretend to be Twilio, a mail server and the people's phones, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        delay = float(os.environ.get("SANDBOX_TWILIO_DELAY_SECONDS", "0"))
        twilio = Server("127.0.0.1", settings.SANDBOX_TWILIO_PORT, delay)
        threading.Thread(target=twilio.serve_forever, daemon=True).start()
        firebase = fcm.Server("127.0.0.1", settings.SANDBOX_FCM_PORT)
        threading.Thread(target=firebase.serve_forever, daemon=True).start()
        mails = mailbox.controller("127.0.0.1", settings.SANDBOX_SMTP_PORT)
        mails.start()
        self.stdout.write("sandbox ready")
        while not stop.is_set():
            try:
                if not courier.carry_due():
                    stop.wait(PAUSE_SECONDS)
            except DatabaseError as error:
                log.warning("courier waits for the database: %s", error)
                close_old_connections()
                stop.wait(1)
        twilio.shutdown()
        firebase.shutdown()
        mails.stop()
