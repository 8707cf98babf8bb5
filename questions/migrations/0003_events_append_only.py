from django.db import migrations

FORWARD = """
CREATE FUNCTION questions_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'questions_event is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER questions_event_no_change BEFORE UPDATE OR DELETE ON questions_event
    FOR EACH ROW EXECUTE FUNCTION questions_event_is_append_only();
CREATE TRIGGER questions_event_no_truncate BEFORE TRUNCATE ON questions_event
    FOR EACH STATEMENT EXECUTE FUNCTION questions_event_is_append_only();
"""
BACKWARD = """
DROP TRIGGER questions_event_no_truncate ON questions_event;
DROP TRIGGER questions_event_no_change ON questions_event;
DROP FUNCTION questions_event_is_append_only();
"""


class Migration(migrations.Migration):
    """What happened stays written, whoever asks: also for the table's owner."""

    dependencies = [("questions", "0002_tables")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
