from django.db import migrations

RULES = (
    # kind, nl, en, credits, a day, a month, a pair and month
    ("question_answered", "Je vraag is beantwoord", "Your question was answered", 5, 25, 150, None),
    ("answered", "Vraag beantwoord", "Question answered", 5, 50, 300, None),
    ("answered_in_time", "Op tijd beantwoord", "Answered in time", 10, 100, 600, None),
    ("helped", "De vriend is geholpen", "The friend was helped", 10, 50, 300, 50),
    ("breach_goodwill", "Goedmakertje: te laat", "Goodwill: we were late", 10, 20, 100, None),
)


def add(apps, schema_editor):
    rule = apps.get_model("rewards", "EarningRule")
    for kind, nl, en, credits, day, month, pair in RULES:
        rule.objects.create(
            kind=kind, name_nl=nl, name_en=en, credits=credits, per_day_max=day, per_month_max=month, per_pair_month_max=pair
        )
    apps.get_model("rewards", "Allowance").objects.create(credits=100, starts_on="2026-01-01")


class Migration(migrations.Migration):
    """What a new company begins with; the back office changes it."""

    dependencies = [("rewards", "0003_common_accounts")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
