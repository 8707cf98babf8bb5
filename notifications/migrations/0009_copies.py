from django.db import migrations

from backend.changes import trigger


class Migration(migrations.Migration):
    """What somebody wants to be told is told to their phones as it changes."""

    dependencies = [("notifications", "0008_unknown_and_polled_are_counted")]
    operations = [
        trigger(
            "notifications_preference_copies",
            "notifications_preference",
            "INSERT OR DELETE OR UPDATE",
            "SELECT line.person_id, 'preferences', line.person_id",
        ),
    ]
