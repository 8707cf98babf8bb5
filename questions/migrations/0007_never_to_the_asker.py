from django.db import migrations

FORWARD = """
CREATE FUNCTION questions_assignment_conflicts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM questions_question q
        WHERE q.id = NEW.question_id AND (q.asker_id = NEW.expert_id OR NEW.expert_id = ANY (q.not_to))
    ) THEN
        RAISE EXCEPTION 'question % must not go to %', NEW.question_id, NEW.expert_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER questions_assignment_no_conflict BEFORE INSERT ON questions_assignment
    FOR EACH ROW EXECUTE FUNCTION questions_assignment_conflicts();
"""
BACKWARD = """
DROP TRIGGER questions_assignment_no_conflict ON questions_assignment;
DROP FUNCTION questions_assignment_conflicts();
"""


class Migration(migrations.Migration):
    """Never to the asker, nor to a colleague whom the asker excluded, whatever the code above gets wrong."""

    dependencies = [("questions", "0006_assignment_rules")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
