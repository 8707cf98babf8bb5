"""The project: settings, mounts and what all apps lean on."""

from backend.celery import app as celery_app

__all__ = ["celery_app"]
