from django.db import migrations, models

FORWARD = """
CREATE FUNCTION rewards_counted(of_campaign uuid) RETURNS TABLE (scope text, used bigint, last_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT place.scope, count(*), max(gift.handed_out_at)
    FROM rewards_offer offer JOIN rewards_gift gift ON gift.offer_id = offer.id
    CROSS JOIN LATERAL (VALUES
        ('offer:' || offer.id || ':stock', offer.stock),
        ('offer:' || offer.id || ':giver:' || gift.giver_id, offer.per_giver_max)
    ) AS place (scope, most)
    WHERE offer.campaign_id = of_campaign AND (gift.claimed_at IS NOT NULL OR gift.state = 'handed_out')
        AND place.most IS NOT NULL
    GROUP BY 1
    UNION ALL
    SELECT place.scope, count(*), max(gift.handed_out_at)
    FROM rewards_campaign campaign JOIN rewards_gift gift ON gift.campaign_id = campaign.id
    CROSS JOIN LATERAL (VALUES
        ('campaign:' || campaign.id || ':gifts', campaign.gifts_max),
        ('campaign:' || campaign.id || ':giver:' || gift.giver_id, campaign.gifts_per_giver_max),
        ('campaign:' || campaign.id || ':team:' || gift.team_id, campaign.gifts_per_team_max)
    ) AS place (scope, most)
    WHERE campaign.id = of_campaign AND (gift.claimed_at IS NOT NULL OR gift.state = 'handed_out')
        AND place.most IS NOT NULL AND place.scope IS NOT NULL
    GROUP BY 1
$$;

-- Takes its locks in the order of everybody: campaign (who cancels shares it), counters by scope, the budget last.
CREATE FUNCTION rewards_recount(of_campaign uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    old_scopes text[];
BEGIN
    PERFORM FROM rewards_campaign WHERE id = of_campaign FOR NO KEY UPDATE;
    PERFORM FROM rewards_counter WHERE rewards_counter.scope IN (SELECT rewards_scopes(of_campaign))
        ORDER BY rewards_counter.scope FOR UPDATE;
    -- From here on no hand-out is under way: each keeps the budget to its end, and who waits for it finds another version.
    UPDATE rewards_account SET limits_version = limits_version + 1
        WHERE id = (SELECT budget_id FROM rewards_campaign WHERE id = of_campaign);
    DELETE FROM rewards_counter WHERE rewards_counter.scope IN (SELECT rewards_scopes(of_campaign));
    INSERT INTO rewards_counter (scope, used, last_used_on)
        SELECT counted.scope, counted.used, (counted.last_at AT TIME ZONE 'UTC')::date
        FROM rewards_counted(of_campaign) AS counted ORDER BY counted.scope;
END $$;

CREATE FUNCTION rewards_scopes(of_campaign uuid) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT counter.scope FROM rewards_counter counter
    WHERE split_part(counter.scope, ':', 1) = 'campaign' AND split_part(counter.scope, ':', 2) = of_campaign::text
    UNION ALL
    SELECT counter.scope FROM rewards_counter counter
    JOIN rewards_offer offer ON offer.id::text = split_part(counter.scope, ':', 2)
    WHERE split_part(counter.scope, ':', 1) = 'offer' AND split_part(counter.scope, ':', 3) IN ('stock', 'giver')
        AND offer.campaign_id = of_campaign
$$;

CREATE FUNCTION rewards_offer_limits_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.campaign_id <> NEW.campaign_id THEN
        PERFORM rewards_recount(OLD.campaign_id);
    END IF;
    PERFORM rewards_recount(NEW.campaign_id);
    RETURN NULL;
END $$;
CREATE TRIGGER rewards_offer_limits_changed AFTER UPDATE OF stock, per_giver_max ON rewards_offer
    FOR EACH ROW WHEN ((OLD.stock, OLD.per_giver_max) IS DISTINCT FROM (NEW.stock, NEW.per_giver_max))
    EXECUTE FUNCTION rewards_offer_limits_changed();

CREATE FUNCTION rewards_campaign_limits_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rewards_recount(NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER rewards_campaign_limits_changed
    AFTER UPDATE OF gifts_max, gifts_per_giver_max, gifts_per_team_max ON rewards_campaign
    FOR EACH ROW WHEN ((OLD.gifts_max, OLD.gifts_per_giver_max, OLD.gifts_per_team_max)
        IS DISTINCT FROM (NEW.gifts_max, NEW.gifts_per_giver_max, NEW.gifts_per_team_max))
    EXECUTE FUNCTION rewards_campaign_limits_changed();

SELECT rewards_recount(id) FROM rewards_campaign ORDER BY id;
"""
BACKWARD = """
DROP TRIGGER rewards_campaign_limits_changed ON rewards_campaign;
DROP TRIGGER rewards_offer_limits_changed ON rewards_offer;
DROP FUNCTION rewards_campaign_limits_changed();
DROP FUNCTION rewards_offer_limits_changed();
DROP FUNCTION rewards_recount(uuid);
DROP FUNCTION rewards_scopes(uuid);
DROP FUNCTION rewards_counted(uuid);
"""


class Migration(migrations.Migration):
    """A limit that is set later counts the gifts that are there; whoever writes the limit, the counters follow."""

    dependencies = [("rewards", "0015_copies")]
    operations = [
        migrations.AddField("account", "limits_version", models.IntegerField(db_default=0, editable=False)),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
