from django.db import migrations

FORWARD = """
CREATE FUNCTION notifications_notification_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line notifications_notification := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM backend_changed(line.person_id, 'inbox', line.id);
    RETURN NULL;
END $$;
CREATE TRIGGER notifications_notification_comes_or_goes AFTER INSERT OR DELETE ON notifications_notification
    FOR EACH ROW EXECUTE FUNCTION notifications_notification_changed();
CREATE TRIGGER notifications_notification_changed AFTER UPDATE OF event, title, body, is_urgent, read_at
    ON notifications_notification
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION notifications_notification_changed();
"""
BACKWARD = """
DROP TRIGGER notifications_notification_changed ON notifications_notification;
DROP TRIGGER notifications_notification_comes_or_goes ON notifications_notification;
DROP FUNCTION notifications_notification_changed();
"""


class Migration(migrations.Migration):
    """A line of somebody's inbox has come, changed or gone."""

    dependencies = [("notifications", "0006_plan"), ("backend", "0004_changes")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
