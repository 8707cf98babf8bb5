from django.db import migrations, models


class Migration(migrations.Migration):
    """Finds the gifts that are over and still say something of a friend."""

    dependencies = [("rewards", "0006_first_discount_rule")]
    operations = [
        migrations.AddIndex(
            model_name='gift',
            index=models.Index(condition=models.Q(models.Q(('state__in', ['handed_out', 'claimed', 'part_redeemed']), _negated=True), models.Q(models.Q(('note', ''), _negated=True), ('recipient_digest__isnull', False), _connector='OR')), fields=['ends_at'], name='gift_to_erase'),
        ),
    ]
