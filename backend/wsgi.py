"""The web server's entry."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
application = get_wsgi_application()

from backend import health, pulse  # noqa: E402 — Django is set up now

pulse.start("web", health.queues_that_wait)
