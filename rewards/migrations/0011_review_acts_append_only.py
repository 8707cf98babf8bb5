from django.db import migrations

FORWARD = """
CREATE TRIGGER rewards_reviewact_no_change BEFORE UPDATE OR DELETE ON rewards_reviewact
    FOR EACH ROW EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_reviewact_no_truncate BEFORE TRUNCATE ON rewards_reviewact
    FOR EACH STATEMENT EXECUTE FUNCTION rewards_append_only();
ALTER TABLE rewards_reviewact ENABLE ALWAYS TRIGGER rewards_reviewact_no_change;
ALTER TABLE rewards_reviewact ENABLE ALWAYS TRIGGER rewards_reviewact_no_truncate;
"""
BACKWARD = """
DROP TRIGGER rewards_reviewact_no_truncate ON rewards_reviewact;
DROP TRIGGER rewards_reviewact_no_change ON rewards_reviewact;
"""


class Migration(migrations.Migration):
    """Who froze, released or reversed something, and why, stays written."""

    dependencies = [("rewards", "0010_reviews")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
