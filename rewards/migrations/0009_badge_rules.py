from django.db import migrations

RULES = (
    # slug, kind of fact, how many, nl, en
    ("first-answer", "answered", 1, "Eerste antwoord", "First answer"),
    ("ten-answers", "answered", 10, "Vraagbaak", "Go-to colleague"),
    ("hundred-answers", "answered", 100, "Wandelende encyclopedie", "Walking encyclopedia"),
    ("on-time", "answered_in_time", 25, "Op de klok", "Like clockwork"),
    ("first-help", "helped", 1, "Eerste blije vriend", "First happy friend"),
    ("friends-helped", "helped", 25, "Vriend van velen", "Friend of many"),
    ("first-question", "question_answered", 1, "Eerste vraag beantwoord", "First question answered"),
    ("good-ears", "question_answered", 25, "Goede oren", "Good ears"),
    ("first-thanks", "kudos", 1, "Eerste dank", "First thanks"),
    ("good-colleague", "kudos", 10, "Fijne collega", "Good colleague"),
)


def add(apps, schema_editor):
    rule = apps.get_model("rewards", "BadgeRule")
    for slug, kind, count, nl, en in RULES:
        rule.objects.create(slug=slug, kind=kind, count=count, name_nl=nl, name_en=en)


class Migration(migrations.Migration):
    """What a new company begins with; the back office changes it."""

    dependencies = [("rewards", "0008_badges")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
