import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from backend.changes import trigger


class Migration(migrations.Migration):
    """What somebody wants to be told, and a line that moved to somebody else's inbox, is told to their phones as it changes."""

    dependencies = [("notifications", "0008_unknown_and_polled_are_counted")]
    operations = [
        migrations.AlterField(
            model_name='notification',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='notification',
            index=models.Index(fields=['person', 'id'], name='notification_copies'),
        ),
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
