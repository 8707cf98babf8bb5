from django.db import migrations

FORWARD = """
CREATE FUNCTION rewards_account_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lot rewards_account := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF lot.person_id IS NOT NULL THEN
        PERFORM backend_changed(lot.person_id, 'wallet', lot.person_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER rewards_account_comes_or_goes AFTER INSERT OR DELETE ON rewards_account
    FOR EACH ROW EXECUTE FUNCTION rewards_account_changed();
CREATE TRIGGER rewards_account_changed AFTER UPDATE OF balance, held, is_frozen, expires_at ON rewards_account
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION rewards_account_changed();

CREATE FUNCTION rewards_gift_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gift rewards_gift := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM backend_changed(gift.giver_id, 'gift', gift.id);
    RETURN NULL;
END $$;
CREATE TRIGGER rewards_gift_comes_or_goes AFTER INSERT OR DELETE ON rewards_gift
    FOR EACH ROW EXECUTE FUNCTION rewards_gift_changed();
CREATE TRIGGER rewards_gift_changed AFTER UPDATE OF state, frozen_at, ends_at, note, language, offer_id ON rewards_gift
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION rewards_gift_changed();
"""
BACKWARD = """
DROP TRIGGER rewards_gift_changed ON rewards_gift;
DROP TRIGGER rewards_gift_comes_or_goes ON rewards_gift;
DROP FUNCTION rewards_gift_changed();
DROP TRIGGER rewards_account_changed ON rewards_account;
DROP TRIGGER rewards_account_comes_or_goes ON rewards_account;
DROP FUNCTION rewards_account_changed();
"""


class Migration(migrations.Migration):
    """Somebody's wallet or gift has changed."""

    dependencies = [("rewards", "0013_reuse_rule"), ("backend", "0004_changes")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
