from django.db import migrations

# One row: this transaction changed something that concerns this person (the nil UUID: everybody). Rows are ordered by
# transaction and read by snapshot, so one that commits late is late, and not lost. The key makes a transaction write each
# change once; as it holds the transaction's own number, no two transactions ever wait for each other here.
FORWARD = """
CREATE TABLE backend_change (
    person uuid NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    kind varchar(20) NOT NULL,
    object_id uuid NOT NULL,
    PRIMARY KEY (person, xid, kind, object_id)
);
CREATE INDEX change_since ON backend_change (xid);
CREATE TABLE backend_changemark (
    horizon xid8 PRIMARY KEY,
    at timestamptz NOT NULL,
    is_floor boolean NOT NULL DEFAULT false
);
CREATE FUNCTION backend_changed(person uuid, kind text, object_id uuid) RETURNS void LANGUAGE sql AS $$
    INSERT INTO backend_change (person, kind, object_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
$$;
"""
BACKWARD = """
DROP FUNCTION backend_changed(uuid, text, uuid);
DROP TABLE backend_changemark;
DROP TABLE backend_change;
"""


class Migration(migrations.Migration):
    """What changed for whom: written by triggers in the transaction that changed it, read by `backend.changes` alone."""

    dependencies = [("backend", "0003_request_key_owner")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
