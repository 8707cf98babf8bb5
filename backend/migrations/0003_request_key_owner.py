from django.db import migrations, models


class Migration(migrations.Migration):
    """Tills bring keys too: a key belongs to an owner, not only to a person."""

    dependencies = [("backend", "0002_pulse")]
    operations = [
        migrations.RemoveConstraint("requestkey", "request_key_once"),
        migrations.RenameField("requestkey", "person", "owner"),
        migrations.AlterField("requestkey", "owner", models.UUIDField()),
        migrations.AddConstraint(
            "requestkey", models.UniqueConstraint(fields=["owner", "key"], name="request_key_once")
        ),
    ]
