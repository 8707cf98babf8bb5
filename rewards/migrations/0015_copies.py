import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from backend.changes import trigger

EVERYBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
SHOWN = (
    "slug, kind, title_nl, title_en, text_nl, text_en, terms_nl, terms_en, picture_url, price_credits, value_cents,"
    " percentage, starts_on, ends_on, audience_roles, audience_team_ids, audience_languages, audience_employed_days_min,"
    " is_active, campaign_id, is_listed"
)


class Migration(migrations.Migration):
    """Offers, badges and the titles of gifts are told to phones as they change."""

    dependencies = [("rewards", "0014_changes")]
    operations = [
        migrations.AlterField(
            model_name='gift',
            name='giver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='gifts', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='gift',
            index=models.Index(fields=['giver', 'id'], name='gift_copies'),
        ),
        migrations.AddField("offer", "is_listed", models.BooleanField(default=False, editable=False)),
        migrations.AddField("offer", "looked_on", models.DateField(null=True, blank=True, editable=False)),
        trigger(
            "rewards_offer_copies",
            "rewards_offer",
            f"INSERT OR DELETE OR UPDATE OF {SHOWN}",
            f"SELECT {EVERYBODY}, 'offer', line.id",
        ),
        trigger(
            "rewards_campaign_copies",
            "rewards_campaign",
            "UPDATE OF starts_on, ends_on, is_active",
            f"SELECT {EVERYBODY}, 'offer', id FROM rewards_offer WHERE campaign_id = line.id",
        ),
        trigger(
            "rewards_gift_title_copies",
            "rewards_offer",
            "UPDATE OF slug, title_nl, title_en",
            "SELECT giver_id, 'gift', id FROM rewards_gift WHERE offer_id = line.id",
        ),
        trigger(
            "rewards_gift_moves",
            "rewards_gift",
            "UPDATE OF giver_id, price_credits, handed_out_at",
            "SELECT line.giver_id, 'gift', line.id",
        ),
        trigger(
            "rewards_fact_copies",
            "rewards_fact",
            "INSERT OR DELETE OR UPDATE",
            "SELECT line.person_id, 'badges', line.person_id",
        ),
        trigger(
            "rewards_badge_copies",
            "rewards_badge",
            "INSERT OR DELETE OR UPDATE",
            "SELECT line.person_id, 'badges', line.person_id",
        ),
        trigger(
            "rewards_badge_rule_copies",
            "rewards_badgerule",
            "INSERT OR DELETE OR UPDATE",
            f"SELECT {EVERYBODY}, 'badges', {EVERYBODY}",
        ),
    ]
