from django.db import migrations

FORWARD = """
CREATE FUNCTION people_person_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM backend_changed(NEW.id, 'me', NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER people_person_changed AFTER UPDATE OF employee_number, name, email, mobile, language, time_zone, team_id,
    roles, shows_contact, shows_badges ON people_person
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION people_person_changed();
"""
BACKWARD = "DROP TRIGGER people_person_changed ON people_person; DROP FUNCTION people_person_changed();"


class Migration(migrations.Migration):
    """What `GET /me` shows has changed."""

    dependencies = [("people", "0006_joining"), ("backend", "0004_changes")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
