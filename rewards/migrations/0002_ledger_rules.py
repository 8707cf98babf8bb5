from django.db import migrations

# What a constraint of Django's cannot say. ENABLE ALWAYS: the triggers also fire for a session that plays replica.
FORWARD = """
ALTER TABLE rewards_transfer
    ADD CONSTRAINT transfer_debit_same_unit FOREIGN KEY (debit_id, unit) REFERENCES rewards_account (id, unit),
    ADD CONSTRAINT transfer_credit_same_unit FOREIGN KEY (credit_id, unit) REFERENCES rewards_account (id, unit);

CREATE FUNCTION rewards_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP;
END $$;

CREATE TRIGGER rewards_transfer_no_change BEFORE UPDATE OR DELETE ON rewards_transfer
    FOR EACH ROW EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_transfer_no_truncate BEFORE TRUNCATE ON rewards_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION rewards_append_only();

-- A hold is resolved once and otherwise never changes; an account's identity never changes.
CREATE TRIGGER rewards_hold_no_change BEFORE UPDATE ON rewards_hold
    FOR EACH ROW WHEN (OLD.state <> 'held' OR (OLD.account_id, OLD.amount, OLD.subject, OLD.created_at)
        IS DISTINCT FROM (NEW.account_id, NEW.amount, NEW.subject, NEW.created_at))
    EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_hold_no_delete BEFORE DELETE ON rewards_hold
    FOR EACH ROW EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_hold_no_truncate BEFORE TRUNCATE ON rewards_hold
    FOR EACH STATEMENT EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_account_no_change BEFORE UPDATE ON rewards_account
    FOR EACH ROW WHEN ((OLD.id, OLD.unit, OLD.kind, OLD.person_id, OLD.expires_at, OLD.is_renewed)
        IS DISTINCT FROM (NEW.id, NEW.unit, NEW.kind, NEW.person_id, NEW.expires_at, NEW.is_renewed))
    EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_account_no_delete BEFORE DELETE ON rewards_account
    FOR EACH ROW EXECUTE FUNCTION rewards_append_only();
CREATE TRIGGER rewards_account_no_truncate BEFORE TRUNCATE ON rewards_account
    FOR EACH STATEMENT EXECUTE FUNCTION rewards_append_only();

ALTER TABLE rewards_transfer ENABLE ALWAYS TRIGGER rewards_transfer_no_change;
ALTER TABLE rewards_transfer ENABLE ALWAYS TRIGGER rewards_transfer_no_truncate;
ALTER TABLE rewards_hold ENABLE ALWAYS TRIGGER rewards_hold_no_change;
ALTER TABLE rewards_hold ENABLE ALWAYS TRIGGER rewards_hold_no_delete;
ALTER TABLE rewards_hold ENABLE ALWAYS TRIGGER rewards_hold_no_truncate;
ALTER TABLE rewards_account ENABLE ALWAYS TRIGGER rewards_account_no_change;
ALTER TABLE rewards_account ENABLE ALWAYS TRIGGER rewards_account_no_delete;
ALTER TABLE rewards_account ENABLE ALWAYS TRIGGER rewards_account_no_truncate;
"""
BACKWARD = """
DROP TRIGGER rewards_account_no_truncate ON rewards_account;
DROP TRIGGER rewards_account_no_delete ON rewards_account;
DROP TRIGGER rewards_account_no_change ON rewards_account;
DROP TRIGGER rewards_hold_no_truncate ON rewards_hold;
DROP TRIGGER rewards_hold_no_delete ON rewards_hold;
DROP TRIGGER rewards_hold_no_change ON rewards_hold;
DROP TRIGGER rewards_transfer_no_truncate ON rewards_transfer;
DROP TRIGGER rewards_transfer_no_change ON rewards_transfer;
DROP FUNCTION rewards_append_only();
ALTER TABLE rewards_transfer DROP CONSTRAINT transfer_debit_same_unit, DROP CONSTRAINT transfer_credit_same_unit;
"""


class Migration(migrations.Migration):
    """What was booked stays booked, whoever asks: also for the tables' owner."""

    dependencies = [("rewards", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
