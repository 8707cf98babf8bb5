from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Answers that wait ten minutes before they leave, and the indexes of the desk's list and of drafts."""

    dependencies = [
        ('questions', '0009_promise_policy'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='answer',
            name='answer_state',
        ),
        migrations.RemoveConstraint(
            model_name='answer',
            name='answer_one_draft',
        ),
        migrations.AddField(
            model_name='answer',
            name='leaves_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='answer',
            name='state',
            field=models.CharField(choices=[('draft', 'Draft'), ('held', 'Held'), ('released', 'Released'), ('refused', 'Refused'), ('corrected', 'Corrected')], max_length=10),
        ),
        migrations.AddIndex(
            model_name='answer',
            index=models.Index(condition=models.Q(('leaves_at__isnull', False)), fields=['leaves_at'], name='answer_leaves'),
        ),
        migrations.AddIndex(
            model_name='answer',
            index=models.Index(condition=models.Q(('state', 'draft')), fields=['state'], name='answer_drafts'),
        ),
        migrations.AddIndex(
            model_name='round',
            index=models.Index(condition=models.Q(('is_answered', False), ('steps_done__gte', 3)), fields=['steps_done'], name='round_nearly_due'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['draft', 'held'])), fields=('round',), name='answer_one_draft'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'held', 'released', 'refused', 'corrected'])), name='answer_state'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.CheckConstraint(condition=models.Q(('leaves_at__isnull', True), ('state', 'held'), _connector='OR'), name='answer_only_a_held_one_leaves'),
        ),
    ]
