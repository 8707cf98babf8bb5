from django.db import migrations, models


class Migration(migrations.Migration):
    """The hop limit, and nobody twice in a round: kept by the database."""

    dependencies = [("questions", "0005_existing_rounds")]

    operations = [
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('by_hand', False)), fields=('round', 'expert'), name='assignment_never_again_in_a_round'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(fields=('round', 'leg', 'hop'), name='assignment_hop_once'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('hop__gte', 1), ('hop__lte', 5)), ('hop__isnull', True), _connector='OR'), name='assignment_hop_limit'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('by_hand', False), ('hop__isnull', False), ('is_swarm', False)), models.Q(('hop__isnull', True), models.Q(('is_swarm', True), ('by_hand', True), _connector='OR')), _connector='OR'), name='assignment_hop_when_routed'),
        ),
    ]
