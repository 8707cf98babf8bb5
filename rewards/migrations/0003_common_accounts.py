from django.db import migrations

FORWARD = """
INSERT INTO rewards_account (id, unit, kind, is_renewed, held, is_frozen, created_at) VALUES
    (1, 'credit', 'issued', false, 0, false, '2026-01-01'),
    (2, 'credit', 'spent', false, 0, false, '2026-01-01'),
    (3, 'credit', 'lapsed', false, 0, false, '2026-01-01'),
    (4, 'cent', 'funding', false, 0, false, '2026-01-01');
SELECT setval(pg_get_serial_sequence('rewards_account', 'id'), 1000);
"""


class Migration(migrations.Migration):
    """The accounts that every ledger has; `rewards.models.books` names their ids."""

    dependencies = [("rewards", "0002_ledger_rules")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
