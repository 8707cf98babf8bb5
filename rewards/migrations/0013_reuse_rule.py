from django.db import migrations


def add(apps, schema_editor):
    apps.get_model("rewards", "EarningRule").objects.get_or_create(
        kind="answer_reused",
        defaults={
            "name_nl": "Je antwoord is hergebruikt",
            "name_en": "Your answer was used again",
            "credits": 3,
            "per_day_max": 15,
            "per_month_max": 90,
            "per_pair_month_max": 15,
        },
    )


class Migration(migrations.Migration):
    """What a new company begins with; the back office changes it or switches it off."""

    dependencies = [("rewards", "0012_audience")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
