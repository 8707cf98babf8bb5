from django.db import migrations

from backend.changes import trigger


class Migration(migrations.Migration):
    """What somebody wants to be told, and a line that moved to somebody else's inbox, is told to their phones as it changes."""

    dependencies = [("notifications", "0008_unknown_and_polled_are_counted")]
    operations = [
        trigger(
            "notifications_notification_moves",
            "notifications_notification",
            "UPDATE OF person_id, item, created_at",
            "SELECT line.person_id, 'inbox', line.id",
        ),
        trigger(
            "notifications_preference_copies",
            "notifications_preference",
            "INSERT OR DELETE OR UPDATE",
            "SELECT line.person_id, 'preferences', line.person_id",
        ),
    ]
